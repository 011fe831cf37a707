"""The section on throughput: its commands and its configuration are those that ship."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.doc_blocks import typed
from tests.support.forge import granian
from tests.support.forge_behind_nginx import CONFIGURATION
from tests.support.paths import ROOT

PAGE = "docs/deployment.rst"

#: The address of the server, by the module of the application.
ADDRESSES = {
    "on_granian": ("--port", "5000"),
    "behind_nginx": ("--uds", "instance/forge.sock"),
}


def _code(text: str) -> list[str]:
    lines = (re.sub(r"#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _documented(section: str) -> list[str]:
    (block,) = (
        b
        for b in ALL_BLOCKS
        if (b.page, b.section) == (PAGE, section) and b.kind == "nginx"
    )
    return _code(block.code)


def test_documented_granian_command_equals_the_tested_one() -> None:
    """The conformance suite runs on it, with another folder."""
    command, _ = typed(PAGE, "Throughput")
    assert shlex.split(command) == _command("behind_nginx")


@pytest.mark.parametrize("module", ADDRESSES)
def test_granian_command_in_the_example_equals_the_tested_one(module: str) -> None:
    """The docstring of the module shows it."""
    text = (ROOT / f"example_app/servers/{module}.py").read_text("utf-8")
    command = text.split('"""')[1].partition("\n\n")[2].replace("\\\n", " ")
    assert shlex.split(command) == _command(module)


def _command(module: str) -> list[str]:
    return granian(f"example_app.servers.{module}", *ADDRESSES[module])


def test_documented_upstream_equals_the_shipped_one() -> None:
    """The page shows a part of the configuration."""
    shipped = "\n".join(_code(CONFIGURATION.read_text("utf-8")))
    assert "\n".join(_documented("nginx in front of Granian")) in shipped


def test_shipped_nginx_locations_have_the_documented_directives() -> None:
    """Its explanations are true for both."""
    shipped = set(_code(CONFIGURATION.read_text("utf-8")))
    of_the_place = ("alias", "listen", "location", "proxy_pass", "server_name", "ssl_")
    documented = _documented("nginx") + _documented("nginx and X-Accel-Redirect")
    directives = {d for d in documented if not d.startswith(of_the_place)}
    assert directives <= shipped
