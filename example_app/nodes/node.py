"""A node: a gunicorn with a folder of its own, as on a machine of its own."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from .parts import answers
from .parts import free_port
from .parts import Part

CONFIGURATION: t.Final = Path(__file__).parent.parent / "gunicorn.conf.py"


def start(number: int, folder: Path, settings: t.Mapping[str, str]) -> tuple[Part, int]:
    """Start a node.

    :param folder: the parent of its instance folder.
    :param settings: the settings that all nodes share.
    :return: the node and its port on 127.0.0.1.
    :raises Failed: if it does not start.
    """
    port = free_port()
    name = f"node{number}"
    part = Part(
        f"Node {number}",
        folder / f"{name}.log",
        [
            *(sys.executable, "-m", "gunicorn", "--config", str(CONFIGURATION)),
            *("--bind", f"127.0.0.1:{port}", "--graceful-timeout", "10"),
            "example_app.nodes.application:create_app()",
        ],
        environment={**settings, "EXAMPLE_INSTANCE": str(folder / name)},
    )
    part.wait(lambda: answers(port, "/v2/"))
    return part, port
