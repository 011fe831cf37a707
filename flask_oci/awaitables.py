"""Coroutine functions and awaitables, which the registry refuses from a host.

The registry calls the host's functions without awaiting them. A coroutine that is taken
for an answer is true, whatever it would have decided.
"""

from __future__ import annotations

import inspect
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


def check_synchronous(function: Callable[..., t.Any]) -> None:
    """Refuse a function whose call would only make a coroutine.

    :raises TypeError: if it is one, or an object whose ``__call__`` is one.
    """
    for called in (function, getattr(function, "__call__", None)):  # noqa: B004
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            raise TypeError(
                f"{name_of(function)} is a coroutine function, and the registry calls"
                " its hooks without awaiting them. Make it an ordinary function, or"
                " wrap it in asgiref.sync.async_to_sync."
            )


def refuse_awaitable(result: object, name: str) -> None:
    """Refuse what a host's function returned if it is still to be awaited.

    :param name: of the function, for the message.
    :raises TypeError: if it is an awaitable or an asynchronous iterator.
    """
    if not inspect.isawaitable(result) and not hasattr(result, "__anext__"):
        return
    if inspect.iscoroutine(result):
        # It never runs, and Python need not warn of that as well.
        result.close()
    raise TypeError(
        f"{name} returned an awaitable, and the registry calls the host's functions"
        " without awaiting them. Return the value itself."
    )


def name_of(function: Callable[..., t.Any]) -> str:
    """Return the name of a function, for messages."""
    return getattr(function, "__qualname__", None) or repr(function)
