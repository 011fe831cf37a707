"""The extension: the class that a host creates and calls."""

from __future__ import annotations

import typing as t
from functools import cached_property

from ..auth.access_tokens import AccessTokens
from ..auth.account_status import Active
from ..auth.accounts import Accounts
from ..auth.policy import default_policy
from ..auth.publishers import Publishers
from ..auth.robot_policy import RobotPolicy
from ..auth.robots import RobotManager
from ..catalog import Catalog
from ..catalog.models import Models
from ..cli import register_commands
from ..config import EXTENSION
from ..core.blocks import Blocks
from ..core.repositories import RepositoryManager
from ..core.rule_sets import ImagePolicies
from ..core.rule_sets import Protections
from ..core.rule_sets import Quotas
from ..core.rule_sets import Retention
from ..core.rule_sets import Visibilities
from ..core.trusted_signers import TrustedSigners
from ..events import Events
from ..events.publisher import EventPublisher
from ..events.request_state import current_request
from ..events.request_state import had_request
from ..events.request_state import is_writing
from ..events.request_state import request_state
from ..hooks import Decorators
from ..hooks import Hooks
from ..http.routing import registered_name
from ..services import current_login
from ..services import make_services
from ..services import services
from ..services import SharedServices
from ..services import site_quotas
from ..services import start_work_thread
from ..services import upstream_visibilities
from ..transfer import Images
from ..upstreams.manager import UpstreamManager
from ..v2.blueprint import make_blueprint
from ..web import make_web_blueprint
from .maintenance import Maintenance

if t.TYPE_CHECKING:
    from flask import Blueprint
    from flask import Flask
    from flask.blueprints import BlueprintSetupState

    from ..catalog import Condition
    from ..catalog import HasSession
    from ..catalog import MetaData
    from ..catalog import RepositoryInfo
    from ..catalog import Robot
    from ..spec.scope import Action


class Registry(Maintenance, Decorators):
    """A container registry inside a Flask application.

    .. code-block:: python

        registry = Registry(db, User)

        @registry.authenticate
        def check(username, secret):
            user = db.session.scalar(db.select(User).filter_by(username=username))
            return user if user and user.check_password(secret) else None

        app.register_blueprint(registry.blueprint)

    :param db: the Flask-SQLAlchemy or Flask-SQLAlchemy-Lite extension of the host.
    :param user_model: the mapped class of the host's users.
    :param username: the attribute of a user with the name of their namespace, which is
        the first component of the names of their repositories.
    :param metadata: the metadata that the registry adds its tables to. None is the
        metadata of ``user_model``, so that ``flask db migrate`` includes them. If your
        application compares its metadata with its database, pass an
        ``sqlalchemy.MetaData()``: see :ref:`separate-metadata`.
    :param active: the attribute that is True for users who are active, or a function
        that takes a user and returns True if they are. Other users have no access.
        None uses ``is_active``, or a column: see :ref:`deactivated-users`.
    :raises TypeError: if ``user_model`` is not a mapped class or does not have these
        attributes.
    """

    def __init__(
        self,
        db: HasSession,
        user_model: type[t.Any],
        *,
        username: str = "username",
        metadata: MetaData | None = None,
        active: Active = None,
    ) -> None:
        self.models = Models.bind(user_model, metadata)
        """The models of the registry's tables, for queries and admin pages of the
        host."""

        self._catalog = Catalog(db, self.models, username)
        self._connect_catalog()
        self._hooks = Hooks()
        self._accounts = Accounts(
            self._catalog.users, self._catalog.cached_users, self._hooks, active
        )
        self._accounts.cache_policy = lambda: services().config.cache_policy
        self.access_tokens = AccessTokens(self._catalog, self._hooks, self._accounts)
        """Issues, lists and revokes access tokens."""

        self._robot_policy = RobotPolicy(
            self._hooks, self._catalog, self._accounts.status
        )
        self.robots = RobotManager(self._catalog, self._robot_policy)
        """Creates, lists, changes and deletes robots."""

        self.publishers = Publishers(
            self._catalog,
            lambda: services().config.oidc_issuers,
            lambda: services().authenticator.robots.jobs,
            self.robots.check_owner,
        )
        """Adds, lists and removes trusted publishers."""

        self.repositories = RepositoryManager(self._catalog, self._hooks)
        """Finds, renames, transfers and deletes repositories, and sets their
        visibility."""

        self.tag_protection = Protections(self._catalog)
        """Sets the patterns of protected and immutable tags."""

        self.events = Events(
            self._catalog, lambda: services().config, lambda: services().policy
        )
        """Lists events, and manages webhooks and deliveries."""

        self.retention = Retention(self._catalog)
        """Sets the rules for the deletion of old tags and manifests."""

        self.default_visibility = Visibilities(self._catalog)
        """Sets the visibility of new repositories in a path."""

        self.quotas = Quotas(self._catalog)
        """Sets quotas, and returns their usage."""

        self.upstreams = UpstreamManager(
            self._catalog,
            lambda: services().upstreams,
            lambda: services().config.upstreams,
        )
        """Lists upstreams, and fetches and deletes their cached content."""

        self.blocks = Blocks(self._catalog)
        """Blocks digests, so that no client can pull or push them."""

        self.image_policies = ImagePolicies(self._catalog)
        """Sets the signatures and scans that images need to be pulled."""

        self.trusted_signers = TrustedSigners(self._catalog)
        """Sets the signers whose signatures count."""

        self.blueprint = make_blueprint(self._register)
        """The blueprint of ``/v2``. Register it without a prefix."""
        register_commands(self.blueprint)

        self.web_blueprint = make_web_blueprint()
        """The blueprint of the pages. It is optional and takes any prefix."""

    @cached_property
    def api_blueprint(self) -> Blueprint:
        """The blueprint of the REST interface for management, below ``/api/oci/v1``. It
        is optional and takes any prefix.

        :raises RuntimeError: if the extra ``api`` is not installed.
        """
        try:
            from ..api import make_api_blueprint
        except ModuleNotFoundError as error:
            if error.name != "msgspec":
                raise
            raise RuntimeError(
                "registry.api_blueprint needs msgspec: pip install flask-oci[api]"
            ) from None
        return make_api_blueprint()

    def init_app(self, app: Flask) -> None:
        """Add the registry to an application.

        This is the same as ``app.register_blueprint(registry.blueprint)``.

        :param app: the application. It has to be configured, because the registry reads
            the ``OCI_*`` keys now.
        """
        app.register_blueprint(self.blueprint)

    @property
    def images(self) -> Images:
        """Publishes, imports and exports images without HTTP. Needs an application
        context."""
        return services().images

    def is_allowed(self, user: t.Any, action: str, repository: RepositoryInfo) -> bool:
        """Return True if a user may do something in a repository.

        Every request below ``/v2`` calls it, and your own pages can call it. It needs
        an application context.

        :param user: one of the host's users. None is an anonymous client.
        :param action: ``pull``, ``push``, ``delete`` or ``manage``.
        :param repository: a repository from :attr:`repositories`, or a
            :class:`RepositoryInfo` with any name.
        :raises Denied: if the function for :meth:`authorize` raises it.
        """
        return services().policy.is_allowed(user, t.cast("Action", action), repository)

    def path_filter(self, path: t.Any) -> Condition:
        """Return an SQL condition for the repository ``path`` and those below it.

        ``alice/hello`` covers ``alice/hello/worker`` but not ``alice/hello-world``. Use
        it in a function for :meth:`list_filter`.

        :param path: a string, or an SQL expression such as a column of your table.
        """
        return self._catalog.repositories.path_filter(path)

    def default_policy(
        self, user: t.Any, action: str, repository: RepositoryInfo
    ) -> bool:
        """Return the decision of the registry without :meth:`authorize`.

        Use it in a function for ``authorize`` that decides on some repositories only.

        :param user: one of the host's users. None is an anonymous client.
        :param action: ``pull``, ``push``, ``delete`` or ``manage``.
        :param repository: the argument of ``authorize``.
        """
        known = t.cast("Action", action)
        return default_policy(self._catalog.users, user, known, repository)

    def default_robot_policy(self, robot: Robot, repository: RepositoryInfo) -> bool:
        """Return the decision on a robot without :meth:`authorize_robot`.

        Use it in a function for ``authorize_robot`` that decides on some repositories
        only. It is True if the user who owned the robot's namespace or repository when
        the robot was created owns the repository now, and is active.

        :param robot: the argument of ``authorize_robot``.
        :param repository: the argument of ``authorize_robot``.
        """
        return self._robot_policy.owns(robot, repository)

    def default_list_filter(self, user: t.Any) -> Condition:
        """Return an SQL condition for the repositories that :meth:`default_policy` lets
        a user pull from.

        Use it in a function for :meth:`list_filter`. It can be combined with other
        conditions by ``|``.

        :param user: one of the host's users. None is an anonymous client.
        """
        return self._catalog.repositories.readable_by(self._catalog.users.key_of(user))

    def _connect_catalog(self) -> None:
        """Let the catalog ask for the configuration and the request, which the layers
        above it have."""
        catalog = self._catalog
        catalog.observe(
            EventPublisher(
                catalog,
                config=lambda: services().config,
                visitor=lambda: services().authenticator.visitor(),
            )
        )
        catalog.check_logins(current_login)
        catalog.quotas.site = site_quotas
        catalog.repositories.upstreams = upstream_visibilities
        catalog.reads.is_enabled = lambda: services().config.read_cache
        catalog.reads.audience = lambda: request_state().audience
        catalog.reads.request = current_request
        catalog.reads.is_writing = is_writing

    def _register(self, state: BlueprintSetupState) -> None:
        app = state.app
        if EXTENSION in app.extensions:
            raise RuntimeError(
                "This application already has a registry. An application can have only"
                " one, because all of them would serve /v2."
            )
        shared = SharedServices(
            hooks=self._hooks,
            catalog=self._catalog,
            access_tokens=self.access_tokens,
            robots=self.robots,
            publishers=self.publishers,
            accounts=self._accounts,
            administration=self.repositories,
            events=self.events,
            tag_protection=self.tag_protection,
            retention=self.retention,
            quotas=self.quotas,
            blocks=self.blocks,
            image_policies=self.image_policies,
            trusted_signers=self.trusted_signers,
            default_visibility=self.default_visibility,
            upstream_manager=self.upstreams,
        )
        parts = make_services(shared, app, registered_name(state))
        app.extensions[EXTENSION] = parts
        app.teardown_appcontext(self._end_context)
        start_work_thread(t.cast("Flask", app), parts)

    def _end_context(self, error: BaseException | None) -> None:
        if had_request():
            self._catalog.close_session()
