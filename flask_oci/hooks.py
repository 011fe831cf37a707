"""Hooks: the functions that a host gives to its registry.

A hook is an ordinary function. A coroutine function would return a coroutine, which is
true whatever it would have decided, so its registration is refused, and an awaitable
that a hook returns is an error. A hook that answers a question allows something only by
returning True itself.
"""

from __future__ import annotations

import inspect
import logging
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from functools import wraps

if t.TYPE_CHECKING:
    from .catalog import Condition
    from .catalog import RepositoryInfo
    from .spec.scope import Action

    IsAdmin = Callable[[t.Any], bool]
    Authenticate = Callable[[str, str], t.Any]
    Authorize = Callable[[t.Any, Action, RepositoryInfo], bool]
    BeforeLogin = Callable[[str, str], None]
    ListFilter = Callable[[t.Any], Condition | None]
    Validator = Callable[[str], bool]
    VisibilityOf = Callable[[RepositoryInfo], str | None]
    CurrentUserLoader = Callable[[], t.Any]
    RetentionExempt = Callable[[RepositoryInfo, str, str], bool]

    IsAdminT = t.TypeVar("IsAdminT", bound=IsAdmin)
    AuthenticateT = t.TypeVar("AuthenticateT", bound=Authenticate)
    AuthorizeT = t.TypeVar("AuthorizeT", bound=Authorize)
    BeforeLoginT = t.TypeVar("BeforeLoginT", bound=BeforeLogin)
    ListFilterT = t.TypeVar("ListFilterT", bound=ListFilter)
    RetentionExemptT = t.TypeVar("RetentionExemptT", bound=RetentionExempt)
    ValidatorT = t.TypeVar("ValidatorT", bound=Validator)
    VisibilityOfT = t.TypeVar("VisibilityOfT", bound=VisibilityOf)
    CurrentUserLoaderT = t.TypeVar("CurrentUserLoaderT", bound=CurrentUserLoader)

P = t.ParamSpec("P")
R = t.TypeVar("R")

logger = logging.getLogger("flask_oci.hooks")


@dataclass
class Hooks:
    """The functions that a host has given; each is called at the time of use."""

    is_admin: IsAdmin | None = None
    authenticate: Authenticate | None = None
    authorize: Authorize | None = None
    before_login: BeforeLogin | None = None
    list_filter: ListFilter | None = None
    visibility_of: VisibilityOf | None = None
    current_user_loader: CurrentUserLoader | None = None
    retention_exempt: RetentionExempt | None = None
    validators: dict[str, Validator] = field(default_factory=dict)


class Decorators:
    """The decorators of a :class:`~flask_oci.Registry`.

    A hook is an ordinary function: each decorator raises :exc:`TypeError` if it gets a
    coroutine function.
    """

    _hooks: Hooks

    def authenticate(self, function: AuthenticateT) -> AuthenticateT:
        """Decorate the function that checks what is typed at ``docker login``.

        It is given a user name and a secret, and returns the user, or None. It
        should take as long for users who do not exist as for those who do.
        """
        self._hooks.authenticate = synchronous(function)
        return function

    def before_login(self, function: BeforeLoginT) -> BeforeLoginT:
        """Decorate a function that is called before a password or an access token is
        checked, in the place of the built-in limit.

        It is given the user name and the address, and may raise an HTTP error,
        such as Flask-Limiter's 429.
        """
        self._hooks.before_login = synchronous(function)
        return function

    def authorize(self, function: AuthorizeT) -> AuthorizeT:
        """Decorate the function that decides who may do what.

        It is given a user, or None for somebody unknown, one of ``pull``, ``push``,
        ``delete`` and ``manage``, and a :class:`~flask_oci.RepositoryInfo`, and returns
        whether they may. It is asked on every request. Without it, users own the
        repositories of their namespace, and others may pull the public ones.
        """
        self._hooks.authorize = predicate(function)
        return function

    def visibility_of(self, function: VisibilityOfT) -> VisibilityOfT:
        """Decorate a function that knows who may see a repository better than we do.

        It is given a :class:`~flask_oci.RepositoryInfo` and returns ``private``,
        ``internal`` or ``public``, or None where what is recorded is right.
        """
        self._hooks.visibility_of = synchronous(function)
        return function

    def list_filter(self, function: ListFilterT) -> ListFilterT:
        """Decorate a function that says in SQL what a user may pull.

        It is given a user, or None, and returns a condition on
        ``registry.models.Repository``. With it, a list of repositories costs one
        statement. What it lets through is listed, so it has to be what ``authorize``
        lets somebody pull. For users whose rights are no condition, it may return
        None: each repository is asked about then.
        """
        self._hooks.list_filter = synchronous(function)
        return function

    def token_validator(self, function: ValidatorT) -> ValidatorT:
        """Decorate a function that access tokens can be bound to.

        It is given what :meth:`~flask_oci.access_tokens.AccessTokens.issue` was
        given as ``context``, and returns whether the token is still good. It is
        known by its name, so it keeps its name.
        """
        hook = predicate(function)
        self._hooks.validators[validator_name(function)] = hook
        return function

    def current_user_loader(self, function: CurrentUserLoaderT) -> CurrentUserLoaderT:
        """Decorate a function that knows who looks at a page.

        It is given nothing and returns one of your users, or None. Without it, the
        pages ask Flask-Login.
        """
        self._hooks.current_user_loader = synchronous(function)
        return function

    def is_admin(self, function: IsAdminT) -> IsAdminT:
        """Decorate a function that knows who runs the site.

        It is given a user and returns whether they may see the pages about
        everybody's repositories. Without it, nobody may.
        """
        self._hooks.is_admin = predicate(function)
        return function

    def retention_exempt(self, function: RetentionExemptT) -> RetentionExemptT:
        """Decorate a function that knows which tags no rule of retention may delete,
        such as those that a release of the host's names.

        It is given a :class:`~flask_oci.RepositoryInfo`, a tag and the digest that it
        points at, for each tag that is about to go, in the transaction that would
        delete it; and returns whether it stays.
        """
        self._hooks.retention_exempt = synchronous(function)
        return function


def synchronous(function: Callable[P, R]) -> Callable[P, R]:
    """Return a hook that never returns an awaitable.

    :param function: as the host decorated it.
    :raises TypeError: if it is a coroutine function, or an asynchronous generator
        function; and when it is called, if it returns an awaitable all the same, which
        a decorator of the host's can hide.
    """
    check_synchronous(function)

    @wraps(function)
    def hook(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        refuse_awaitable(result, name_of(function))
        return result

    return hook


def predicate(function: Callable[P, bool]) -> Callable[P, bool]:
    """Return a hook that allows something by True alone: anything else is False.

    A value that is neither a bool nor None is False with a warning in the log, because
    a host that returns a row, say, means yes.

    :param function: as the host decorated it.
    :raises TypeError: as :func:`synchronous` does.
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
    """Return the name by which an access token finds its validator again, in other
    processes as well."""
    return f"{function.__module__}.{function.__qualname__}"


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
