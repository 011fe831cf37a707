"""The extension: what a host imports and calls."""

from __future__ import annotations

import os
import typing as t
from functools import cached_property

from flask import Response

from .auth.access_tokens import AccessTokens
from .auth.authenticator import Authenticator
from .auth.policy import default_policy
from .auth.policy import Policy
from .auth.rate_limit import RateLimiter
from .auth.signed_tokens import FormTokens
from .auth.signed_tokens import Tokens
from .catalog import Catalog
from .catalog import Site
from .catalog.models import Models
from .cli import register_commands
from .config import Config
from .config import EXTENSION
from .core.content import Content
from .core.documents import Documents
from .core.pull_counter import Pulls
from .core.repositories import RepositoryManager
from .core.rule_sets import Protections
from .core.rule_sets import Quotas
from .core.rule_sets import Retention
from .core.summaries import Summaries
from .events import Events
from .events.publisher import EventPublisher
from .hooks import Decorators
from .hooks import Hooks
from .operations.gc import GarbageCollector
from .operations.health import Health
from .operations.health import look_at
from .operations.health import MIN_FREE
from .operations.metrics import Metrics
from .operations.retention import RetentionRunner
from .services import Services
from .services import services
from .storage import LocalStorage
from .transfer import Images
from .transfer.local import LocalRegistry
from .v2.blueprint import make_blueprint
from .web import make_web_blueprint

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from flask import Blueprint
    from flask import Flask
    from flask.blueprints import BlueprintSetupState
    from flask.sansio.app import App

    from .catalog import Condition
    from .catalog import HasSession
    from .catalog import RepositoryInfo
    from .operations.gc import GarbageResult
    from .operations.retention import Retained
    from .spec.scope import Action


class Registry(Decorators):
    """A container registry inside a Flask application.

    .. code-block:: python

        registry = Registry(db, User)

        @registry.authenticate
        def check(username, secret):
            user = db.session.scalar(db.select(User).filter_by(username=username))
            return user if user and user.check_password(secret) else None

        app.register_blueprint(registry.blueprint)

    :param db: the host's Flask-SQLAlchemy, or Flask-SQLAlchemy-Lite.
    :param user_model: the host's users. The registry's tables are made beside
        theirs, in the same metadata, so ``db.create_all()`` and ``flask db
        migrate`` see them.
    :param username: the attribute of a user that names their namespace, the
        first component of their repositories' names.
    :raises TypeError: when ``user_model`` is no mapped class, or has no such
        attribute.
    """

    def __init__(
        self, db: HasSession, user_model: type[t.Any], *, username: str = "username"
    ) -> None:
        self.models = Models.bind(user_model)
        """The registry's tables, for queries and admin pages of the host's."""

        self._catalog = Catalog(db, self.models, username)
        self._catalog.observe(
            EventPublisher(
                self._catalog,
                config=lambda: services().config,
                visitor=lambda: services().authenticator.visitor(),
            )
        )
        self._hooks = Hooks()
        self.access_tokens = AccessTokens(self._catalog, self._hooks)
        """Issues, lists and revokes access tokens."""

        self.repositories = RepositoryManager(self._catalog)
        """Finds, renames, transfers repositories, and sets who may see them."""

        self.tag_protection = Protections(self._catalog)
        """Says which tags not everybody who may push can move or delete."""
        self.events = Events(self._catalog, lambda: services().config)
        """Lists what happened, and tells webhooks of it."""

        self.retention = Retention(self._catalog)
        """Says which tags and manifests may go."""

        self.quotas = Quotas(self._catalog)
        """Says how much there may be, and how much there is."""
        self._catalog.quotas.site = _site_quotas

        self.blueprint = make_blueprint(self._register)
        """The blueprint that serves ``/v2``; register it without a prefix."""
        register_commands(self.blueprint)

        self.web_blueprint = make_web_blueprint()
        """The blueprint of the pages; register it, if you want them, with whatever
        prefix you like."""

    @cached_property
    def api_blueprint(self) -> Blueprint:
        """The blueprint of the REST interface for management, below ``/api/oci/v1``;
        register it, if you want it, with whatever prefix you like.

        :raises RuntimeError: unless the extra ``api`` is installed.
        """
        try:
            from .api import make_api_blueprint
        except ModuleNotFoundError as error:
            if error.name != "msgspec":
                raise
            raise RuntimeError(
                "registry.api_blueprint needs msgspec: pip install flask-oci[api]"
            ) from None
        return make_api_blueprint()

    def init_app(self, app: Flask) -> None:
        """Add the registry to an application.

        The same as ``app.register_blueprint(registry.blueprint)``.

        :param app: configured, for the ``OCI_*`` keys are read now.
        """
        app.register_blueprint(self.blueprint)

    @property
    def images(self) -> Images:
        """Publishes, imports and exports images without HTTP, within an application
        context."""
        return services().images

    def collect_garbage(self, *, dry_run: bool = False) -> GarbageResult:
        """Delete what nothing needs, as ``flask oci gc`` does, within an application
        context. Call it from a scheduler, once a day or so; pushes go on.

        :param dry_run: whether only to find it.
        """
        parts = services()
        return GarbageCollector(
            parts.config, parts.catalog, parts.storage, dry_run=dry_run
        ).run()

    def apply_retention(
        self,
        repositories: Sequence[str] | None = None,
        *,
        dry_run: bool = False,
    ) -> list[Retained]:
        """Delete what the rules of retention let go, as ``flask oci retention run``
        does, within an application context. Call it from a scheduler, once a day or
        so; a collection frees the room some time later.

        :param repositories: the names of those to apply the rules to; None is all.
        :param dry_run: whether only to find what would go, and why.
        :return: what became of each tag, and each manifest that waits to go.
        """
        parts = services()
        retainer = RetentionRunner(parts.config, parts.hooks, parts.catalog)
        return list(retainer.run(repositories, dry_run=dry_run))

    def health(self, *, min_free: int = MIN_FREE) -> Health:
        """Look whether requests could be answered now, within an application context.

        It is for an address that a load balancer or a monitor asks.

        :param min_free: for how many bytes there should be room on the disk.
        """
        parts = services()
        return look_at(parts.catalog, parts.config.storage_path, min_free)

    def metrics(self) -> Response:
        """Return the answer that Prometheus wants, within an application context.

        It is for a view of yours that makes sure that Prometheus asks.

        :raises RuntimeError: unless :data:`OCI_METRICS` is set.
        """
        found = services().metrics
        if found is None:
            raise RuntimeError("There are no metrics: set OCI_METRICS = True.")
        body, content_type = found.text()
        return Response(body, content_type=content_type)

    def is_allowed(self, user: t.Any, action: str, repository: RepositoryInfo) -> bool:
        """Tell whether somebody may do something, within an application context.

        It is the question that every request below ``/v2`` asks, for pages of the
        host's own.

        :param user: one of the host's users, or None.
        :param action: ``pull``, ``push``, ``delete`` or ``manage``.
        :param repository: from :attr:`repositories`, or a :class:`RepositoryInfo` of
            any name.
        :raises Denied: when :meth:`authorize` does, with its reason.
        """
        return services().policy.is_allowed(user, t.cast("Action", action), repository)

    def path_filter(self, path: t.Any) -> Condition:
        """Return an SQL condition for the repository ``path`` and those below it.

        ``alice/hello`` covers ``alice/hello/worker`` and not ``alice/hello-world``. It
        is for :meth:`list_filter`.

        :param path: a string, or an SQL expression such as a column of your table.
        """
        return self._catalog.repositories.path_filter(path)

    def default_policy(
        self, user: t.Any, action: str, repository: RepositoryInfo
    ) -> bool:
        """Answer as the registry would without :meth:`authorize`.

        It is for a function that has an answer of its own for some repositories, and
        leaves the others to us.

        :param user: one of the host's users, or None.
        :param action: ``pull``, ``push``, ``delete`` or ``manage``.
        :param repository: as ``authorize`` was given it.
        """
        known = t.cast("Action", action)
        return default_policy(self._catalog.users, user, known, repository)

    def default_list_filter(self, user: t.Any) -> Condition:
        """Return the condition of what :meth:`default_policy` lets a user pull.

        It is the same for :meth:`list_filter`, and can be joined to a condition of the
        host's own with ``|``.

        :param user: one of the host's users, or None.
        """
        return self._catalog.repositories.readable_by(self._catalog.users.key_of(user))

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
        keys = _signing_keys(app)
        lifetime = int(config.token_lifetime.total_seconds())
        tokens = Tokens(keys, config.service, lifetime)
        storage = LocalStorage(config.storage_path)
        content = Content(config, self._catalog, storage)
        documents = Documents(self._catalog, storage)
        pulls = Pulls(self._catalog.pulls)
        pulls.write_at_exit(app)
        app.extensions[EXTENSION] = Services(
            config=config,
            hooks=self._hooks,
            catalog=self._catalog,
            storage=storage,
            content=content,
            documents=documents,
            summaries=Summaries(self._catalog, documents),
            images=Images(LocalRegistry(config, self._catalog, storage, content)),
            tokens=tokens,
            form_tokens=FormTokens(keys),
            access_tokens=self.access_tokens,
            administration=self.repositories,
            events=self.events,
            metrics=Metrics(self._catalog, storage) if config.metrics else None,
            authenticator=Authenticator(
                config,
                self._hooks,
                tokens,
                self.access_tokens,
                RateLimiter(self._catalog, config),
                self._catalog.users,
                f"{state.name_prefix}.{state.name}.token".lstrip("."),
            ),
            policy=Policy(config, self._hooks, self._catalog),
            pulls=pulls,
            tag_protection=self.tag_protection,
            retention=self.retention,
            quotas=self.quotas,
        )


def _site_quotas() -> Site:
    config = services().config
    return Site(config.owner_default, config.repository_default)


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
