"""The directive ``command``: the output of ``flask oci ... --help``."""

from __future__ import annotations

import typing as t

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from flask_oci.cli import COMMANDS

#: The number of characters in a line of the page.
WIDTH = 78


class CommandHelp(SphinxDirective):
    """The help of the command with this name after ``flask oci``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the help as a block of text."""
        context = click.Context(
            click.Group(commands=list(COMMANDS)),
            info_name="flask oci",
            terminal_width=WIDTH,
        )
        for name in self.arguments[0].split():
            command = t.cast(click.Group, context.command).get_command(context, name)
            if command is None:
                raise self.error(f"There is no command {self.arguments[0]}.")
            context = click.Context(command, parent=context, info_name=name)
        text = context.get_help()
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("command", CommandHelp)
    return {"parallel_read_safe": True}
