"""The page about REST: its commands and its table."""

from __future__ import annotations

import argparse
import re
import shlex
import typing as t

import pytest
from flask import Flask

from flask_oci.api.blueprint import OPERATIONS
from flask_oci.testing.requests import basic
from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.doc_blocks import commands
from tests.support.doc_blocks import DOCS
from tests.support.registry_client import RegistryClient

TYPED: t.Final = [
    command
    for block in ALL_BLOCKS
    if block.page == "docs/rest.rst"
    for command in commands(block)
    if command.startswith("curl ")
]


def curl(app: Flask, command: str) -> int:
    """Send the request of a curl command, and return the status of the answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-u")
    parser.add_argument("-X", default="GET")
    parser.add_argument("-H", default="Accept: */*")
    parser.add_argument("-d", default="")
    parser.add_argument("address")
    found = parser.parse_args(shlex.split(command)[1:])
    client = RegistryClient(app, found.u and basic(found.u, "wonderland"))
    response = client.request(
        found.X,
        found.address.removeprefix("https://forge.example.org"),
        found.d.encode() or None,
        headers=dict([found.H.split(": ")]),
    )
    return response.status_code


@pytest.mark.sqlite_only
@pytest.mark.parametrize("command", TYPED)
def test_curl_command_of_rest_page_succeeds(app: Flask, command: str) -> None:
    """Each curl command succeeds in the application of the page."""
    alice = RegistryClient.of(app, "alice")
    alice.push_image("alice/hello", "latest")
    assert 200 <= curl(app, command) < 300


def test_curl_commands_of_rest_page_are_found() -> None:
    """The parameters of the test above are not empty."""
    assert len(TYPED) >= 10
    assert any(" -X PATCH " in command for command in TYPED)


def test_rest_page_describes_every_operation() -> None:
    """The table is generated from the routes, and every view has a description."""
    text = (DOCS / "rest.rst").read_text("utf-8")
    assert re.search(r"^\.\. operations::$", text, re.MULTILINE)
    for operation in OPERATIONS:
        assert operation.view.__doc__, operation.name
