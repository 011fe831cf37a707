"""nginx in front of the nodes, which also sends the blobs of the store."""

from __future__ import annotations

import os
import re
import signal
import typing as t
from pathlib import Path

from .parts import answers
from .parts import Part

CONFIGURATION: t.Final = Path(__file__).with_name("nginx.conf")

#: The ports in nginx.conf: those of nginx, of the nodes, and of the store.
PORTS: t.Final = ("5000", "5001", "5002", "5003")


def start(
    programs: t.Mapping[str, str],
    folder: Path,
    port: int,
    nodes: t.Sequence[int],
    store: int,
) -> Part:
    """Start nginx with the configuration of nginx.conf.

    :param folder: an absent folder for its temporary files.
    :param port: the port of 127.0.0.1 on which it listens.
    :param nodes: the ports of the two nodes.
    :param store: the port of the store.
    :raises Failed: if it does not start.
    """
    folder.mkdir(mode=0o700)
    ports = dict(zip(PORTS, map(str, (port, *nodes, store)), strict=True))
    text = CONFIGURATION.read_text("utf-8")
    text = re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda found: ports[found[0]], text)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, "utf-8")
    # As root, nginx would give its workers an account that cannot enter the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    part = Part(
        "nginx",
        folder.with_suffix(".log"),
        [
            *(programs["nginx"], "-p", f"{folder}/", "-c", str(configuration)),
            *("-e", "stderr", "-g", f"daemon off; {user}"),
        ],
        stop=signal.SIGQUIT,
    )
    part.wait(lambda: answers(port, "/v2/"))
    return part
