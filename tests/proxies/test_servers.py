"""The check of servers without a proxy, and outside the server's environment."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.support.forge import environment
from tests.support.forge import Forge
from tests.support.forge import wait_until
from tests.support.forge_behind_nginx import ForgeBehindNginx
from tests.support.paths import ROOT

from .asking import check
from .asking import left_behind

pytestmark = pytest.mark.real

#: Docker connects without TLS to this machine only.
ELSEWHERE = "0.0.0.0"


@pytest.fixture(scope="module")
def direct() -> t.Iterator[Forge]:
    """A forge without a proxy."""
    with Forge("gunicorn") as started:
        yield started


def test_check_of_gunicorn_finds_nothing(direct: Forge) -> None:
    """The server needs no proxy."""
    assert check(direct, direct.url) == {}
    assert left_behind(direct) == []


@pytest.mark.parametrize(
    ("server", "codes"),
    [
        ("werkzeug", {"development-server"}),
        ("waitress", {"uploads-buffered"}),
        ("granian", set()),
    ],
)
def test_check_of_another_server_finds_its_limits(server: str, codes: set[str]) -> None:
    """The pages describe them."""
    with Forge(server) as forge:
        assert set(check(forge, forge.url)) == codes
        assert left_behind(forge) == []


def test_check_of_granian_behind_nginx_finds_nothing() -> None:
    """granian answers, and nginx sends the blobs."""
    with ForgeBehindNginx() as forge:
        assert check(forge, forge.url) == {}
        assert left_behind(forge) == []


def test_header_with_an_underscore_does_not_pass_nginx() -> None:
    """granian would treat it like the header of the proxy, which ProxyFix trusts."""
    names = ("X_Forwarded_Host", "X_Forwarded_Proto")
    with ForgeBehindNginx() as forge:
        connection = http.client.HTTPConnection("127.0.0.1", forge.port)
        with contextlib.closing(connection):
            connection.request("GET", "/v2/", headers=dict.fromkeys(names, "evil"))
            answer = connection.getresponse()
            challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer realm="{forge.url}/v2/token"')


def test_check_of_plain_http_finds_it(direct: Forge) -> None:
    """Docker refuses the address, although it responds."""
    assert "plain-http" in check(direct, f"http://{ELSEWHERE}:{direct.port}")


def test_check_with_another_secret_key_finds_it(direct: Forge) -> None:
    """The command has another environment than the server."""
    found = check(direct, direct.url, SECRET_KEY="8c6e2b1f" * 4)
    assert set(found) == {"secret-key-differs", "nodes-keys"}


def test_check_with_another_database_finds_it(direct: Forge, tmp_path: Path) -> None:
    """The command uses other tables and another folder than the server."""
    found = check(direct, direct.url, EXAMPLE_INSTANCE=str(tmp_path / "other"))
    assert set(found) == {"database-differs"}


def test_check_with_a_key_per_process_finds_it() -> None:
    """One worker rejects the tokens of another."""
    with Forge("gunicorn", "tests.proxies.forgetful") as forge:
        assert "secret-key-per-process" in check(forge, forge.url)


def test_check_without_a_proxy_for_files_finds_it() -> None:
    """The registry leaves the files to a missing proxy."""
    with Forge("gunicorn", OCI_ACCEL_REDIRECT="/_blobs") as forge:
        assert set(check(forge, forge.url)) == {"accel-unhandled"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_check_deletes_what_it_pushed(
    direct: Forge, number: signal.Signals
) -> None:
    """Both signals are handled."""
    command = ("oci", "check", "--url", direct.url, "--user", "alice")
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", direct.application, *command],
        cwd=ROOT,
        env=environment(direct.instance, direct.settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell may start background jobs with interrupts ignored.
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
