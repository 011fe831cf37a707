"""Access tokens for users and machines, and refresh tokens for clients.

Both are long random secrets that are shown once and stored as a hash. They can be
revoked at any time. Every token that was issued for a revoked token ends at the same
moment.
"""

from __future__ import annotations

import inspect
import re
import secrets
import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta

from ..catalog.credentials import Credential
from ..clock import utcnow
from ..events import audit
from ..spec.scope import ACTIONS
from .limits import checked_actions
from .limits import checked_patterns
from .limits import expiry
from .token_secrets import ACCESS_PREFIX
from .token_secrets import hash_of
from .token_secrets import is_well_formed
from .token_secrets import new_secret
from .token_secrets import REFRESH_PREFIX

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from ..catalog import Catalog
    from ..hooks import Hooks
    from .accounts import Accounts

    Validator = Callable[[str], bool]

#: The maximum length of a token's context, in characters.
ABOUT_LENGTH: t.Final = 255

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new access token, the only time that its secret can be seen."""

    id: str
    """The identifier to list and revoke it by."""

    secret: str
    """The secret to use instead of the password, for example with ``docker login``."""

    expires_at: datetime | None
    """When it expires, or None if it does not."""


class AccessTokens:
    """Issues, lists, checks and revokes access tokens: ``registry.access_tokens``."""

    def __init__(self, catalog: Catalog, hooks: Hooks, accounts: Accounts) -> None:
        self._credentials = catalog.credentials
        self._revocations = catalog.revocations
        self._users = catalog.users
        self._hooks = hooks
        self._accounts = accounts

    def issue(
        self,
        user: t.Any,
        *,
        name: str = "",
        repositories: Iterable[str] = ("*",),
        actions: Iterable[str] = ACTIONS,
        expires: datetime | timedelta | None = None,
        validator: Validator | None = None,
        context: object = None,
        parent: Credential | None = None,
    ) -> IssuedToken:
        """Issue an access token.

        :param user: one of the host's users. The token never allows more than the user
            may do.
        :param name: a name by which the user recognises the token.
        :param repositories: patterns of repository names; ``*`` stands for any text,
            including ``/``.
        :param actions: some of ``pull``, ``push``, ``delete`` and ``manage``.
            ``manage`` is for the REST API, and is not among the default actions.
        :param expires: when, or after how long, the token expires.
        :param validator: a function that was registered with
            ``@registry.token_validator``. It is called with ``context`` each time the
            token is used, for example to end the token together with a job.
        :param context: the argument for ``validator``, as text, such as the job's key.
        :param parent: another token of the user. The new token ends together with it.
        :raises ValueError: if an action, a pattern or the function is invalid.
        """
        credential = Credential(
            id=secrets.token_hex(16),
            kind="access",
            subject=self._accounts.subject_of(user),
            user_id=self._users.key_of(user),
            name=name[:255],
            actions=checked_actions(actions),
            repositories=checked_patterns(repositories),
            validator=self._validator_name(validator),
            about=_checked_context(context),
            created_at=utcnow(),
            expires_at=expiry(expires),
            last_used_at=None,
            parent_id=parent.id if parent else None,
        )
        secret = new_secret(ACCESS_PREFIX)
        self._credentials.add(credential, hash_of(secret))
        audit.record(
            "token-issued", self._users.namespace_of(user), token=credential.id
        )
        return IssuedToken(credential.id, secret, credential.expires_at)

    def list(self, user: t.Any) -> list[Credential]:
        """Return the access tokens of a user, and then the refresh tokens that clients
        store, each with the newest first."""
        return self._credentials.of(self._users.key_of(user))

    def revoke(self, token_id: str, *, user: t.Any = None, by: t.Any = None) -> bool:
        """Revoke a token, and every bearer and refresh token that was issued for it.

        :param token_id: the identifier, as :meth:`list` returns it.
        :param user: the user that the token must belong to; None revokes a token of any
            user.
        :param by: the user who revokes it, for the audit log; None is ``user``.
        :return: True if there was such a token.
        """
        if not _ID.fullmatch(token_id):
            return False
        credential = self._credentials.by_id(token_id)
        if credential is None or (
            user is not None and credential.user_id != self._users.key_of(user)
        ):
            return False
        revoked = self._credentials.revoke(token_id)
        self._record_revocation(user, by, token=token_id)
        return revoked

    def revoke_all(self, user: t.Any, *, by: t.Any = None) -> int:
        """Revoke every token of a user, including bearer tokens, for example after a
        password change.

        :param user: one of the host's users.
        :param by: the user who revokes them, for the audit log; None is ``user``.
        :return: the number of access and refresh tokens that were revoked.
        """
        count = self._credentials.revoke_all(
            self._users.key_of(user), self._accounts.subject_of(user)
        )
        self._record_revocation(user, by, tokens="all")
        return count

    def issue_refresh(
        self, user: t.Any, subject: str, parent: Credential | None, lifetime: timedelta
    ) -> str:
        """Issue a refresh token, which has the limit of its parent.

        :param subject: the identifier of the user when the login was checked.
        :param parent: the credential that the user logged in with, or None for a
            password.
        :param lifetime: how long the token is valid after its last use.
        """
        now = utcnow()
        credential = Credential(
            id=secrets.token_hex(16),
            kind="refresh",
            subject=subject,
            user_id=self._users.key_of(user),
            name="docker login",
            actions=parent.actions if parent else ACTIONS,
            repositories=parent.repositories if parent else ("*",),
            validator=None,
            about=self._users.namespace_of(user)[:ABOUT_LENGTH],
            created_at=now,
            expires_at=now + lifetime,
            last_used_at=None,
            parent_id=parent.id if parent else None,
        )
        secret = new_secret(REFRESH_PREFIX)
        self._credentials.add(credential, hash_of(secret))
        return secret

    def by_secret(self, secret: str) -> Credential | None:
        """Return the valid token with this secret, or None."""
        if not is_well_formed(secret):
            return None
        return self._if_valid(self._credentials.by_hash(hash_of(secret)))

    def by_id(self, token_id: str) -> Credential | None:
        """Return the valid token with this identifier, or None."""
        return self._if_valid(self._credentials.by_id(token_id))

    def is_accepted(self, credential: Credential) -> bool:
        """Return True if the validators of a token and of its parents, which are
        functions of the host, accept it still."""
        is_bound = credential.validator is not None or credential.parent_id is not None
        return not is_bound or self.by_id(credential.id) is not None

    def is_revoked(self, subject: str, issued_at: int) -> bool:
        """Return True if all tokens of a subject were revoked at or after a time.

        :param issued_at: the time, in microseconds since 1970.
        """
        last = self._revocations.last(subject)
        return last is not None and issued_at <= last

    def record_use(self, credential: Credential, lifetime: timedelta) -> None:
        """Record a use of a token, which also extends the life of a refresh token.

        :param lifetime: how long a refresh token is valid after its last use.
        """
        expires_at = credential.expires_at
        if credential.kind == "refresh":
            expires_at = utcnow() + lifetime
        self._credentials.touch(credential, expires_at)

    def _record_revocation(self, user: t.Any, by: t.Any, **detail: str) -> None:
        owner = self._users.name_of(user)
        actor = owner if by is None else self._users.name_of(by)
        if owner is not None and actor != owner:
            detail["user"] = owner
        audit.record("token-revoked", actor, **detail)

    def _if_valid(self, credential: Credential | None) -> Credential | None:
        if credential is None:
            return None
        if credential.expires_at is not None and credential.expires_at <= utcnow():
            return None
        if credential.validator is not None:
            is_valid = self._hooks.validators.get(credential.validator)
            # A validator that is no longer registered cannot confirm the token.
            if is_valid is None or not is_valid(credential.about or ""):
                return None
        if (
            credential.parent_id is not None
            and self.by_id(credential.parent_id) is None
        ):
            return None
        return credential

    def _validator_name(self, validator: Validator | None) -> str | None:
        if validator is None:
            return None
        for name, hook in self._hooks.validators.items():
            if inspect.unwrap(hook, stop=lambda f: f is validator) is validator:
                return name
        raise ValueError(
            "'validator' must be a function that is registered with"
            " @registry.token_validator, because other processes call it by its name."
        )


def _checked_context(context: object) -> str | None:
    text = None if context is None else str(context)
    if text is not None and len(text) > ABOUT_LENGTH:
        # A database could truncate it, and it would then name another object.
        raise ValueError(f"'context' has more than {ABOUT_LENGTH} characters.")
    return text
