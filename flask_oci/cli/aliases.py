"""Other names of commands, from shells and from Docker."""

from __future__ import annotations

import copy
import typing as t

import click

#: The names of the commands of ``flask oci``, by alias.
ALIASES: t.Final = {"inspect": "show", "ls": "repositories", "rm": "delete"}

#: The names of the commands of groups, by alias. A group has one of each line.
GROUP_ALIASES: t.Final = {
    "inspect": ("show",),
    "ls": ("list",),
    "rm": ("remove", "revoke", "unset", "delete"),
}


class Group(click.Group):
    """A group whose commands have aliases."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name or alias."""
        for name in (cmd_name, *GROUP_ALIASES.get(cmd_name, ())):
            if name in self.commands:
                return self.commands[name]
        return None


def hidden_copy(command: click.Command, alias: str) -> click.Command:
    """Return a command under another name, which lists of commands do not contain."""
    other = copy.copy(command)
    other.name = alias
    other.hidden = True
    return other
