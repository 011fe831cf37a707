"""The background work in real processes: services, forking servers and signals."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.support.forge import environment
from tests.support.forge import Forge
from tests.support.forge import STOP_TIMEOUT
from tests.support.forge import wait_until
from tests.support.paths import ROOT
from tests.support.pusher import Pusher

pytestmark = pytest.mark.real

NAME = "alice/app"
RULE = ("oci", "retention", "set", "--repository", NAME, "delete pr-*")

#: The time in which a process has to do work that is due.
TIMEOUT = 60.0


def jobs(forge: Forge) -> dict[str, dict[str, t.Any]]:
    """Return the output of ``flask oci jobs``, by name."""
    return {j["name"]: j for j in json.loads(forge.command("oci", "jobs", "--json"))}


@contextlib.contextmanager
def working(forge: Forge, log: Path) -> t.Iterator[None]:
    """Run ``flask oci work``, and end it by SIGTERM."""
    command = ("-m", "flask", "--app", forge.application, "oci", "work")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment(forge.instance, forge.settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_TIMEOUT) == 0, log.read_text()


def test_two_processes_do_each_job_once_and_end_by_sigterm(tmp_path: Path) -> None:
    """A job that one process claims is not run by the other."""
    logs = tmp_path / "one", tmp_path / "two"
    with Forge("werkzeug") as forge:
        pusher = Pusher(forge, NAME)
        for tag in ("pr-1", "main"):
            pusher.image(tag, tag.encode())
        assert "No process applies retention rules" in forge.run(*RULE).stderr
        with working(forge, logs[0]), working(forge, logs[1]):
            wait_until(
                lambda: jobs(forge)["pruning"]["completed_at"] is not None,
                TIMEOUT,
                "the last job",
            )
        assert pusher.tags() == ["main"]
    lines = [line for log in logs for line in log.read_text().splitlines()]
    assert [line for line in lines if line.startswith("retention:")] == [
        "retention: Deleted 1 tag and 0 manifests."
    ]


def test_thread_of_a_server_that_forks_after_loading_applies_the_rules() -> None:
    """``gunicorn --preload`` loads the application before it forks its workers."""
    settings = {"GUNICORN_CMD_ARGS": "--preload", "OCI_RETENTION_INTERVAL": "1"}
    with Forge("gunicorn", OCI_WORK='"thread"', **settings) as forge:
        pusher = Pusher(forge, NAME)
        for tag in ("pr-1", "main"):
            pusher.image(tag, tag.encode())
        assert "No process" not in forge.run(*RULE).stderr
        wait_until(lambda: pusher.tags() == ["main"], TIMEOUT, "retention")
        assert jobs(forge)["retention"]["problem"] is None
        forge.stop()
        log = forge.log.read_text()
    assert "Traceback" not in log, log
