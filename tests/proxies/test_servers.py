"""Servers without a proxy, and checks that do not run where the server does."""

from __future__ import annotations

import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.support.forge import environment
from tests.support.forge import Forge
from tests.support.forge import wait_until
from tests.support.paths import ROOT

from .asking import check
from .asking import left_behind

pytestmark = pytest.mark.real

#: Docker talks to this machine without TLS, and to no other.
ELSEWHERE = "0.0.0.0"


@pytest.fixture(scope="module")
def direct() -> t.Iterator[Forge]:
    """A forge with nothing in front."""
    with Forge("gunicorn") as started:
        yield started


def test_gunicorn(direct: Forge) -> None:
    """Nothing is wrong with it."""
    assert check(direct, direct.url) == {}
    assert left_behind(direct) == []


@pytest.mark.parametrize(
    ("server", "codes"),
    [("werkzeug", {"development-server"}), ("waitress", {"uploads-buffered"})],
)
def test_another_server(server: str, codes: set[str]) -> None:
    """What the pages say about it is found."""
    with Forge(server) as forge:
        assert set(check(forge, forge.url)) == codes
        assert left_behind(forge) == []


def test_plain_http(direct: Forge) -> None:
    """It is no address for docker, though it answers."""
    assert "plain-http" in check(direct, f"http://{ELSEWHERE}:{direct.port}")


def test_another_key(direct: Forge) -> None:
    """The command has another environment than the server."""
    found = check(direct, direct.url, SECRET_KEY="8c6e2b1f" * 4)
    assert set(found) == {"secret-key-differs"}


def test_another_database(direct: Forge, tmp_path: Path) -> None:
    """The command looks at other tables, and another folder, than clients."""
    found = check(direct, direct.url, EXAMPLE_INSTANCE=str(tmp_path / "other"))
    assert set(found) == {"database-differs"}


def test_a_key_for_each_process() -> None:
    """What one worker signs, the next refuses."""
    with Forge("gunicorn", "tests.proxies.forgetful") as forge:
        assert "secret-key-per-process" in check(forge, forge.url)


def test_files_that_nobody_sends() -> None:
    """The registry leaves them to a proxy that is not there."""
    with Forge("gunicorn", OCI_ACCEL_REDIRECT="/_blobs") as forge:
        assert set(check(forge, forge.url)) == {"accel-unhandled"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_check_that_is_interrupted(direct: Forge, number: signal.Signals) -> None:
    """It takes back what it has pushed so far."""
    command = ("oci", "check", "--url", direct.url, "--user", "alice")
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", direct.application, *command],
        cwd=ROOT,
        env=environment(direct.instance, direct.settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Whoever runs the tests in the background may have them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_until(lambda: "oci_upload" in left_behind(direct), 30, "beginning")
        process.send_signal(number)
        assert process.wait(30) != 0
    finally:
        process.kill()
        process.wait()
    assert left_behind(direct) == []
