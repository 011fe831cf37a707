"""Access tokens for people and machines, and refresh tokens for clients.

Both are long random secrets that are shown once and stored as a hash. They can
be revoked at any time, and whatever was had with them ends at the same moment.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import secrets
import string
import typing as t
import zlib
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from fnmatch import fnmatchcase
from itertools import islice

from ..catalog.credentials import Credential
from ..clock import utcnow
from ..events import audit
from ..spec.scope import ACTIONS
from ..spec.scope import TOKEN_ACTIONS

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from ..catalog import Catalog
    from ..hooks import Hooks
    from ..spec.scope import Action

    Validator = Callable[[str], bool]

#: How an access token begins, so that secret scanners recognise one.
ACCESS_PREFIX: t.Final = "oci_pat_"

#: How a refresh token begins.
REFRESH_PREFIX: t.Final = "oci_ref_"

#: The most patterns of repository names that one token has. Each use of the token
#: compares them all.
MAX_PATTERNS: t.Final = 100

#: The longest such pattern, in characters.
MAX_PATTERN_LENGTH: t.Final = 255

#: How long what a token is bound to may be, in characters.
ABOUT_LENGTH: t.Final = 255

_ALPHABET = string.digits + string.ascii_letters
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a credential reaches, whatever its user may do.

    A credential that has been limited cannot be turned into one that is less so.
    """

    actions: tuple[str, ...]
    repositories: tuple[str, ...]

    def allows(self, action: Action, name: str) -> bool:
        """Tell whether an action on a repository is within the limit."""
        covered = action in self.actions or (
            action == "pull" and "push" in self.actions
        )
        return covered and any(fnmatchcase(name, p) for p in self.repositories)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new access token, the only time that its secret can be seen."""

    id: str
    """By which it is listed and revoked."""

    secret: str
    """What to type at ``docker login`` in the place of the password."""

    expires_at: datetime | None
    """When it ends by itself, if it does."""


class AccessTokens:
    """Issues, lists, checks and revokes access tokens: ``registry.access_tokens``."""

    def __init__(self, catalog: Catalog, hooks: Hooks) -> None:
        self._credentials = catalog.credentials
        self._revocations = catalog.revocations
        self._users = catalog.users
        self._hooks = hooks

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
        """Make an access token.

        :param user: one of the host's users, who can do no more with it than
            without.
        :param name: what its owner calls it.
        :param repositories: patterns of repository names; ``*`` in one stands for
            anything, ``/`` included.
        :param actions: some of ``pull``, ``push``, ``delete`` and ``manage``; the last
            one is for REST, and has to be asked for.
        :param expires: when, or after how long, it ends by itself.
        :param validator: a function that was registered with
            ``@registry.token_validator``. It is asked about ``context`` each time
            the token is used, which can bind it to the life of a job.
        :param context: what ``validator`` is given, as text, such as the job's key.
        :param parent: one of the user's tokens, by which this one is made and with
            which it ends.
        :raises ValueError: for an action, a pattern or a function that cannot be.
        """
        credential = Credential(
            id=secrets.token_hex(16),
            kind="access",
            subject=self._users.subject_of(user),
            user_id=self._users.key_of(user),
            name=name[:255],
            actions=_checked_actions(actions),
            repositories=_checked_patterns(repositories),
            validator=self._validator_name(validator),
            about=_checked_context(context),
            created_at=utcnow(),
            expires_at=_moment(expires),
            last_used_at=None,
            parent_id=parent.id if parent else None,
        )
        secret = _new_secret(ACCESS_PREFIX)
        self._credentials.add(credential, _hash(secret))
        audit.record(
            "token-issued", self._users.namespace_of(user), token=credential.id
        )
        return IssuedToken(credential.id, secret, credential.expires_at)

    def list(self, user: t.Any) -> list[Credential]:
        """Return the access and refresh tokens of a user, the newest first."""
        return self._credentials.of(self._users.key_of(user))

    def revoke(self, token_id: str, *, user: t.Any = None) -> bool:
        """End a token, and every bearer and refresh token that was had with it.

        :param token_id: as :meth:`list` has it.
        :param user: whose it has to be; None revokes anybody's.
        :return: whether there was such a token.
        """
        if not _ID.fullmatch(token_id):
            return False
        credential = self._credentials.by_id(token_id)
        if credential is None or (
            user is not None and credential.user_id != self._users.key_of(user)
        ):
            return False
        revoked = self._credentials.revoke(token_id)
        audit.record("token-revoked", self._users.name_of(user), token=token_id)
        return revoked

    def revoke_all(self, user: t.Any) -> int:
        """End every token of a user, bearer tokens included: after a new password, say.

        :return: how many access and refresh tokens there were.
        """
        count = self._credentials.revoke_all(
            self._users.key_of(user), self._users.subject_of(user)
        )
        audit.record("token-revoked", self._users.namespace_of(user), tokens="all")
        return count

    def issue_refresh(
        self, user: t.Any, parent: Credential | None, lifetime: timedelta
    ) -> str:
        """Make a refresh token, which reaches as far as what it was had with.

        :param parent: the credential that it was had with, if not a password.
        :param lifetime: for how long after its last use it is good.
        """
        now = utcnow()
        credential = Credential(
            id=secrets.token_hex(16),
            kind="refresh",
            subject=self._users.subject_of(user),
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
        secret = _new_secret(REFRESH_PREFIX)
        self._credentials.add(credential, _hash(secret))
        return secret

    def by_secret(self, secret: str) -> Credential | None:
        """Return the token that a secret belongs to, if it is good."""
        if not _is_well_formed(secret):
            return None
        return self._good(self._credentials.by_hash(_hash(secret)))

    def by_id(self, token_id: str) -> Credential | None:
        """Return the token that a bearer token was had with, if it is good."""
        return self._good(self._credentials.by_id(token_id))

    def ended(self, subject: str, issued_at: int) -> bool:
        """Tell whether everything of a subject has ended since.

        :param issued_at: since when, in microseconds after 1970.
        """
        last = self._revocations.last(subject)
        return last is not None and issued_at <= last

    def used(self, credential: Credential, lifetime: timedelta) -> None:
        """Remember that a token was used, which keeps a refresh token alive.

        :param lifetime: for how long after its last use a refresh token is good.
        """
        expires_at = credential.expires_at
        if credential.kind == "refresh":
            expires_at = utcnow() + lifetime
        self._credentials.touch(credential, expires_at)

    def _good(self, credential: Credential | None) -> Credential | None:
        if credential is None:
            return None
        if credential.expires_at is not None and credential.expires_at <= utcnow():
            return None
        if credential.validator is not None:
            valid = self._hooks.validators.get(credential.validator)
            # A function that is no longer there cannot vouch for anything.
            if valid is None or not valid(credential.about or ""):
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
            "'validator' must be a function that was registered with"
            " @registry.token_validator, since it is asked again in other processes."
        )


def is_token(text: str) -> bool:
    """Tell whether a text looks like one of our tokens, good or not."""
    return text.startswith((ACCESS_PREFIX, REFRESH_PREFIX))


def limit_of(credential: Credential) -> Limit:
    """Return how far a credential reaches."""
    return Limit(credential.actions, credential.repositories)


def _moment(expires: datetime | timedelta | None) -> datetime | None:
    if isinstance(expires, timedelta):
        return utcnow() + expires
    if expires is not None and expires.tzinfo is None:
        raise ValueError("'expires' is a timedelta, or a datetime with a time zone.")
    # Not every database keeps the time zone, and what it drops is taken for UTC.
    return expires and expires.astimezone(timezone.utc)


def _checked_actions(actions: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(actions))
    if not wanted or not set(wanted) <= set(TOKEN_ACTIONS):
        known = ", ".join(TOKEN_ACTIONS)
        raise ValueError(f"'actions' are some of {known}, not {wanted!r}.")
    return wanted


def _checked_patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    if isinstance(patterns, str):
        raise ValueError(f"'repositories' is a list of patterns, not {patterns!r}.")
    wanted = tuple(islice(patterns, MAX_PATTERNS + 1))
    if len(wanted) > MAX_PATTERNS:
        raise ValueError(f"'repositories' has at most {MAX_PATTERNS} patterns.")
    if any(len(p) > MAX_PATTERN_LENGTH for p in wanted if isinstance(p, str)):
        raise ValueError(
            f"A pattern in 'repositories' has at most {MAX_PATTERN_LENGTH} characters."
        )
    if not wanted or not all(isinstance(p, str) and p for p in wanted):
        raise ValueError("'repositories' has at least one pattern, such as 'alice/*'.")
    return wanted


def _checked_context(context: object) -> str | None:
    text = None if context is None else str(context)
    if text is not None and len(text) > ABOUT_LENGTH:
        # A database may cut it, and then it is about something else.
        raise ValueError(f"'context' has at most {ABOUT_LENGTH} characters.")
    return text


def _new_secret(prefix: str) -> str:
    body = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    """Return six digits by which a scanner, or we, can tell a token from a guess
    without a look into the database."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return digits


def _is_well_formed(secret: str) -> bool:
    body, checksum = secret[:-_CHECKSUM_LENGTH], secret[-_CHECKSUM_LENGTH:]
    return is_token(body) and body.isascii() and _checksum(body) == checksum


def _hash(secret: str) -> str:
    # The secret is random and long, so there is nothing to stretch or to salt.
    return hashlib.sha256(secret.encode()).hexdigest()
