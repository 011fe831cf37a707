"""The extension: what a host imports and calls."""

from __future__ import annotations

import os
import typing as t

from .auth import Authenticator
from .blueprint import make_blueprint
from .catalog import Catalog
from .config import Config
from .hooks import Hooks
from .models import Models
from .policy import Policy
from .services import EXTENSION
from .services import Services
from .storage import LocalStorage
from .tokens import Tokens

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from flask import Flask
    from flask.blueprints import BlueprintSetupState
    from flask.sansio.app import App
    from flask_sqlalchemy import SQLAlchemy

    from .hooks import Authenticate
    from .hooks import Authorize

    AuthenticateT = t.TypeVar("AuthenticateT", bound=Authenticate)
    AuthorizeT = t.TypeVar("AuthorizeT", bound=Authorize)


class Registry:
    """A container registry inside a Flask application.

    .. code-block:: python

        registry = Registry(db, User)

        @registry.authenticate
        def check(username, secret):
            user = db.session.scalar(db.select(User).filter_by(username=username))
            return user if user and user.check_password(secret) else None

        app.register_blueprint(registry.blueprint)

    :param db: the host's Flask-SQLAlchemy extension.
    :param user_model: the host's users. The registry's tables are made beside
        theirs, in the same metadata, so ``db.create_all()`` and ``flask db
        migrate`` see them.
    :param username: the attribute of a user that names their namespace, the
        first component of their repositories' names.
    :raises TypeError: when ``user_model`` is no mapped class, or has no such
        attribute.
    """

    def __init__(
        self, db: SQLAlchemy, user_model: type[t.Any], *, username: str = "username"
    ) -> None:
        self.models = Models.bind(user_model)
        """The registry's tables, for queries and admin pages of the host's."""

        self._catalog = Catalog(db.session, self.models, username)
        self._hooks = Hooks()
        self.blueprint = make_blueprint(self._register)
        """The blueprint that serves ``/v2``; register it without a prefix."""

    def init_app(self, app: Flask) -> None:
        """Add the registry to an application.

        The same as ``app.register_blueprint(registry.blueprint)``.

        :param app: configured, for the ``OCI_*`` keys are read now.
        """
        app.register_blueprint(self.blueprint)

    def authenticate(self, function: AuthenticateT) -> AuthenticateT:
        """Decorate the function that checks what is typed at ``docker login``.

        It is given a user name and a secret, and returns the user, or None. It
        should take as long for users who do not exist as for those who do.
        """
        self._hooks.authenticate = function
        return function

    def authorize(self, function: AuthorizeT) -> AuthorizeT:
        """Decorate the function that decides who may do what.

        It is given a user, or None for somebody unknown, one of ``pull``, ``push``
        and ``delete``, and a :class:`~flask_oci.RepositoryInfo`, and returns
        whether they may. It is asked on every request. Without it, users own the
        repositories of their namespace, and others may pull the public ones.
        """
        self._hooks.authorize = function
        return function

    def _register(self, state: BlueprintSetupState) -> None:
        app = state.app
        if EXTENSION in app.extensions:
            raise RuntimeError(
                "A registry has already been registered on this application; an"
                " application has one /v2."
            )
        config = Config.read(
            app.config,
            storage_path=os.path.join(app.instance_path, "oci"),
            service=app.name,
        )
        tokens = Tokens(_signing_keys(app), config.service, config.token_lifetime)
        users = self._catalog.users
        app.extensions[EXTENSION] = Services(
            config=config,
            catalog=self._catalog,
            storage=LocalStorage(config.storage_path),
            tokens=tokens,
            authenticator=Authenticator(config, self._hooks, tokens, users),
            policy=Policy(self._hooks, users),
        )


def _signing_keys(app: App) -> Callable[[], Sequence[str]]:
    def keys() -> Sequence[str]:
        if not app.secret_key:
            raise RuntimeError(
                "The registry signs its tokens with the application's secret key,"
                " and there is none. Set SECRET_KEY."
            )
        # Keys that sign no more may still have signed what is being read; the
        # present one is last, where itsdangerous looks for it.
        keys = [*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.secret_key]
        return t.cast("list[str]", keys)

    return keys
