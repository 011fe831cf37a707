"""A containerd of the test, and its client."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import typing as t
from pathlib import Path

from tests.support.forge import end
from tests.support.forge import tool
from tests.support.forge import wait_until

from .shell import Client


@contextlib.contextmanager
def containerd(folder: Path) -> t.Iterator[Client]:
    """Run a containerd that is isolated from the machine's own, and return ctr."""
    program = tool("containerd", "Debian's containerd")
    with tempfile.TemporaryDirectory() as short:
        address = f"{short}/containerd.sock"
        config = folder / "containerd.toml"
        config.write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        )
        with (folder / "containerd.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(program, "--config", str(config), "--address", address),
                    *("--root", str(folder / "containerd")),
                    *("--state", f"{short}/state"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        client = Client((tool("ctr", "Debian's containerd"), "--address", address))
        try:
            wait_until(lambda: client.succeeds("version"), 60, "starting containerd")
            yield client
        finally:
            end(process, 60)
