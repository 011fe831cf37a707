"""Random requests to every route: each gets an answer that is not a server error."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from tests.support.database_servers import SERVERS
from tests.support.fuzzer import Fuzzer
from tests.support.fuzzer import NAME
from tests.support.paths import ROOT
from tests.support.raw_http import ask
from tests.support.raw_http import chunk
from tests.support.registry_client import RegistryClient
from tests.support.served import serving
from tests.support.visitor import Visitor

pytestmark = pytest.mark.real

#: The number of requests for each seed. It bounds the time to about a minute.
REQUESTS = 1500
SEEDS = range(4)


def faults(app: Flask, seed: int) -> t.Iterator[str]:
    """Send random requests as alice, and describe those that end in a server error."""
    RegistryClient.of(app, "alice").push_image(NAME, "latest")
    visitor = Visitor(app, "alice")
    token = visitor.token("/images/-/tokens")
    fuzzer = Fuzzer(app, seed, token)
    for number in range(REQUESTS):
        request = fuzzer.request()
        label = f"request {number} of seed {seed}: {request}"
        try:
            response = visitor.client.open(**request)
        # In tests, the application raises the errors that a server answers with 500.
        except Exception as error:
            yield f"{label}\n{type(error).__name__}: {error}"
            continue
        with response:
            # 501 is the answer to a body that the server does not pass on.
            if response.status_code >= 500 and response.status_code != 501:
                yield f"{label}\n{response.status}"


@pytest.mark.parametrize("seed", SEEDS)
def test_random_requests_end_in_no_server_error(app: Flask, seed: int) -> None:
    """Names, parameters, headers, forms, JSON and broken bodies of any kind."""
    found = list(faults(app, seed))
    assert found == [], f"{len(found)} faults:\n\n" + "\n\n".join(found[:5])


@pytest.mark.parametrize("server", SERVERS)
def test_random_requests_on_database_server_end_in_no_server_error(
    server: str, tmp_path: Path
) -> None:
    """Databases differ in the text that they refuse."""
    with SERVERS[server](durable=False) as url:
        done = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pytest",
                    "--quiet",
                    f"--basetemp={tmp_path}/t",
                ),
                f"{__file__}::{test_random_requests_end_in_no_server_error.__name__}",
            ],
            cwd=ROOT,
            env=os.environ | {"TEST_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr


#: Bodies that break off or are malformed, and the header that announces them.
BROKEN: t.Final = (
    ("Transfer-Encoding: chunked", chunk(b"grant_type=") + b"9\r\npass"),
    ("Transfer-Encoding: chunked", b"zz\r\n"),
    ("Transfer-Encoding: chunked", b""),
    ("Content-Length: 30", b"grant_type="),
)


@pytest.mark.parametrize("name", ["gunicorn", "werkzeug"])
@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "application/json"]
)
def test_broken_bodies_on_a_server_end_in_no_server_error(
    app: Flask, tmp_path: Path, name: str, content_type: str
) -> None:
    """Each server has its own exceptions for a body that it cannot read."""
    found = []
    adapter = app.url_map.bind("localhost")
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(name, folder) as server:
        for rule in app.url_map.iter_rules():
            methods = (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
            values = {name: NAME if name == "name" else "x" for name in rule.arguments}
            path = adapter.build(rule.endpoint, values)
            for method in sorted(methods):
                for framing, body in BROKEN:
                    lines = (framing, f"Content-Type: {content_type}")
                    answer = ask(server.port, method, path, *lines, body=body, end=True)
                    if answer.status >= 500:
                        found.append((method, path, framing, body, answer.status))
    assert found == []
