"""A node of the example forge on gunicorn, with one worker."""

from __future__ import annotations

import base64
import json
import sys
import typing as t
import urllib.request

from .client import Connection
from .processes import free_port
from .processes import Process
from .pushing import push_small_image
from .server import ROOT

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack
    from pathlib import Path


class Node(t.NamedTuple):
    """A running node."""

    port: int
    process: Process


def start_node(
    stack: ExitStack, folder: Path, settings: Mapping[str, str], cpu: int | None = None
) -> Node:
    """Start a node, whose tables then exist.

    :param stack: ends the node.
    :param folder: the absent folder of its instance.
    :param settings: the environment of the application.
    :param cpu: the number of the only processor that it uses; None is all.
    """
    port = free_port()
    pinned = [] if cpu is None else ["taskset", "--cpu-list", str(cpu)]
    process = Process(
        [
            *(*pinned, sys.executable, "-m", "gunicorn"),
            *("--config", str(ROOT / "example_app/gunicorn.conf.py")),
            *("--pythonpath", str(ROOT), "--workers", "1"),
            *("--bind", f"127.0.0.1:{port}"),
            "example_app.nodes.application:create_app()",
        ],
        folder.with_suffix(".log"),
        environ={**settings, "EXAMPLE_INSTANCE": str(folder)},
    )
    stack.callback(process.end)
    process.wait_for_port(port)
    # The first request costs more than the others.
    push_one(port, "alice/bench", "latest")
    return Node(port, process)


def push_one(port: int, repository: str, tag: str, token: str = "") -> None:
    """Push a small image with a connection of its own.

    :param token: the header of :func:`token_for`; an empty string gets one.
    """
    with Connection(port, token or token_for(port, repository)) as connection:
        push_small_image(connection, repository, tag)


def token_for(port: int, repository: str) -> str:
    """Return the header of a token for a repository."""
    login = base64.b64encode(b"alice:wonderland").decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v2/token?scope=repository:{repository}:pull,push",
        headers={"Authorization": f"Basic {login}"},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310 - of this machine
        return f"Bearer {json.load(response)['token']}"
