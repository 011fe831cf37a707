"""What a host says to its registry: a decorator for each function that it may give."""

from __future__ import annotations

import typing as t

from .hooks import predicate
from .hooks import synchronous
from .hooks import validator_name

if t.TYPE_CHECKING:
    from .hooks import Administrator
    from .hooks import Authenticate
    from .hooks import Authorize
    from .hooks import BeforeLogin
    from .hooks import Hooks
    from .hooks import Listing
    from .hooks import Released
    from .hooks import Validator
    from .hooks import VisibilityOf
    from .hooks import Visitor

    AdministratorT = t.TypeVar("AdministratorT", bound=Administrator)
    AuthenticateT = t.TypeVar("AuthenticateT", bound=Authenticate)
    AuthorizeT = t.TypeVar("AuthorizeT", bound=Authorize)
    BeforeLoginT = t.TypeVar("BeforeLoginT", bound=BeforeLogin)
    ListingT = t.TypeVar("ListingT", bound=Listing)
    ReleasedT = t.TypeVar("ReleasedT", bound=Released)
    ValidatorT = t.TypeVar("ValidatorT", bound=Validator)
    VisibilityOfT = t.TypeVar("VisibilityOfT", bound=VisibilityOf)
    VisitorT = t.TypeVar("VisitorT", bound=Visitor)


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

    def listing(self, function: ListingT) -> ListingT:
        """Decorate a function that says in SQL what a user may pull.

        It is given a user, or None, and returns a condition on
        ``registry.models.Repository``. With it, a list of repositories costs one
        statement. What it lets through is listed, so it has to be what ``authorize``
        lets somebody pull. For users whose rights are no condition, it may return
        None: each repository is asked about then.
        """
        self._hooks.listing = synchronous(function)
        return function

    def token_validator(self, function: ValidatorT) -> ValidatorT:
        """Decorate a function that access tokens can be bound to.

        It is given what :meth:`~flask_oci.access_tokens.AccessTokens.issue` was
        given as ``about``, and returns whether the token is still good. It is
        known by its name, so it keeps its name.
        """
        hook = predicate(function)
        self._hooks.validators[validator_name(function)] = hook
        return function

    def visitor(self, function: VisitorT) -> VisitorT:
        """Decorate a function that knows who looks at a page.

        It is given nothing and returns one of your users, or None. Without it, the
        pages ask Flask-Login.
        """
        self._hooks.visitor = synchronous(function)
        return function

    def administrator(self, function: AdministratorT) -> AdministratorT:
        """Decorate a function that knows who runs the site.

        It is given a user and returns whether they may see the pages about
        everybody's repositories. Without it, nobody may.
        """
        self._hooks.administrator = predicate(function)
        return function

    def released(self, function: ReleasedT) -> ReleasedT:
        """Decorate a function that knows which tags no rule of retention may delete,
        such as those that a release of the host's names.

        It is given a :class:`~flask_oci.RepositoryInfo`, a tag and the digest that it
        points at, for each tag that is about to go, in the transaction that would
        delete it; and returns whether it stays.
        """
        self._hooks.released = synchronous(function)
        return function
