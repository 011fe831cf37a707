"""The commands and blocks of the documentation: each is valid and tested."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import typing as t
from pathlib import Path

import click
import pytest
from flask import Blueprint

from flask_oci.cli import register_commands
from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.doc_blocks import Block
from tests.support.doc_blocks import commands
from tests.support.doc_blocks import DOCS
from tests.support.paths import ROOT

#: The kinds of blocks, and the file that checks each.
KINDS = {
    "apache": "tests/proxies/servers.py",
    "console": "tests/docs/test_commands.py",
    "css": "tests/docs/test_commands.py",
    "ini": "tests/docs/test_commands.py",
    "jinja": "tests/web/test_pages.py",
    "json": "tests/docs/test_commands.py",
    "nginx": "tests/proxies/servers.py",
    "python": "tests/docs/test_snippets.py",
    "text": "tests/docs/test_commands.py",
    "yaml": "tests/proxies/servers.py",
}

#: Text blocks without commands, by page and section, and the test file that checks
#: each.
SHOWN = {
    ("docs/authentication.rst", "The token endpoint"): "v2/test_token_service.py",
    ("docs/deployment.rst", "Caddy"): "proxies/servers.py",
    ("docs/monitoring.rst", "Logs"): "docs/test_monitoring.py",
    ("docs/errors.rst", "Errors"): "v2/test_refused_manifests.py",
    ("docs/protected-tags.rst", "Refused requests"): "rules/test_protected_tags.py",
    ("docs/quotas.rst", "Refused pushes"): "rules/test_quotas.py",
    ("docs/storage.rst", "Blobs"): "storage/test_files_on_disk.py",
    ("docs/storage.rst", "Object storage"): "storage/test_push_to_bucket.py",
    ("docs/testing.rst", "Refused requests"): "packaging/test_testing_kit.py",
    ("docs/upstreams.rst", "Mirrors"): "upstreams/test_mirrors.py",
}

#: The programs in commands, and a file that runs each in the same way.
PROGRAMS = {
    ".ci/install": ".ci/run",
    ".venv/bin/flask": "tests/support/forge.py",
    ".venv/bin/pip": ".ci/run",
    ".venv/bin/pre-commit": "pyproject.toml",
    ".venv/bin/tox": ".ci/run",
    ".": "tests/docs/test_scaling_page.py",
    # The check accepts a bucket with the rules that the command sets.
    "aws": "tests/storage/unreliable/test_faulty_stores.py",
    "chmod": "tests/docs/test_scaling_page.py",
    "cosign": "tests/clients/test_cosign.py",
    "cp": "tests/storage/test_backup.py",
    "curl": "tests/v2/test_over_http.py",
    "docker": "tests/clients/test_docker.py",
    "echo": "tests/docs/test_authentication.py",
    "export": "tests/operations/test_metrics.py",
    "flask": "tests/docs/test_commands.py",
    "git": "tests/docs/test_docs.py",
    "go": "benchmarks/",
    "granian": "tests/support/forge.py",
    "grep": "tests/docs/test_runbook.py",
    "gunicorn": "tests/support/forge.py",
    "kill": "tests/docs/test_scaling_page.py",
    "mkdir": "tests/clients/test_docker.py",
    "jq": "tests/v2/test_catalog.py",
    "nginx": "tests/support/forge_behind_nginx.py",
    "pip": ".ci/run",
    "pybabel": "tests/web/test_translation.py",
    "pytest": "tox.ini",
    "python": "benchmarks/__main__.py",
    "python3": ".ci/run",
    "rsync": "tests/storage/test_backup.py",
    "oras": "tests/clients/test_oras.py",
    "skopeo": "tests/clients/test_skopeo.py",
    "apt": ".ci/install",
    "createdb": "tests/support/database_servers.py",
    "createuser": "tests/support/database_servers.py",
    "versitygw": "tests/support/object_stores.py",
    "set": "tests/docs/test_scaling_page.py",
    "touch": "tests/docs/test_scaling_page.py",
    "sort": "tests/v2/test_catalog.py",
    "sqlite3": "tests/storage/test_backup.py",
    "tox": "tox.ini",
    "waitress-serve": "tests/support/forge.py",
}

#: The commands of ``flask`` that do not belong to the registry.
OF_THE_HOST = {"add-user", "db", "run"}

TYPED = [(block, command) for block in ALL_BLOCKS for command in commands(block)]


@pytest.fixture(name="oci", scope="module")
def _oci() -> click.Group:
    """The commands below ``flask oci``."""
    blueprint = Blueprint("oci", __name__)
    register_commands(blueprint)
    return blueprint.cli


def pieces(command: str) -> t.Iterator[list[str]]:
    """Yield the words of each program in a command line."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&")
    lexer.whitespace_split = True
    for between, group in itertools.groupby(lexer, lambda word: word in ("|", "&&")):
        words = list(group)
        while re.match(r"\w+=|(sudo|systemd-run)$|-", words[0]):
            # The user follows it in an argument of its own.
            del words[: 2 if words[0] == "-u" else 1]
        words[0] = words[0].removeprefix("venv/bin/")
        if not between:
            yield words


@pytest.mark.parametrize("block", ALL_BLOCKS, ids=lambda b: f"{b.page}:{b.line}")
def test_block_has_a_tested_kind(block: Block) -> None:
    """Every block has a test that fails if the block is wrong."""
    assert (ROOT / KINDS[block.kind]).exists()
    if block.kind == "text" and not [*commands(block)]:
        place = (block.page, block.section)
        assert place in SHOWN, "add it to SHOWN, with the test that checks it"
        assert (ROOT / "tests" / SHOWN[place]).exists()


@pytest.mark.parametrize(
    ("block", "command"), TYPED, ids=[f"{b.page}:{b.line}" for b, _ in TYPED]
)
def test_command_in_documentation_is_valid(
    block: Block, command: str, oci: click.Group
) -> None:
    """A test runs each program, and each ``flask oci`` command has valid options."""
    for program, *arguments in pieces(command):
        assert program in PROGRAMS, "add it to PROGRAMS, with a test that runs it"
        assert (ROOT / PROGRAMS[program]).exists()
        if program.endswith("flask"):
            check_flask(arguments, oci)


def check_flask(arguments: list[str], oci: click.Group) -> None:
    """Check that ``flask`` accepts a command."""
    if arguments[0] == "--app":
        del arguments[:2]
    name = arguments.pop(0)
    if name != "oci":
        assert name in OF_THE_HOST
        return
    command: click.Command = oci
    while isinstance(command, click.Group):
        command = command.commands[arguments.pop(0)]
    command.make_context(command.name, arguments)


def test_check_flask_with_invalid_command_fails(oci: click.Group) -> None:
    """An unknown option, argument or command raises an error."""
    for words in (["oci", "gc", "--dryrun"], ["oci", "token", "revoke"]):
        with pytest.raises(click.UsageError):
            check_flask(words, oci)
    with pytest.raises(KeyError):
        check_flask(["oci", "collect"], oci)


def test_stylesheet_properties_equal_those_on_the_page() -> None:
    """The page lists exactly the properties that the stylesheet uses."""
    style = (ROOT / "flask_oci/web/static/style.css").read_text("utf-8")
    page = (DOCS / "pages.rst").read_text("utf-8")
    used = set(re.findall(r"var\((--oci-[\w-]+)", style))
    assert used == set(re.findall(r"--oci-[\w-]+", page))


def of_kind(kind: str) -> list[t.Any]:
    """Return the blocks of a kind as parameters."""
    found = [block for block in ALL_BLOCKS if block.kind == kind]
    return [pytest.param(block, id=f"{block.page}:{block.line}") for block in found]


@pytest.mark.parametrize("block", of_kind("json"))
def test_json_block_is_valid(block: Block) -> None:
    """Each JSON block can be parsed."""
    assert json.loads(block.code)


@pytest.mark.parametrize("block", of_kind("ini"))
def test_systemd_unit_has_valid_commands(block: Block, oci: click.Group) -> None:
    """Its commands are valid, and find the application and its settings."""
    commands = re.findall(r"^ExecStart=(.*)$", block.code, re.MULTILINE)
    assert bool(commands) == ("[Timer]" not in block.code)
    if commands:
        assert "WorkingDirectory=" in block.code
        assert "EnvironmentFile=" in block.code
    for command in commands:
        program, *arguments = shlex.split(command)
        if program.endswith("/bin/gunicorn"):
            # tests/proxies/test_documented.py starts it.
            assert arguments == ["--config", "gunicorn.conf.py", "forge:create_app()"]
        else:
            assert program.endswith("/bin/flask")
            check_flask(arguments, oci)


@pytest.mark.parametrize("block", of_kind("nginx"))
def test_nginx_configuration_is_complete(block: Block) -> None:
    """Every directive and every block is closed."""
    code = re.sub(r"#.*", "", block.code)
    assert code.count("{") == code.count("}")
    for line in filter(None, map(str.strip, code.splitlines())):
        assert line[-1] in "{};", line


def test_blocks_include_every_folder() -> None:
    """The blocks come from all folders with pages."""
    names = {Path(block.page).name for block in ALL_BLOCKS}
    assert {"runbook.rst", "quickstart.rst", "README.md"} <= names
