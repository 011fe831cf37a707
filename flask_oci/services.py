"""What one application's registry is made of, and how a view gets at it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask import current_app
from flask import g

from .access_tokens import AccessTokens
from .administration import Administration
from .auth import Authenticator
from .catalog import Catalog
from .config import Config
from .config import EXTENSION
from .content import Content
from .events import Events
from .governance import Protections
from .governance import Quotas
from .governance import Retention
from .hooks import Hooks
from .metrics import Metrics
from .policy import Policy
from .principal import ANONYMOUS
from .principal import Principal
from .pulls import Pulls
from .storage import Storage
from .tokens import FormTokens
from .tokens import Tokens
from .transfer import Images


@dataclass(frozen=True)
class Services:
    """The parts that answer requests for one application."""

    config: Config
    hooks: Hooks
    catalog: Catalog
    storage: Storage
    content: Content
    images: Images
    tokens: Tokens
    form_tokens: FormTokens
    access_tokens: AccessTokens
    administration: Administration
    events: Events
    metrics: Metrics | None
    authenticator: Authenticator
    policy: Policy
    pulls: Pulls
    protection: Protections
    retention: Retention
    quotas: Quotas


def services() -> Services:
    """Return the parts that belong to the current application."""
    return t.cast(Services, current_app.extensions[EXTENSION])


def principal() -> Principal:
    """Return who makes the current request; nobody, until that has been found out."""
    return t.cast(Principal, g.get("_oci_principal", ANONYMOUS))


def remember(asking: Principal) -> None:
    """Set who makes the current request."""
    g._oci_principal = asking
    # Later, the user's row may have to be read again for it.
    g._oci_actor = services().catalog.users.name_of(asking.user)
