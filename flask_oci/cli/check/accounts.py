"""Checks of the host's users."""

from __future__ import annotations

import typing as t

from .finding import Finding
from .findings import accounts as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .target import Target


def check(target: Target) -> Iterator[Finding]:
    """Check how the registry recognizes active users, and load a user as a request with
    a token does."""
    yield from _status(target)
    with target.app.test_request_context("/v2/"):
        yield from _loader(target)


def _status(target: Target) -> Iterator[Finding]:
    status = target.parts.accounts.status
    if status.source.is_explicit:
        return
    names, unclear = ", ".join(status.source.names), ", ".join(status.unclear_columns)
    if unclear:
        yield findings.STATUS_UNCLEAR.found(f"It does not use {unclear}.")
    if names:
        yield findings.STATUS_GUESSED.found(f"It uses {names}.")
    elif not unclear:
        yield findings.STATUS_UNKNOWN.found(
            "The user model has no is_active of its own, and no column with a"
            " common name."
        )


def _loader(target: Target) -> Iterator[Finding]:
    accounts, users = target.parts.accounts, target.parts.catalog.users
    skipped = accounts.skipped_loader()
    if skipped is not None:
        yield findings.LOADER_SKIPPED.found(f"{skipped} needs other arguments.")
    user = target.user or users.first()
    if user is None:
        return
    name, subject = users.namespace_of(user), accounts.subject_of(user)
    try:
        loaded = accounts.load(subject)
    except Exception as error:
        result = f"it raises {type(error).__name__}: {error}"
    else:
        if loaded is not None and users.key_of(loaded) == users.key_of(user):
            return
        result = "it returns no user" if loaded is None else "it returns another user"
    yield findings.LOADER_FAILS.found(
        f"For the identifier {subject} of the user {name}, {result}."
    )
