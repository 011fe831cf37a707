"""Accounts: how tokens identify the host's users, and which of them are active."""

from __future__ import annotations

import inspect
import logging
import typing as t
from functools import lru_cache

from werkzeug.exceptions import NotFound

from ..catalog import NO_SUCH_USER
from ..events.warn_once import advise
from ..host_functions import name_of
from ..host_functions import refuse_awaitable
from ..host_functions import unwrapped
from . import flask_login
from .account_status import AccountStatus
from .account_status import Active

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Users
    from ..catalog.cached_users import CachedUsers
    from ..hooks import Hooks

logger = logging.getLogger("flask_oci.accounts")

#: The warning in the log if the host's loader cannot be called.
LOADER_SKIPPED: t.Final = (
    "The user_loader of Flask-Login, %s, does not take exactly one argument, so the"
    " registry loads users by primary key. Register a function with"
    " @registry.user_loader."
)


class Accounts:
    """Loads the host's users by the identifiers that tokens contain.

    An identifier is ``user.get_id()`` if a function of the host loads the user, because
    such a function is the opposite of ``get_id``. Otherwise it is the primary key.

    :param users: the host's users.
    :param cached_users: loads users that depend on the database alone.
    :param hooks: the host's functions, among them its loader.
    :param active: the parameter of the registry: see :class:`AccountStatus`.
    """

    def __init__(
        self, users: Users, cached_users: CachedUsers, hooks: Hooks, active: Active
    ) -> None:
        self.status = AccountStatus(users, active)
        self._users = users
        self._cached_users = cached_users
        self._hooks = hooks
        self.cache_policy: Callable[[], bool | str] = lambda: False
        """Returns the setting ``OCI_CACHE_POLICY``, which applies to the host's
        loader."""

    def is_active(self, user: t.Any) -> bool:
        """Return True if the host lets this user do anything."""
        return self.status.is_active(user)

    def subject_of(self, user: t.Any) -> str:
        """Return the identifier from which :meth:`load` loads a user."""
        if self.loader() is not None and hasattr(user, "get_id"):
            return str(user.get_id())
        return str(self._users.key_of(user))

    def load(self, subject: str) -> t.Any:
        """Return the user with an identifier, or None.

        :raises TypeError: if the function of the host returns an awaitable.
        """
        # The registry's own loader reads the database with one SELECT.
        policy: bool | str = "statements"
        if self.loader() is None:
            self._warn_if_skipped()
        else:
            policy = self.cache_policy()
        if not policy:
            return self._load(subject)
        return self._cached_users.load(
            subject, self._load, is_traced=policy == "statements"
        )

    def _load(self, subject: str) -> t.Any:
        load = self.loader()
        if load is None:
            return self._users.find(subject)
        try:
            user = load(subject)
        except (*NO_SUCH_USER, NotFound) as error:
            # The user was deleted, or the token has an identifier of another form,
            # because the application has changed its get_id.
            name = type(error).__name__
            logger.info("%s raised %s, so the token is refused.", name_of(load), name)
            return None
        user = unwrapped(user)
        refuse_awaitable(user, name_of(load))
        return user or None

    def loader(self) -> Callable[[str], t.Any] | None:
        """Return the host's function that loads users, or None if there is none."""
        if self._hooks.user_loader is not None:
            return self._hooks.user_loader
        load = flask_login.user_loader()
        return load if load is not None and _takes_one_argument(load) else None

    def skipped_loader(self) -> str | None:
        """Return the name of Flask-Login's loader if the registry cannot call it, or
        None."""
        load = flask_login.user_loader()
        if self._hooks.user_loader is not None or load is None:
            return None
        return None if _takes_one_argument(load) else name_of(unwrapped(load))

    def _warn_if_skipped(self) -> None:
        skipped = self.skipped_loader()
        if skipped is not None:
            advise(LOADER_SKIPPED, skipped)


@lru_cache(maxsize=16)
def _takes_one_argument(function: Callable[..., t.Any]) -> bool:
    """Return True if a function can be called with one positional argument.

    The signature of a decorated function is that of its wrapper, which is what is
    called.
    """
    try:
        signature = inspect.signature(unwrapped(function), follow_wrapped=False)
    except ValueError:
        # Some functions in C have no signature.
        return True
    try:
        signature.bind("")
    except TypeError:
        return False
    return True
