"""Functions of the host: calls that refuse coroutines and ambiguous answers.

A coroutine function would return a coroutine, which is true whatever the function
decides. So the registry refuses to register one, and an awaitable that a function
returns is an error.
"""

from __future__ import annotations

import inspect
import logging
import typing as t
from collections.abc import Callable
from functools import wraps

from werkzeug.local import LocalProxy

P = t.ParamSpec("P")
R = t.TypeVar("R")
T = t.TypeVar("T")

logger = logging.getLogger("flask_oci.hooks")


def synchronous(function: Callable[P, R]) -> Callable[P, R]:
    """Return a hook that never returns an awaitable.

    The hook raises :exc:`TypeError` if the function returns an awaitable anyway, which
    a decorator of the host can hide.

    :param function: the function of the host.
    :raises TypeError: if it is a coroutine function or an asynchronous generator
        function.
    """
    check_synchronous(function)

    @wraps(function)
    def hook(*args: P.args, **kwargs: P.kwargs) -> R:
        result = unwrapped(function(*args, **kwargs))
        refuse_awaitable(result, name_of(function))
        return result

    return hook


def predicate(function: Callable[P, bool]) -> Callable[P, bool]:
    """Return a hook that turns every result except True into False.

    It logs a warning if the result is neither a bool nor None, because a host that
    returns a row, for example, means yes.

    :param function: the function of the host.
    :raises TypeError: if :func:`synchronous` does.
    """
    call = synchronous(function)

    @wraps(function)
    def hook(*args: P.args, **kwargs: P.kwargs) -> bool:
        result: object = call(*args, **kwargs)
        if result is not None and not isinstance(result, bool):
            logger.warning(
                "%s returned %s, which is not True, so it counts as no. Return a bool.",
                name_of(function),
                type(result).__name__,
            )
        return result is True

    return hook


def validator_name(function: Callable[..., t.Any]) -> str:
    """Return the name under which the database stores a validator.

    :param function: the validator. Its name is the same in all processes.
    """
    return f"{function.__module__}.{function.__qualname__}"


def check_synchronous(function: Callable[..., t.Any]) -> None:
    """Check that a function is not a coroutine function.

    :param function: a function or another callable object of the host.
    :raises TypeError: if it is a coroutine function, or if its ``__call__`` is one.
    """
    for called in (function, getattr(function, "__call__", None)):  # noqa: B004
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            raise TypeError(
                f"{name_of(function)} is a coroutine function, and the registry calls"
                " its hooks without awaiting them. Make it an ordinary function, or"
                " wrap it in asgiref.sync.async_to_sync."
            )


def unwrapped(result: T) -> T:
    """Return the object behind a proxy such as Flask-Login's ``current_user``.

    A proxy has an ``__await__``, so it looks like an awaitable whatever it stands for.
    """
    if isinstance(result, LocalProxy):
        return t.cast("T", result._get_current_object())
    return result


def refuse_awaitable(result: object, name: str) -> None:
    """Check that the result of a host's function is not an awaitable.

    :param result: the result of the function.
    :param name: the name of the function, for the message.
    :raises TypeError: if it is an awaitable or an asynchronous generator.
    """
    result = unwrapped(result)
    # Most functions return one of these, and the checks below take longer.
    if result is None or isinstance(result, bool):
        return
    if not inspect.isawaitable(result) and not inspect.isasyncgen(result):
        return
    if inspect.iscoroutine(result):
        # Python would warn that the coroutine never ran.
        result.close()
    raise TypeError(
        f"{name} returned an awaitable, and the registry calls the host's functions"
        " without awaiting them. Return the value itself."
    )


def name_of(function: Callable[..., t.Any]) -> str:
    """Return the name of a function for messages."""
    return getattr(function, "__qualname__", None) or repr(function)
