"""Every ``OCI_*`` configuration key: its default, its meaning, how it is read.

The keys are read once, when the blueprint is registered on an application.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from ..rules.protection import Protection
from ..rules.quota import Quota
from ..rules.retention import Rule
from . import parsers

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

PREFIX: t.Final = "OCI_"

#: Under which name an application has the registry among its extensions.
EXTENSION: t.Final = "oci"

#: What the blueprint of the REST interface is called.
REST: t.Final = "oci_api"

MIB: t.Final = 1024 * 1024
DAY: t.Final = 24 * 60 * 60

#: Nothing from elsewhere, and nothing written into a page, so that nothing which
#: somebody has pushed can be a script or a style.
STRICT_CSP: t.Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


#: What is kept unless a host says otherwise. Of blobs, and of pulls, there are many,
#: and few want to know.
KEPT: t.Final = (
    "manifest.pushed",
    "manifest.deleted",
    "tag.*",
    "repository.*",
    "collection.*",
)


class ConfigError(ValueError):
    """A configuration key has a value that cannot be used."""


def _key(default: object, parse: Callable[[object], object]) -> t.Any:
    return dataclasses.field(metadata={"default": default, "parse": parse})


@dataclass(frozen=True)
class Config:
    """The settings of one application's registry."""

    storage_path: str = _key(None, parsers.path)
    """The folder that holds the blobs. Default: ``oci`` in the application's
    instance folder."""

    external_url: str | None = _key(None, parsers.optional_url)
    """The address by which clients reach the application's root. Default: None,
    which takes scheme and host from each request."""

    service: str = _key(None, parsers.service)
    """The name of this registry in challenges and tokens; a token made for one
    service is refused by another. Default: the application's name."""

    token_lifetime: int = _key(900, parsers.token_lifetime)
    """For how many seconds a bearer token is accepted; 60 at the least."""

    refresh_token_lifetime: int = _key(90 * DAY, parsers.count)
    """For how many seconds after its last use a refresh token is accepted. Docker
    keeps one in the place of the password."""

    password_login: bool = _key(True, parsers.flag)
    """Whether ``docker login`` takes the host's passwords. Where people sign in
    with a second factor, or elsewhere, only access tokens should do."""

    require_login: bool = _key(False, parsers.flag)
    """Whether everybody has to say who they are, even to pull what is public."""

    login_attempts: int | None = _key(20, parsers.optional_count)
    """How often logging in to one account may fail from one address within
    ``OCI_LOGIN_WINDOW``; all accounts together, ten times as often. None sets no
    limit."""

    login_window: int = _key(900, parsers.count)
    """For how many seconds failed logins are counted."""

    max_manifest_size: int = _key(10 * MIB, parsers.count)
    """How many bytes a manifest may have; a larger one is answered 413."""

    max_blob_size: int | None = _key(None, parsers.optional_count)
    """How many bytes a blob may have; None is as many as the disk takes."""

    chunk_min_length: int | None = _key(None, parsers.optional_count)
    """The ``OCI-Chunk-Min-Length`` to ask of clients, in bytes; None asks for
    none."""

    max_page_size: int = _key(1000, parsers.count)
    """How many entries one answer lists at the most: tags, repositories or
    referrers."""

    grace_period: int = _key(DAY, parsers.count)
    """For how many seconds the collection leaves alone what nothing references:
    a client that was told that a blob is there has so long to push its manifest."""

    upload_lifetime: int = _key(7 * DAY, parsers.count)
    """After how many idle seconds the collection ends an upload session."""

    untagged_lifetime: int | None = _key(None, parsers.optional_count)
    """After how many seconds without a tag the collection deletes a manifest that
    no index, subject or referrer needs. None keeps them until somebody deletes
    them."""

    allow_sparse: bool = _key(False, parsers.flag)
    """Whether a manifest may be pushed before, or without, the content that it
    references."""

    allow_delete_in_use: bool = _key(False, parsers.flag)
    """Whether a manifest that an index needs, or a blob that a manifest needs,
    may be deleted."""

    protected_tags: tuple[str, ...] = _key((), parsers.tag_patterns)
    """Patterns of tags that, everywhere, only who may manage a repository can move
    or delete."""

    immutable_tags: tuple[str, ...] = _key((), parsers.tag_patterns)
    """Patterns of tags that, everywhere, nobody can move or delete."""

    retention: tuple[Rule, ...] = _key((), parsers.retention)
    """The rules of retention for repositories that have no others, and whose owners
    have none."""

    undo_window: int | None = _key(7 * DAY, parsers.optional_count)
    """For how many seconds a manifest that lost a tag is spared, so that the tag can
    be put back. None spares none."""

    owner_quota: int | None = _key(None, parsers.optional_count)
    """How many bytes the repositories of an owner may have together, who has no quota
    of their own. None is any number."""

    owner_quota_images: int | None = _key(None, parsers.optional_count)
    """How many images the repositories of an owner may have together."""

    repository_quota: int | None = _key(None, parsers.optional_count)
    """How many bytes a repository may have that has no quota of its own."""

    repository_quota_images: int | None = _key(None, parsers.optional_count)
    """How many images a repository may have."""

    accel_redirect: str | None = _key(None, parsers.optional_prefix)
    """The internal nginx location that serves the storage folder; downloads
    are then answered with ``X-Accel-Redirect``. Default: None."""

    events: frozenset[str] = _key(KEPT, parsers.events)
    """The kinds of events that are kept, and told to webhooks; ``tag.*`` is all
    about tags."""

    event_lifetime: int = _key(30 * DAY, parsers.count)
    """For how many seconds events are kept, and longer where a webhook has yet to
    be told."""

    webhook_networks: tuple[parsers.Network, ...] = _key((), parsers.networks)
    """Networks that are not public and that webhooks may be in all the same."""

    webhook_timeout: int = _key(10, parsers.count)
    """For how many seconds a webhook may take to answer."""

    webhook_attempts: int = _key(20, parsers.count)
    """How often a webhook is told of an event before that is given up."""

    metrics: bool = _key(False, parsers.flag)
    """Whether requests are counted for Prometheus, which needs prometheus-client."""

    web_base_template: str = _key("oci/base.html", parsers.template)
    """The template that the pages extend; it has the blocks ``title`` and
    ``content``."""

    web_csp: str | None = _key(STRICT_CSP, parsers.optional_header)
    """The ``Content-Security-Policy`` of the pages; None sets none."""

    @property
    def protection(self) -> Protection:
        """Which tags are protected everywhere."""
        return Protection(self.protected_tags, self.immutable_tags)

    @property
    def owner_default(self) -> Quota:
        """How much an owner may have who has no quota of their own."""
        return Quota(self.owner_quota, self.owner_quota_images)

    @property
    def repository_default(self) -> Quota:
        """How much a repository may have that has no quota of its own."""
        return Quota(self.repository_quota, self.repository_quota_images)

    @property
    def undo_lifetime(self) -> timedelta | None:
        """For how long a lost tag can be put back."""
        window = self.undo_window
        return None if window is None else timedelta(seconds=window)

    @property
    def lease_freshness(self) -> timedelta:
        """How old a lease may be that need not be renewed yet."""
        return timedelta(seconds=self.grace_period / 4)

    @property
    def lease_lifetime(self) -> timedelta:
        """How old a lease has to be before the collection heeds it no more: the
        grace period began when it was last looked at, and not when it was renewed."""
        return timedelta(seconds=self.grace_period) + self.lease_freshness

    @classmethod
    def read(cls, settings: Mapping[str, t.Any], **derived: str) -> Config:
        """Read the keys from an application's configuration.

        :param settings: the configuration, usually ``app.config``.
        :param derived: defaults that depend on the application.
        :raises ConfigError: when a value cannot be used.
        """
        fields = {PREFIX + f.name.upper(): f for f in dataclasses.fields(cls)}
        _warn_of_misspellings(settings, fields)
        found: dict[str, t.Any] = {}
        for key, field in fields.items():
            default = derived.get(field.name, field.metadata["default"])
            value = settings.get(key, default)
            try:
                found[field.name] = field.metadata["parse"](value)
            except ValueError as error:
                raise ConfigError(f"{key} {error}, not {value!r}.") from None
        return cls(**found)


def _warn_of_misspellings(settings: Iterable[str], known: Iterable[str]) -> None:
    # Another library may use the same prefix, so only a near miss is told.
    for key in settings:
        if key.startswith(PREFIX) and key not in known:
            for meant in difflib.get_close_matches(key, known, n=1, cutoff=0.85):
                warnings.warn(
                    f"{key} is not a configuration key of flask_oci; did you mean"
                    f" {meant}?",
                    stacklevel=2,
                )
