"""A Docker Engine for the tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

from tests.support.forge import end
from tests.support.forge import Forge
from tests.support.forge import tool
from tests.support.forge import unavailable
from tests.support.forge import USERNAME
from tests.support.forge import wait_until

from .images import random_layer
from .shell import Client

TIMEOUT = 60.0


@contextlib.contextmanager
def running_engine(folder: Path, **settings: object) -> t.Iterator[Client]:
    """Run a Docker Engine that is isolated from the machine's own.

    :param settings: its configuration, with underscores instead of dashes.
    """
    daemon = tool("dockerd", "Debian's docker.io")
    if os.geteuid() != 0:
        unavailable("dockerd runs as root only")
    config = folder / "daemon.json"
    named = {name.replace("_", "-"): value for name, value in settings.items()}
    config.write_text(json.dumps(named))
    address = f"unix://{folder}/docker.sock"
    client = Client((_client(daemon), "--host", address))
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(daemon, "--host", address, f"--config-file={config}"),
                *("--iptables=false", "--ip6tables=false", "--bridge=none"),
                f"--data-root={folder}/data",
                f"--exec-root={folder}/exec",
                f"--pidfile={folder}/docker.pid",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        if process.poll() is not None:
            raise ChildProcessError(Path(log.name).read_text()[-4000:])
        return client.succeeds("version")

    try:
        wait_until(answers, TIMEOUT, "starting dockerd")
        yield client
    finally:
        try:
            end(process, TIMEOUT)
        finally:
            _unmount_below(folder)


def login(forge: Forge, username: str = USERNAME) -> tuple[str, ...]:
    """Return the arguments and input to log in a user with a password."""
    return ("login", "--username", username, "--password-stdin", forge.host)


def make(docker: Client, name: str, root: bytes) -> None:
    """Build an image with a layer that no registry has."""
    docker("import", "-", name, stdin=_merge(root, random_layer()))


def forget(docker: Client, name: str) -> None:
    """Delete an image, under all of its names, from the engine."""
    docker("rmi", "--force", inspect(docker, name)["Id"])


def inspect(docker: Client, name: str) -> t.Any:
    """Return the engine's data about an image."""
    return json.loads(docker("image", "inspect", name))[0]


def _unmount_below(folder: Path) -> None:
    # An engine that served a build on the host's network leaves that network mounted.
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point = line.split()[1]
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", point], check=True)


def _client(daemon: str) -> str:
    # A machine may have a newer client in front of the one of its engine.
    beside = Path(daemon).parent.with_name("bin") / "docker"
    return str(beside) if beside.exists() else tool("docker", "Debian's docker.io")


def _merge(*layers: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as merged:
        for layer in layers:
            with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
                for member in tar:
                    merged.addfile(member, tar.extractfile(member))
    return stream.getvalue()
