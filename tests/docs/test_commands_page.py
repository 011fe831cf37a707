"""The page about the command line lists every command."""

from __future__ import annotations

import re
import typing as t

import click
import pytest

from flask_oci.cli import COMMANDS
from tests.support.doc_blocks import DOCS


def paths(
    commands: t.Iterable[click.Command], above: str = ""
) -> t.Iterator[tuple[str, click.Command]]:
    """Yield each command and subcommand with its words."""
    for command in commands:
        path = f"{above} {command.name}".strip()
        yield path, command
        if isinstance(command, click.Group):
            yield from paths(command.commands.values(), path)


EVERY = dict(paths(COMMANDS))


def test_commands_page_lists_each_command_once() -> None:
    """The page lists exactly the existing commands."""
    text = (DOCS / "commands.rst").read_text("utf-8")
    shown = re.findall(r"^\.\. command:: (.+)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(EVERY)


@pytest.mark.parametrize("path", EVERY)
def test_command_and_options_have_help(path: str) -> None:
    """Each command and each of its options has a help text."""
    command = EVERY[path]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


#: Commands that change something and print one sentence, and so need no ``--json``.
DOERS = frozenset(
    {
        *("delete", "restore", "describe", "visibility", "rename", "transfer"),
        *("token revoke", "token revoke-all", "protect set", "protect unset"),
        *("default-visibility set", "default-visibility unset"),
        *("retention set", "retention unset", "quota set", "quota unset"),
        *("webhooks edit", "webhooks disable", "webhooks enable", "webhooks remove"),
        *("robot disable", "robot enable", "robot delete"),
        *("block add", "block remove", "storage adopt"),
        *("publisher add", "publisher remove"),
        *("trust add", "trust remove", "trust verify", "policy set", "policy unset"),
        *("upstream check", "upstream warm", "upstream purge"),
    }
)

LISTS = [
    path
    for path, command in EVERY.items()
    if path not in DOERS and not isinstance(command, click.Group)
]


@pytest.mark.parametrize("path", LISTS)
def test_command_with_output_has_json_option(path: str) -> None:
    """No program has to parse a table."""
    assert "--json" in [o for p in EVERY[path].params for o in p.opts]


def test_doers_are_existing_commands_and_no_lists() -> None:
    """DOERS names existing commands only, and no list."""
    assert {*EVERY} > DOERS
    assert not [path for path in DOERS if path.endswith(("list", "show", "dead"))]
