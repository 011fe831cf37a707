"""Services: the parts of the registry of one application, for views and commands."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask import current_app
from flask import request

from .auth.access_tokens import AccessTokens
from .auth.accounts import Accounts
from .auth.authenticator import Authenticator
from .auth.policy import Policy
from .auth.principal import ANONYMOUS
from .auth.principal import Principal
from .auth.sealed_cursors import Cursors
from .auth.signed_tokens import FormTokens
from .auth.signed_tokens import Tokens
from .catalog import Catalog
from .catalog import Site
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
from .events.request_state import request_state
from .hooks import Hooks
from .operations.metrics import Metrics
from .storage import Storage
from .transfer import Images

if t.TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Services:
    """The parts of the registry of one application."""

    blueprint: str
    """The name of the blueprint of ``/v2``, which prefixes its endpoints."""

    config: Config
    hooks: Hooks
    catalog: Catalog
    storage: Storage
    content: Content
    documents: Documents
    summaries: Summaries
    images: Images
    tokens: Tokens
    form_tokens: FormTokens
    cursors: Cursors
    access_tokens: AccessTokens
    accounts: Accounts
    administration: RepositoryManager
    events: Events
    metrics: Metrics | None
    authenticator: Authenticator
    policy: Policy
    pulls: Pulls
    tag_protection: Protections
    retention: Retention
    quotas: Quotas


def services() -> Services:
    """Return the services of the current application."""
    return t.cast(Services, current_app.extensions[EXTENSION])


def principal() -> Principal:
    """Return the principal of the current request; anonymous before authentication."""
    return t.cast(Principal, request_state().principal or ANONYMOUS)


def remember(caller: Principal) -> None:
    """Set the principal of the current request."""
    state = request_state()
    state.principal = caller
    # Read now, because the row of the user may expire before the name is needed.
    state.set_actor(services().catalog.users.name_of(caller.user))
    state.audience = f"@{request.remote_addr}" if state.actor is None else state.actor


def site_quotas() -> Site:
    """Return the quotas of the current application's configuration."""
    config = services().config
    return Site(config.owner_default, config.repository_default)
