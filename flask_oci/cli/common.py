"""Parts shared by several commands: errors, options and output."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from functools import wraps

import click

from ..catalog import FAILURES
from ..catalog import REFUSED
from ..errors import RegistryError
from ..errors import Unavailable
from ..operations.items import reason_of
from ..rules.quota import QuotaExceeded
from ..rules.wording import plural
from ..services import services

if t.TYPE_CHECKING:
    from ..core.rule_book import RuleEntry

CommandT = t.TypeVar("CommandT", bound=t.Callable[..., t.Any])


#: The exit status of a run in which single items failed.
PARTLY_FAILED: t.Final = 3


class Failed(click.ClickException):
    """The disk or the database failed."""

    exit_code = 2


@contextmanager
def error_messages() -> Iterator[None]:
    """Turn exceptions into an error message and an exit status."""
    try:
        yield
    except Unavailable as error:
        raise Failed(reason_of(error)) from error
    except (*FAILURES, REFUSED) as error:
        outdated = services().catalog.schema.explain(error)
        if outdated is not None:
            raise Failed(outdated.remedy) from error
        raise Failed(f"The database does not respond. {error}") from error
    except QuotaExceeded as error:
        raise click.ClickException(printable(error.explained().message)) from error
    # The message may contain text of an archive or of another registry.
    except RegistryError as error:
        raise click.ClickException(printable(error.message)) from error
    except ValueError as error:
        raise click.ClickException(printable(str(error))) from error


def report_failures(failures: Sequence[str]) -> None:
    """Print the items that failed in a run, and end the command with status 3."""
    if not failures:
        return
    for failure in failures:
        click.echo(printable(failure), err=True)
    click.echo(f"{plural(len(failures), 'item')} failed.", err=True)
    raise click.exceptions.Exit(PARTLY_FAILED)


def read_text(file: str, limit: int) -> str:
    """Return the text of a file, or end the command with an error.

    :param file: its path; ``-`` is the standard input.
    :param limit: the maximum number of characters that are read.
    """
    try:
        with click.open_file(file) as opened:
            return str(opened.read(limit))
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"Cannot read {file}: {error}.") from None


def user_named(username: str) -> t.Any:
    """Return the host's user of that name, or end the command with an error."""
    user = services().catalog.users.by_name(username)
    if user is None:
        raise click.ClickException(f"There is no user {username}.")
    return user


def user_or_none(username: str | None) -> t.Any:
    """Return the host's user of that name, or None without a name."""
    return None if username is None else user_named(username)


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
    for option in (
        click.option(
            "--path",
            metavar="PATH",
            help="Apply to a path, such as 'website/*', whichever users own it.",
        ),
        click.option(
            "--owner", metavar="USERNAME", help="Apply to all repositories of a user."
        ),
        click.option("--repository", metavar="NAME", help="Apply to one repository."),
    ):
        command = option(command)

    @wraps(command)
    def checked(*args: t.Any, **kwargs: t.Any) -> t.Any:
        scope = Scope(*(kwargs.pop(name) for name in Scope._fields))
        if sum(value is not None for value in scope) != 1:
            raise click.UsageError("Give either --path, --repository or --owner.")
        return command(*args, scope=scope, **kwargs)

    return t.cast("CommandT", checked)


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


def printable(text: str) -> str:
    """Replace the characters that a terminal may interpret as commands.

    Users, archives and other registries can choose the text.
    """
    return "".join(character if character.isprintable() else "?" for character in text)
