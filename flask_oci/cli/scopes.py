"""Scopes of rules at the command line: their options and their names."""

from __future__ import annotations

import typing as t
from functools import wraps

import click

from .common import CommandT
from .common import user_or_none

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence

    from ..core.rule_book import RuleEntry

_REPOSITORY: t.Final = click.option(
    "--repository", metavar="NAME", help="Apply to one repository."
)


class Scope(t.NamedTuple):
    """The scope of a rule, as an operator typed it. One of the fields is set."""

    repository: str | None
    path: str | None
    owner: str | None

    @property
    def name(self) -> str:
        """The value that is set."""
        return self.repository or self.path or self.owner or ""

    def arguments(self) -> dict[str, t.Any]:
        """Return the scope as keyword arguments of a rule set."""
        return {**self._asdict(), "owner": user_or_none(self.owner)}


def scope_options(command: CommandT) -> CommandT:
    """Add the options --owner, --path and --repository, and pass the ``scope``."""
    path = click.option(
        "--path",
        metavar="PATH",
        help="Apply to a path, such as 'website/*', whichever users own it.",
    )
    owner = click.option(
        "--owner", metavar="USERNAME", help="Apply to all repositories of a user."
    )
    return _with_scope(
        command,
        (path, owner, _REPOSITORY),
        "Give either --path, --repository or --owner.",
    )


def path_or_repository(command: CommandT) -> CommandT:
    """Add the options --path and --repository, and pass the ``scope``."""
    path = click.option(
        "--path",
        metavar="PATH",
        help="Apply to a path, such as 'website/*', or '*' for all repositories.",
    )
    return _with_scope(
        command, (path, _REPOSITORY), "Give either --path or --repository."
    )


def scope_fields(rule: RuleEntry[t.Any]) -> dict[str, str | None]:
    """Return the scope of a rule for JSON."""
    return {"repository": rule.repository, "owner": rule.owner, "path": rule.path}


def scope_name(fields: Mapping[str, t.Any]) -> str:
    """Return the scope of a rule in words."""
    if fields.get("path") and fields["owner"] is not None:
        return f"{fields['path']} (repositories of {fields['owner']})"
    if fields["owner"] is not None:
        return f"all repositories of {fields['owner']}"
    return fields["repository"] or fields.get("path") or "all repositories"


def _with_scope(
    command: CommandT,
    options: Sequence[Callable[[CommandT], CommandT]],
    usage: str,
) -> CommandT:
    """Add options to a command, and pass their values as one scope.

    :param usage: the error unless one option is given.
    """

    @wraps(command)
    def checked(*args: t.Any, **kwargs: t.Any) -> t.Any:
        scope = Scope(*(kwargs.pop(name, None) for name in Scope._fields))
        if sum(value is not None for value in scope) != 1:
            raise click.UsageError(usage)
        return command(*args, scope=scope, **kwargs)

    found = t.cast("CommandT", checked)
    for option in options:
        found = option(found)
    return found
