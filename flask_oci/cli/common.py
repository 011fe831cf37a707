"""What several commands do alike."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from functools import wraps

import click

from ..catalog import FAILURES
from ..catalog import REFUSED
from ..errors import RegistryError
from ..errors import Unavailable
from ..services import services

CommandT = t.TypeVar("CommandT", bound=t.Callable[..., t.Any])


class Failed(click.ClickException):
    """The disk or the database did not do what a command needs."""

    exit_code = 2


@contextmanager
def told() -> Iterator[None]:
    """Turn what cannot be done into a message and an exit status."""
    try:
        yield
    except Unavailable as error:
        raise Failed(f"{error.message} ({error.__cause__})") from error
    except (*FAILURES, REFUSED) as error:
        outdated = services().catalog.schema.explain(error)
        if outdated is not None:
            raise Failed(outdated.remedy) from error
        raise Failed(f"The database does not answer. {error}") from error
    # What an archive, or another registry, has in it may be in the message.
    except RegistryError as error:
        raise click.ClickException(printable(error.message)) from error
    except ValueError as error:
        raise click.ClickException(printable(str(error))) from error


def user_named(username: str) -> t.Any:
    """Return the host's user of that name, or end the command."""
    user = services().catalog.users.by_name(username)
    if user is None:
        raise click.ClickException(f"There is no user {username}.")
    return user


def user_or_none(username: str | None) -> t.Any:
    """Return the host's user of that name, None where none is named, or end the
    command."""
    return None if username is None else user_named(username)


def for_whom(command: CommandT) -> CommandT:
    """Give a command the options that say for what a rule is."""
    for option in (
        click.option("--owner", metavar="USERNAME", help="For all of a user's."),
        click.option("--repository", metavar="NAME", help="For one repository."),
    ):
        command = option(command)

    @wraps(command)
    def checked(*args: t.Any, **kwargs: t.Any) -> t.Any:
        if (kwargs["repository"] is None) == (kwargs["owner"] is None):
            raise click.UsageError("Give either --repository or --owner.")
        return command(*args, **kwargs)

    return t.cast("CommandT", checked)


def place_of(fields: Mapping[str, t.Any]) -> str:
    """Return what a rule is for."""
    if fields["owner"] is not None:
        return f"everything of {fields['owner']}"
    return fields["repository"] or "everywhere"


def printable(text: str) -> str:
    """Return a text without what a terminal takes for a command.

    The person who reads it is not the one who wrote it.
    """
    return "".join(character if character.isprintable() else "?" for character in text)
