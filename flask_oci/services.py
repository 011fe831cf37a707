"""Services: the parts of the registry of one application, for views and commands."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from flask import current_app
from flask import request

from .auth.access_tokens import AccessTokens
from .auth.accounts import Accounts
from .auth.authenticator import Authenticator
from .auth.challenges import Challenges
from .auth.job_logins import JobLogins
from .auth.policy import Policy
from .auth.principal import ANONYMOUS
from .auth.principal import Principal
from .auth.publishers import Publishers
from .auth.rate_limit import RateLimiter
from .auth.robot_authenticator import RobotAuthenticator
from .auth.robot_logins import RobotLogins
from .auth.robot_secrets import SESSION
from .auth.robots import RobotManager
from .auth.sealed_cursors import Cursors
from .auth.signed_tokens import FormTokens
from .auth.signed_tokens import Tokens
from .auth.signing_keys import signing_keys
from .catalog import Catalog
from .catalog import Login
from .catalog import Site
from .config import Config
from .config import ConfigError
from .config import EXTENSION
from .core.admission import Admission
from .core.blocks import Blocks
from .core.content import Content
from .core.documents import Documents
from .core.inherited_rules import InheritedRules
from .core.pull_counter import Pulls
from .core.repositories import RepositoryManager
from .core.rule_sets import ImagePolicies
from .core.rule_sets import Protections
from .core.rule_sets import Quotas
from .core.rule_sets import Retention
from .core.rule_sets import Visibilities
from .core.signature_facts import SignatureReader
from .core.summaries import Summaries
from .core.trusted_signers import TrustedSigners
from .events import Events
from .events.request_state import request_state
from .hooks import Hooks
from .operations.jobs import JobReports
from .operations.jobs import JobRunner
from .operations.metrics import Metrics
from .operations.node_reports import NodeReporter
from .operations.work import Worker
from .operations.work_thread import WorkThread
from .storage.buckets.opening import open_storage
from .transfer import Images
from .transfer.local import LocalRegistry

if t.TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from flask import Flask
    from flask.sansio.app import App

    from .operations.work import JobOutcome
    from .storage import Storage
    from .upstreams.cache import UpstreamCache
    from .upstreams.manager import UpstreamManager


@dataclass(frozen=True)
class SharedServices:
    """The parts that all applications with one registry share."""

    hooks: Hooks
    catalog: Catalog
    access_tokens: AccessTokens
    robots: RobotManager
    publishers: Publishers
    accounts: Accounts
    administration: RepositoryManager
    events: Events
    tag_protection: Protections
    retention: Retention
    quotas: Quotas
    blocks: Blocks
    image_policies: ImagePolicies
    trusted_signers: TrustedSigners
    default_visibility: Visibilities
    upstream_manager: UpstreamManager


@dataclass(frozen=True)
class Services(SharedServices):
    """The parts of the registry of one application."""

    blueprint: str
    """The name of the blueprint of ``/v2``, which prefixes its endpoints."""

    config: Config
    storage: Storage
    admission: Admission
    content: Content
    signatures: SignatureReader
    documents: Documents
    summaries: Summaries
    inherited_rules: InheritedRules
    images: Images
    tokens: Tokens
    form_tokens: FormTokens
    cursors: Cursors
    metrics: Metrics | None
    authenticator: Authenticator
    challenges: Challenges
    policy: Policy
    pulls: Pulls
    jobs: JobReports
    node_reporter: NodeReporter
    upstreams: UpstreamCache | None
    """The cache of upstream registries, or None if none is configured."""


def make_services(shared: SharedServices, app: App, blueprint: str) -> Services:
    """Return the parts of the registry of an application.

    :param blueprint: the name of the blueprint of ``/v2``.
    :raises ConfigError: if a key of the configuration has an invalid value.
    """
    config = Config.read(
        app.config,
        storage_path=os.path.join(app.instance_path, "oci"),
        service=app.name,
    )
    catalog, hooks, accounts = shared.catalog, shared.hooks, shared.accounts
    keys = signing_keys(app)
    tokens = Tokens(keys, config.service, int(config.token_lifetime.total_seconds()))
    storage = open_storage(config, catalog.bucket_uploads)
    content = Content(config, catalog, storage)
    documents = Documents(catalog, storage)
    pulls = Pulls(catalog.pulls)
    pulls.write_at_exit(app)
    metrics = Metrics(catalog, storage) if config.metrics else None
    policy = Policy(config, hooks, catalog, accounts.status)
    robots = RobotLogins(catalog, policy.robots)
    logins = _job_logins(config, shared, robots)
    challenges = Challenges(config, f"{blueprint}.token")
    return Services(
        **vars(shared),
        blueprint=blueprint,
        config=config,
        storage=storage,
        admission=Admission(hooks, catalog, content.policies),
        content=content,
        signatures=SignatureReader(catalog, shared.trusted_signers),
        documents=documents,
        summaries=Summaries(catalog, documents),
        inherited_rules=InheritedRules(config, catalog),
        images=Images(LocalRegistry(config, catalog, storage, content)),
        tokens=tokens,
        form_tokens=FormTokens(keys),
        cursors=Cursors(keys),
        metrics=metrics,
        authenticator=Authenticator(
            config,
            hooks,
            tokens,
            shared.access_tokens,
            RateLimiter(catalog, config),
            catalog.users,
            accounts,
            RobotAuthenticator(robots, logins, shared.access_tokens, challenges),
            challenges,
        ),
        challenges=challenges,
        policy=policy,
        pulls=pulls,
        jobs=JobReports(config, catalog),
        node_reporter=NodeReporter(config, keys, catalog.nodes),
        upstreams=_upstream_cache(config, catalog, storage, content, metrics),
    )


def make_worker(
    stop: threading.Event | None = None,
    report: Callable[[JobOutcome], object] = lambda _: None,
) -> Worker:
    """Return the worker of the current application.

    :param stop: ends the work once it is set and the current piece is done.
    :param report: receives the outcome of each job and of deliveries.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return _worker_of(app, services(), stop, report)


def start_work_thread(app: Flask, parts: Services) -> None:
    """Run the background work in a thread of each process of the application, if it is
    configured so."""
    if parts.config.work == "thread":
        WorkThread(
            app,
            lambda stop: _worker_of(app, parts, stop),
            parts.catalog.jobs.has_own_connections,
        ).start_with_first_request()


def _worker_of(
    app: Flask,
    parts: Services,
    stop: threading.Event | None,
    report: Callable[[JobOutcome], object] = lambda _: None,
) -> Worker:
    config, catalog = parts.config, parts.catalog
    return Worker(
        config,
        catalog,
        context=app.app_context,
        deliveries=parts.events.worker(config),
        runner=JobRunner(
            config,
            parts.hooks,
            catalog,
            parts.storage,
            parts.documents,
            parts.content.attachments,
        ),
        stop=stop,
        report=report,
    )


def _job_logins(
    config: Config, shared: SharedServices, robots: RobotLogins
) -> JobLogins | None:
    if not config.oidc_issuers:
        return None
    try:
        from .auth.oidc.identity import IdentityTokens
        from .auth.oidc.key_cache import KeyCache
    except ModuleNotFoundError as error:
        if error.name not in ("jwt", "cryptography"):
            raise
        raise ConfigError(
            "OCI_OIDC_ISSUERS needs PyJWT: pip install flask-oci[oidc]"
        ) from None
    keys = KeyCache(config.oidc_networks, shared.catalog.release)
    audience = config.identity_audience or ""
    tokens = IdentityTokens(config.oidc_issuers, audience, keys)
    secrets, lifetime = shared.robots.secrets, config.oidc_token_lifetime
    return JobLogins(tokens, shared.catalog, secrets, robots, lifetime)


def _upstream_cache(
    config: Config,
    catalog: Catalog,
    storage: Storage,
    content: Content,
    metrics: Metrics | None,
) -> UpstreamCache | None:
    if not config.upstreams:
        return None
    try:
        from .upstreams.cache import UpstreamCache
    except ModuleNotFoundError as error:
        if error.name != "urllib3":
            raise
        raise ConfigError(
            "OCI_UPSTREAMS needs urllib3: pip install flask-oci[copy]"
        ) from None
    return UpstreamCache(config, catalog, storage, content, metrics)


def services() -> Services:
    """Return the services of the current application."""
    return t.cast(Services, current_app.extensions[EXTENSION])


def principal() -> Principal:
    """Return the principal of the current request; anonymous before authentication."""
    return t.cast(Principal, request_state().principal or ANONYMOUS)


def current_login() -> Login | None:
    """Return the login of the current request, or None if no user sent credentials."""
    caller = principal()
    if caller.is_anonymous:
        return None
    credential = caller.credential
    found = () if credential is None else (credential.id, credential.parent_id)
    return Login(tuple(filter(None, found)), caller.subject, caller.since)


def remember(caller: Principal) -> None:
    """Set the principal of the current request."""
    state = request_state()
    state.principal = caller
    # Read now, because the row of the user may expire before the name is needed.
    state.set_actor(services().catalog.users.name_of(caller.caller))
    state.is_robot = caller.robot is not None
    credential = caller.credential
    if credential is not None and credential.kind == SESSION:
        state.workflow = credential.about
    address = request.remote_addr if state.actor is None else None
    # A user may have the login name of a robot as their name.
    state.audience = (state.actor, "robot" if state.is_robot else address)


def site_quotas() -> Site:
    """Return the quotas of the current application's configuration."""
    config = services().config
    return Site(config.owner_default, config.repository_default)


def upstream_visibilities() -> dict[str, str]:
    """Return the namespaces of the current application's upstreams, each with the
    visibility of its repositories."""
    found = services().config.upstreams
    return {name: upstream.visibility for name, upstream in found.items()}
