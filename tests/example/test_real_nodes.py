"""``python -m example_app.nodes``: two nodes, and the death of one."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from example_app.nodes.programs import find_programs
from example_app.nodes.programs import Missing
from tests.clients.images import make_image
from tests.clients.images import random_layer
from tests.clients.images import read_layout
from tests.clients.shell import Client
from tests.support.forge import end
from tests.support.forge import environment
from tests.support.forge import free_port
from tests.support.forge import tool
from tests.support.forge import TOOLS
from tests.support.forge import unavailable
from tests.support.forge import wait_until
from tests.support.paths import ROOT

START_TIMEOUT = 120.0


def test_missing_programs_are_named_with_their_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message is a list of commands."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("OCI_TOOLS", "")
    with pytest.raises(Missing, match=r"versitygw +go install github\.com/versity"):
        find_programs()


@pytest.mark.real
def test_nodes_serve_images_after_one_of_them_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients push and pull through nginx; an interrupt ends everything."""
    monkeypatch.setenv("OCI_TOOLS", str(TOOLS))
    try:
        find_programs()
    except Missing as missing:
        unavailable(str(missing))
    port = free_port()
    crane = Client(
        (tool("crane", "go-containerregistry, built by Go"),),
        {"DOCKER_CONFIG": str(tmp_path / "docker")},
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        script = subprocess.Popen(
            [sys.executable, "-m", "example_app.nodes", "--port", str(port)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(
            lambda: "Ctrl-C" in log.read_text() or script.poll() is not None,
            START_TIMEOUT,
            "starting the nodes",
        )
        assert script.poll() is None, log.read_text()
        assert check(log.read_text(), port) == set()
        account = ("--username=alice", "--password-stdin")
        crane("auth", "login", *account, f"127.0.0.1:{port}", stdin="wonderland")
        exchange(crane, tmp_path / "both", f"127.0.0.1:{port}/alice/app:1")
        node = int(re.findall(r"kill -9 -(\d+)", log.read_text())[0])
        os.killpg(node, signal.SIGKILL)
        for number in range(2, 5):
            place = tmp_path / f"one{number}"
            exchange(crane, place, f"127.0.0.1:{port}/alice/app:{number}")
        # The image that was pushed to two nodes is whole at one.
        crane("validate", "--remote", f"127.0.0.1:{port}/alice/app:1")
        wait_until(
            lambda: "The other node continues" in log.read_text(),
            START_TIMEOUT,
            "noticing the death",
        )
        script.send_signal(signal.SIGINT)
        assert script.wait(START_TIMEOUT) == 0
    finally:
        if script.poll() is None:
            end(script, START_TIMEOUT)
    found = re.search(r"all data are in (\S+)\.", log.read_text())
    assert found is not None
    assert not Path(found[1]).exists()
    assert not list(processes_of(found[1]))


def check(text: str, port: int) -> set[str]:
    """Return the findings of ``flask oci check``, with the settings of the nodes."""
    file = re.search(r"set -a; \. (\S+);", text)
    assert file is not None
    lines = Path(file[1]).read_text().splitlines()
    settings = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "flask", "--app", "example_app.nodes.application"),
            *("oci", "check", "--url", f"http://127.0.0.1:{port}"),
            *("--user", "alice", "--json"),
        ],
        cwd=ROOT,
        env=environment(Path(settings["EXAMPLE_INSTANCE"]), settings),
        capture_output=True,
        timeout=START_TIMEOUT,
        check=False,
    )
    return {finding["code"] for finding in json.loads(done.stdout)["findings"]}


def exchange(crane: Client, folder: Path, name: str) -> None:
    """Push an image of several layers, and compare it with its pull. nginx reads the
    blobs from the store: no node has to send one for it."""
    folder.mkdir()
    image = make_image(random_layer())
    crane("push", image.write(folder / "pushed"), name)
    said = crane.says("pull", "--verbose", "--format=oci", name, folder / "pulled")
    assert read_layout(folder / "pulled") == image.digests
    assert "Cache-Control: private, max-age=31536000" in said
    assert "X-Oci-Downloads" not in said


def processes_of(folder: str) -> t.Iterator[str]:
    """Yield the command lines of the processes that name a folder."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in command:
            yield command
