"""Hooks: functions of the host that the registry calls.

A hook is an ordinary function. A hook that decides allows an action only by returning
True itself: see ``host_functions``.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from .admission import AdmissionRequest
from .catalog.repository_info import RepositoryInfo
from .catalog.robots import Robot
from .host_functions import predicate
from .host_functions import synchronous
from .host_functions import validator_name
from .spec.scope import Action

if t.TYPE_CHECKING:
    from .catalog import Condition

#: The function of ``admit_pull``: a request to a bool.
AdmitPull: t.TypeAlias = Callable[[AdmissionRequest], bool]

#: The function of ``admit_push``: a request to a bool.
AdmitPush: t.TypeAlias = Callable[[AdmissionRequest], bool]

#: The function of ``authenticate``: a user name and a password to a user or None.
Authenticate: t.TypeAlias = Callable[[str, str], t.Any]

#: The function of ``authorize``: a user or None, an action and a repository to a bool.
Authorize: t.TypeAlias = Callable[[t.Any, Action, RepositoryInfo], bool]

#: The function of ``authorize_robot``: a robot, an action and a repository to a bool.
AuthorizeRobot: t.TypeAlias = Callable[[Robot, Action, RepositoryInfo], bool]

#: The function of ``before_login``: a user name and an IP address to None.
BeforeLogin: t.TypeAlias = Callable[[str, str], None]

#: The function of ``current_user_loader``: no argument to a user or None.
CurrentUserLoader: t.TypeAlias = Callable[[], t.Any]

#: The function of ``is_admin``: a user to a bool.
IsAdmin: t.TypeAlias = Callable[[t.Any], bool]

#: The function of ``list_filter``: a user or None to an SQL condition or None.
ListFilter: t.TypeAlias = Callable[[t.Any], "Condition | None"]

#: The function of ``manages_namespace``: a user and a path to a bool.
ManagesNamespace: t.TypeAlias = Callable[[t.Any, str], bool]

#: The function of ``page_renderer``: a template and keyword arguments to a page.
PageRenderer: t.TypeAlias = Callable[..., t.Any]

#: The function of ``retention_exempt``: a repository, a tag and a digest to a bool.
RetentionExempt: t.TypeAlias = Callable[[RepositoryInfo, str, str], bool]

#: The function of ``token_validator``: the context of a token to a bool.
Validator: t.TypeAlias = Callable[[str], bool]

#: The function of ``user_loader``: the identifier of a user to a user or None.
UserLoader: t.TypeAlias = Callable[[str], t.Any]

#: The function of ``visibility_of``: a repository to a visibility or None.
VisibilityOf: t.TypeAlias = Callable[[RepositoryInfo], str | None]

AdmitT = t.TypeVar("AdmitT", bound=AdmitPull)
AuthenticateT = t.TypeVar("AuthenticateT", bound=Authenticate)
AuthorizeT = t.TypeVar("AuthorizeT", bound=Authorize)
AuthorizeRobotT = t.TypeVar("AuthorizeRobotT", bound=AuthorizeRobot)
BeforeLoginT = t.TypeVar("BeforeLoginT", bound=BeforeLogin)
CurrentUserLoaderT = t.TypeVar("CurrentUserLoaderT", bound=CurrentUserLoader)
IsAdminT = t.TypeVar("IsAdminT", bound=IsAdmin)
ListFilterT = t.TypeVar("ListFilterT", bound=ListFilter)
ManagesNamespaceT = t.TypeVar("ManagesNamespaceT", bound=ManagesNamespace)
PageRendererT = t.TypeVar("PageRendererT", bound=PageRenderer)
RetentionExemptT = t.TypeVar("RetentionExemptT", bound=RetentionExempt)
UserLoaderT = t.TypeVar("UserLoaderT", bound=UserLoader)
ValidatorT = t.TypeVar("ValidatorT", bound=Validator)
VisibilityOfT = t.TypeVar("VisibilityOfT", bound=VisibilityOf)


class LoginRefused(Exception):
    """Raised by a host's ``@registry.authenticate`` function to explain why a user
    cannot log in with a password that may be correct.

    :param reason: a sentence that ``docker login`` prints.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class Hooks:
    """The hooks that a host has registered, or None for each that it has not."""

    admit_pull: AdmitPull | None = None
    admit_push: AdmitPush | None = None
    is_admin: IsAdmin | None = None
    authenticate: Authenticate | None = None
    authorize: Authorize | None = None
    authorize_robot: AuthorizeRobot | None = None
    before_login: BeforeLogin | None = None
    list_filter: ListFilter | None = None
    manages_namespace: ManagesNamespace | None = None
    visibility_of: VisibilityOf | None = None
    current_user_loader: CurrentUserLoader | None = None
    user_loader: UserLoader | None = None
    page_renderer: PageRenderer | None = None
    retention_exempt: RetentionExempt | None = None
    validators: dict[str, Validator] = field(default_factory=dict)

    def decided_visibility(self, repository: RepositoryInfo) -> str | None:
        """Return the visibility that the host decides for a repository, or None."""
        return None if self.visibility_of is None else self.visibility_of(repository)


class Decorators:
    """The decorators of a :class:`~flask_oci.Registry` that register hooks.

    A hook is an ordinary function: each decorator raises :exc:`TypeError` if it gets a
    coroutine function.
    """

    _hooks: Hooks

    def authenticate(self, function: AuthenticateT) -> AuthenticateT:
        """Register the function that checks the credentials of ``docker login``.

        It takes a user name and a password, and returns the user or None. It should
        take the same time for existing and for unknown users.
        """
        self._hooks.authenticate = synchronous(function)
        return function

    def before_login(self, function: BeforeLoginT) -> BeforeLoginT:
        """Register a function that the registry calls before it checks a password or
        an access token, instead of the built-in rate limit.

        It takes the user name and the IP address. It may raise an HTTP error, such as
        Flask-Limiter's 429.
        """
        self._hooks.before_login = synchronous(function)
        return function

    def authorize(self, function: AuthorizeT) -> AuthorizeT:
        """Register the function that decides on permissions.

        It takes a user, or None for an anonymous client; one of ``pull``, ``push``,
        ``delete`` and ``manage``; and a :class:`~flask_oci.RepositoryInfo`. It returns
        True if the user may do that. The registry calls it on every request. Without
        it, users own the repositories of their namespace, and others may pull from
        public ones.
        """
        self._hooks.authorize = predicate(function)
        return function

    def authorize_robot(self, function: AuthorizeRobotT) -> AuthorizeRobotT:
        """Register the function that decides on the permissions of robots.

        It takes a :class:`~flask_oci.Robot`; one of ``pull``, ``push`` and ``delete``;
        and a :class:`~flask_oci.RepositoryInfo`. It returns True if the robot may do
        that. The registry calls it only for what the robot's limit allows, in the
        robot's own path, while the robot is valid. An application with a function for
        :meth:`authorize` needs this one as well: without it, robots may do nothing.
        """
        self._hooks.authorize_robot = predicate(function)
        return function

    def admit_pull(self, function: AdmitT) -> AdmitT:
        """Register the function that decides which manifests may be pulled.

        It takes an :class:`~flask_oci.AdmissionRequest` and returns True to admit the
        pull. To refuse it with a reason, which clients print, raise
        :exc:`~flask_oci.Denied`. The registry calls it for each ``GET`` and ``HEAD`` of
        a manifest, after ``authorize`` has allowed the pull.
        """
        self._hooks.admit_pull = predicate(function)
        return function

    def admit_push(self, function: AdmitT) -> AdmitT:
        """Register the function that decides which manifests may be pushed.

        It takes an :class:`~flask_oci.AdmissionRequest` and returns True to admit the
        push. To refuse it with a reason, which clients print, raise
        :exc:`~flask_oci.Denied`. Nothing is stored of a manifest that is refused.
        """
        self._hooks.admit_push = predicate(function)
        return function

    def visibility_of(self, function: VisibilityOfT) -> VisibilityOfT:
        """Register a function that determines the visibility of repositories.

        It takes a :class:`~flask_oci.RepositoryInfo` and returns ``private``,
        ``internal`` or ``public``, or None for the visibility in the registry's
        database.
        """
        self._hooks.visibility_of = synchronous(function)
        return function

    def list_filter(self, function: ListFilterT) -> ListFilterT:
        """Register a function that returns the repositories that a user may pull from,
        as an SQL condition.

        It takes a user, or None, and returns a condition on
        ``registry.models.Repository``. With it, a list of repositories costs one
        statement. The registry lists every repository that meets the condition, so the
        condition has to agree with ``authorize``. The function may return None for a
        user whose permissions are not an SQL condition: the registry then calls
        ``authorize`` for each repository.
        """
        self._hooks.list_filter = synchronous(function)
        return function

    def token_validator(self, function: ValidatorT) -> ValidatorT:
        """Register a function that access tokens can be bound to.

        It takes the ``context`` that :meth:`AccessTokens.issue
        <flask_oci.AccessTokens.issue>` was called with, and returns
        True if the token is still valid. The database stores the function's name, so do
        not rename the function.
        """
        hook = predicate(function)
        self._hooks.validators[validator_name(function)] = hook
        return function

    def current_user_loader(self, function: CurrentUserLoaderT) -> CurrentUserLoaderT:
        """Register a function that returns the current user of the pages.

        It takes no argument and returns one of your users, or None. Without it, the
        pages use the current user of Flask-Login, if your application has that.
        """
        self._hooks.current_user_loader = synchronous(function)
        return function

    def page_renderer(self, function: PageRendererT) -> PageRendererT:
        """Register the function that renders the pages, instead of Flask's
        ``render_template``.

        It takes the name of a template and its variables as keyword arguments, and
        returns the page. It may add the variables that your base template needs.
        """
        self._hooks.page_renderer = synchronous(function)
        return function

    def user_loader(self, function: UserLoaderT) -> UserLoaderT:
        """Register the function that loads the user of a token.

        It takes an identifier, which is a string, and returns the user or None. The
        identifier is ``user.get_id()`` if your users have that method, and their
        primary key otherwise. Without this function, the registry calls the
        ``user_loader`` of Flask-Login, if it takes exactly one argument. Otherwise it
        loads the user by primary key.
        """
        self._hooks.user_loader = synchronous(function)
        return function

    def is_admin(self, function: IsAdminT) -> IsAdminT:
        """Register a function that decides who is an administrator.

        It takes a user and returns True if they may see the pages about all
        repositories. Without it, no user may.
        """
        self._hooks.is_admin = predicate(function)
        return function

    def manages_namespace(self, function: ManagesNamespaceT) -> ManagesNamespaceT:
        """Register a function that decides which users manage the rules of a path.

        It takes a user and the path without ``/*``, such as ``website`` for
        ``website/*``, and returns True if the user may read and set the rules for all
        repositories in it. The registry calls it each time. Without it, users manage
        the paths that begin with their own name and contain no repository of another
        owner.
        """
        self._hooks.manages_namespace = predicate(function)
        return function

    def retention_exempt(self, function: RetentionExemptT) -> RetentionExemptT:
        """Register a function that exempts tags from retention, such as the tags of a
        release of your application.

        It takes a :class:`~flask_oci.RepositoryInfo`, a tag and the digest of its
        manifest, and returns True to keep the tag. The registry calls it for each tag
        that a rule deletes, in the transaction that deletes the tag.
        """
        self._hooks.retention_exempt = synchronous(function)
        return function
