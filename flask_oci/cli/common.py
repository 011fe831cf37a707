"""Parts shared by several commands: errors, users and robots."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager

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
    from ..catalog import Robot

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


def robot_named(login: str) -> Robot:
    """Return the robot of that login name, or end the command with an error."""
    robot = services().robots.find(login)
    if robot is None:
        raise click.ClickException(
            f"There is no robot {login}. 'flask oci robot list' shows all."
        )
    return robot


def printable(text: str) -> str:
    """Replace the characters that a terminal may interpret as commands.

    Users, archives and other registries can choose the text.
    """
    return "".join(character if character.isprintable() else "?" for character in text)
