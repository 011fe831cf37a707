"""A failed test shows the exceptions of its servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from .server import Server
from .server_logs import EXCEPTION_LENGTH
from .server_logs import excerpt
from .server_logs import LENGTH

EXCEPTION = """\
[2026-01-01] ERROR in app: Exception on /v2/alice/app/manifests/1 [PUT]
Traceback (most recent call last):
KeyError: 'cause'
"""
LATER = "a line without it\n" * LENGTH


@pytest.mark.parametrize("log", [EXCEPTION, LATER + EXCEPTION, EXCEPTION + LATER])
def test_excerpt_has_each_exception_once_and_end(log: str) -> None:
    """Other lines may follow an exception for minutes."""
    text = excerpt(log)
    assert text.count("KeyError: 'cause'") == 1
    assert text.endswith(log[-LENGTH:])
    assert len(text) < 2 * LENGTH + EXCEPTION_LENGTH


def test_logs_of_servers_include_those_of_killed_ones(tmp_path: Path) -> None:
    """The log of a server that never started is absent."""
    (tmp_path / "node").mkdir()
    with Server(tmp_path, None), Server(tmp_path / "node", None) as node:
        log = node.folder / "server.log"
        log.write_text(EXCEPTION)
    assert [each for each in Server.logs() if tmp_path in each.parents] == [log]
