"""Configuration keys: the default, the meaning and the parser of each ``OCI_*`` key.

The registry reads the keys once, when its blueprint is registered on an application.
A key that ends in ``_LIFETIME`` says how long something is kept or valid, ``_PERIOD``
is a span after an action, and ``_TIMEOUT`` is how long the registry waits for another
server. Each of them takes a number of seconds or a :class:`~datetime.timedelta`.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from ..rules.image_policy import PolicyRule
from ..rules.protection import Protection
from ..rules.quota import Quota
from ..rules.retention_rules import Rule
from . import bucket_url
from . import combinations
from . import downloads as download_settings
from . import parsers
from .issuers import Issuer
from .issuers import issuers
from .issuers import optional_audience
from .languages import languages as parse_languages
from .reading import ConfigError
from .reading import key
from .reading import parse_all
from .reading import PREFIX
from .upstreams import Upstream
from .upstreams import upstreams

if t.TYPE_CHECKING:
    from collections.abc import Mapping

#: The name of the registry in ``app.extensions``.
EXTENSION: t.Final = "oci"

#: The name of the blueprint of the REST interface.
REST: t.Final = "oci_api"

MIB: t.Final = 1024 * 1024
QUARTER_HOUR: t.Final = timedelta(minutes=15)
HOUR: t.Final = timedelta(hours=1)
DAY: t.Final = timedelta(days=1)
WEEK: t.Final = timedelta(days=7)

#: Allows no resource of another origin and no inline script or style, so that a browser
#: runs nothing that a client has pushed.
STRICT_CSP: t.Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


#: The kinds of events that are stored by default. Events about blobs and pulls are
#: frequent, and few hosts need them.
DEFAULT_EVENTS: t.Final = (
    "manifest.pushed",
    "manifest.deleted",
    "tag.*",
    "repository.*",
    "collection.*",
)


@dataclass(frozen=True)
class Config:
    """The settings of the registry of one application."""

    storage: object = key(None, bucket_url.storage, is_secret=True)
    """Where new blobs are stored: None is the folder of ``OCI_STORAGE_PATH``. It is the
    path of another folder, the address of a bucket, such as ``s3://bucket/prefix``, or
    an object with the methods of a bucket or a storage."""

    storage_credentials: dict[str, str] = key(
        {}, bucket_url.credentials, is_secret=True
    )
    """The keys of the bucket, unless the environment has them."""

    storage_also: tuple[tuple[object, dict[str, str]], ...] = key(
        (), bucket_url.others, is_secret=True
    )
    """Other buckets, from which blobs are read that were stored there before: a list of
    addresses, or a dict with the ``OCI_STORAGE_CREDENTIALS`` of each."""

    storage_path: str = key(None, parsers.path)
    """The folder of the blobs. Default: ``oci`` in the instance folder of the
    application."""

    storage_reserve: int | None = key(None, parsers.optional_size)
    """The free disk space, in bytes, below which pushes are refused, so that pulls,
    deletions and the collection continue. None is 1 % of the disk, and at most 256
    MiB. 0 reserves nothing."""

    external_url: str | None = key(None, parsers.optional_url)
    """The URL of the application's root for clients. None takes scheme and host from
    each request."""

    absolute_locations: bool | None = key(None, parsers.optional_flag)
    """Whether ``Location`` headers contain scheme and host. None adds them if
    ``OCI_EXTERNAL_URL`` is set."""

    service: str = key(None, parsers.service)
    """The name of this registry in challenges and tokens. The registry rejects a token
    that was issued for another service. Default: the name of the application."""

    token_lifetime: timedelta = key(QUARTER_HOUR, parsers.token_lifetime)
    """How long a bearer token is valid; at least 60 seconds."""

    refresh_token_lifetime: timedelta = key(90 * DAY, parsers.duration)
    """How long a refresh token is valid after its last use. Docker keeps a refresh
    token instead of the password."""

    password_login: bool = key(True, parsers.flag)
    """Whether ``docker login`` accepts the passwords of the host. Set it to False if
    users sign in with a second factor or with another service: they then log in with
    access tokens only."""

    require_login: bool = key(False, parsers.flag)
    """Whether every client has to log in, even to pull from public repositories."""

    read_cache: bool = key(True, parsers.flag)
    """Whether rows are kept in memory until something is committed to the database."""

    cache_policy: bool | t.Literal["statements"] = key(False, parsers.cache_policy)
    """Whether users, and permissions by the host's ``authorize`` and ``visibility_of``,
    are kept in the same way. Set it to True if these functions depend on their
    arguments and on the registry's database alone, and to "statements" if they also
    read it with ``db.session`` only: the results are then kept until their statements
    return other rows."""

    oidc_issuers: dict[str, Issuer] = key({}, issuers)
    """The issuers of identity tokens by which jobs may log in, each with its kind.
    :doc:`publishers` describes the values. This needs PyJWT."""

    oidc_audience: str | None = key(None, optional_audience)
    """The audience that an identity token must have. None is ``OCI_EXTERNAL_URL``."""

    oidc_token_lifetime: timedelta = key(HOUR, parsers.token_lifetime)
    """How long a registry token is valid that a job got for its identity token."""

    oidc_networks: tuple[parsers.Network, ...] = key((), parsers.networks)
    """The networks that are not public and that issuers may be in."""

    login_attempts: int | None = key(20, parsers.optional_count)
    """The number of failed logins to one account from one address within
    ``OCI_LOGIN_PERIOD``. The limit for all accounts together is ten times that number.
    None sets no limit."""

    login_period: timedelta = key(QUARTER_HOUR, parsers.duration)
    """How long failed logins are counted after the first one."""

    max_manifest_size: int = key(10 * MIB, parsers.count)
    """The maximum size of a manifest in bytes. The answer to a larger one is 413."""

    max_blob_size: int | None = key(None, parsers.optional_count)
    """The maximum size of a blob in bytes. None sets no limit."""

    chunk_min_length: int | None = key(None, parsers.optional_count)
    """The value of ``OCI-Chunk-Min-Length`` in bytes. None sends no such header."""

    max_page_size: int = key(1000, parsers.count)
    """The maximum number of entries in one response: tags, repositories or
    referrers."""

    grace_period: timedelta = key(DAY, parsers.duration)
    """How long the collection spares unreferenced content after a client pushed it or
    learned that it exists. The client has that long to push its manifest."""

    upload_lifetime: timedelta = key(WEEK, parsers.duration)
    """How long an upload session may be idle before the collection ends it."""

    untagged_lifetime: timedelta | None = key(None, parsers.optional_duration)
    """How long a manifest is kept without a tag, unless an index, a subject or a
    referrer needs it. None keeps it until a user deletes it."""

    allow_sparse: bool = key(False, parsers.flag)
    """Whether a client may push a manifest before, or without, the content that it
    references."""

    allow_delete_in_use: bool = key(False, parsers.flag)
    """Whether a client may delete a manifest that an index needs, or a blob that a
    manifest needs."""

    protected_tags: tuple[str, ...] = key((), parsers.tag_patterns)
    """Patterns of tags, for all repositories. Only users who may manage a repository
    can move or delete its matching tags."""

    immutable_tags: tuple[str, ...] = key((), parsers.tag_patterns)
    """Patterns of tags, for all repositories, that no user can move or delete."""

    retention: tuple[Rule, ...] = key((), parsers.retention)
    """The retention rules for repositories that have no rules of their own and whose
    owners have none."""

    image_policy: tuple[PolicyRule, ...] = key((), parsers.image_policy)
    """The signatures and scans that the images of all repositories need to be
    pulled."""

    undo_period: timedelta | None = key(WEEK, parsers.optional_duration)
    """How long a manifest is kept after it lost a tag, so that the tag can be restored.
    None does not keep it."""

    history_lifetime: timedelta = key(365 * DAY, parsers.duration)
    """How long the history of tags is kept. Moves that can be undone are kept longer.
    Of the others, each repository keeps at most the latest 10 000."""

    owner_quota: int | None = key(None, parsers.optional_count)
    """The quota, in bytes, of all repositories of an owner together, for owners without
    a quota of their own. None sets no limit."""

    owner_quota_images: int | None = key(None, parsers.optional_count)
    """The same as a number of images."""

    repository_quota: int | None = key(None, parsers.optional_count)
    """The quota, in bytes, of a repository without a quota of its own. None sets no
    limit."""

    repository_quota_images: int | None = key(None, parsers.optional_count)
    """The same as a number of images."""

    work: t.Literal["thread"] | None = key(None, parsers.work)
    """Whether the application runs the background work itself, in one thread of each
    process (``"thread"``). None leaves it to ``flask oci work``."""

    retention_interval: timedelta = key(DAY, parsers.duration)
    """The time between two runs of retention by the background work."""

    collection_interval: timedelta = key(DAY, parsers.duration)
    """The time between two collections by the background work."""

    downloads: download_settings.Mode | None = key(None, download_settings.mode)
    """How blobs reach a client: "stream", "nginx" or "redirect". None is "nginx" with
    ``OCI_ACCEL_REDIRECT``, and "stream" without."""

    accel_redirect: str | None = key(None, parsers.optional_prefix)
    """The internal nginx location that sends blobs, named in ``X-Accel-Redirect``."""

    redirect_except_networks: tuple[parsers.Network, ...] = key((), parsers.networks)
    """The networks of clients that are not redirected."""

    redirect_except_repositories: download_settings.Repositories = key(
        (), download_settings.repositories
    )
    """The repositories and paths from which clients are not redirected."""

    events: frozenset[str] = key(DEFAULT_EVENTS, parsers.events)
    """The kinds of events that are stored and delivered to webhooks. ``tag.*`` stands
    for all kinds about tags."""

    event_lifetime: timedelta = key(30 * DAY, parsers.duration)
    """How long events are kept. An event that has yet to be delivered to a webhook is
    kept longer."""

    webhook_networks: tuple[parsers.Network, ...] = key((), parsers.networks)
    """The networks that are not public and that webhooks may be in."""

    owner_webhooks: int | None = key(10, parsers.optional_count)
    """The maximum number of webhooks that each user may add for repositories and paths
    that they manage. None allows only administrators to add webhooks."""

    owner_webhook_networks: tuple[parsers.Network, ...] = key((), parsers.networks)
    """The networks that are not public and that webhooks of users may be in."""

    webhook_timeout: timedelta = key(timedelta(seconds=10), parsers.duration)
    """How long a webhook may take to answer."""

    webhook_attempts: int = key(20, parsers.count)
    """The maximum number of attempts to deliver an event to a webhook."""

    sigstore_root: str | None = key(None, parsers.optional_file)
    """The file with the trusted root of Sigstore (``trusted_root.json``), with which
    signatures by identities are verified. None verifies only those by keys and
    certificates. The registry does not fetch it."""

    upstreams: dict[str, Upstream] = key({}, upstreams, is_secret=True)
    """The upstream registries whose images are cached, each with its namespace as the
    key. :doc:`upstreams` describes the values."""

    metrics: bool = key(False, parsers.flag)
    """Whether requests are counted for Prometheus. This needs prometheus-client."""

    login_url: str | None = key(None, parsers.optional_address)
    """The path or the URL of the application's login page. The pages send anonymous
    visitors there, with the page to return to in the parameter ``next``. None uses
    the login view of Flask-Login."""

    languages: tuple[str, ...] = key(("en",), parse_languages)
    """The languages of the pages, the default first. The browser's preference decides
    between them. With Flask-Babel, Flask-Babel selects the language instead."""

    web_base_template: str = key("oci/base.html", parsers.template)
    """The template that the pages extend. It has the blocks ``title`` and
    ``content``."""

    web_csp: str | None = key(STRICT_CSP, parsers.optional_header)
    """The ``Content-Security-Policy`` of the pages. None sets no such header."""

    @property
    def identity_audience(self) -> str | None:
        """The audience that an identity token must have, or None if there is none."""
        return self.oidc_audience or self.external_url

    @property
    def protection(self) -> Protection:
        """The protected and immutable tags of all repositories."""
        return Protection(self.protected_tags, self.immutable_tags)

    @property
    def owner_default(self) -> Quota:
        """The quota of an owner without a quota of their own."""
        return Quota(self.owner_quota, self.owner_quota_images)

    @property
    def repository_default(self) -> Quota:
        """The quota of a repository without a quota of its own."""
        return Quota(self.repository_quota, self.repository_quota_images)

    @property
    def lease_freshness(self) -> timedelta:
        """The age up to which a lease need not be renewed."""
        return self.grace_period / 4

    @property
    def lease_lifetime(self) -> timedelta:
        """The age at which a lease expires. The grace period begins when a client last
        asked for the content, which may be later than the renewal of the lease."""
        return self.grace_period + self.lease_freshness

    @classmethod
    def read(cls, settings: Mapping[str, t.Any], **derived: str) -> Config:
        """Return the configuration of an application.

        :param settings: the values by key, usually ``app.config``.
        :param derived: defaults that depend on the application, by field name.
        :raises ConfigError: if a value is invalid.
        """
        found = parse_all(dataclasses.fields(cls), settings, derived)
        combinations.complete(found, has_folder=PREFIX + "STORAGE_PATH" in settings)
        config = cls(**found)
        if config.oidc_issuers and config.identity_audience is None:
            raise ConfigError(
                "OCI_OIDC_ISSUERS needs OCI_EXTERNAL_URL or OCI_OIDC_AUDIENCE, because"
                " identity tokens for other services must not be accepted here."
            )
        return config
