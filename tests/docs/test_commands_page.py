"""The page about the command line has all of it."""

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
    """Go through the commands, and those below them, with what is typed for each."""
    for command in commands:
        path = f"{above} {command.name}".strip()
        yield path, command
        if isinstance(command, click.Group):
            yield from paths(command.commands.values(), path)


EVERY = dict(paths(COMMANDS))


def test_every_command_is_on_the_page_once() -> None:
    """A command that nobody can read about does not exist, and the other way round."""
    text = (DOCS / "commands.rst").read_text("utf-8")
    shown = re.findall(r"^\.\. command:: (.+)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(EVERY)


@pytest.mark.parametrize("path", EVERY)
def test_every_command_explains_itself(path: str) -> None:
    """So does each of its options."""
    command = EVERY[path]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


#: Commands that say in a sentence that they have done what they were told.
DOERS = frozenset(
    {
        *("delete", "visibility", "rename", "transfer", "token revoke"),
        *("token revoke-all", "protect set", "protect unset", "webhooks remove"),
        *("retention set", "retention unset", "quota set", "quota unset"),
    }
)

LISTS = [
    path
    for path, command in EVERY.items()
    if path not in DOERS and not isinstance(command, click.Group)
]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_can_be_had_as_json(path: str) -> None:
    """Nobody has to take a table apart: whatever does not only do something does so."""
    assert "--json" in [o for p in EVERY[path].params for o in p.opts]


def test_what_only_does_something_is_a_command() -> None:
    """An exception that nothing needs is none, and no list is among them."""
    assert {*EVERY} > DOERS
    assert not [path for path in DOERS if path.endswith(("list", "show", "dead"))]
