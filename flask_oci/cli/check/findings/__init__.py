"""The findings that a check can report, one module for each module of checks."""

from __future__ import annotations

import typing as t

from ..finding import FindingType
from ..finding import SEVERITIES
from . import accounts
from . import buckets
from . import disk
from . import downloads
from . import login
from . import nodes
from . import pages
from . import publishers
from . import pulling
from . import pushing
from . import requests
from . import robots
from . import settings
from . import tables
from . import tls
from . import trust
from . import upstreams
from . import work

_MODULES: t.Final = (
    settings,
    accounts,
    disk,
    buckets,
    downloads,
    tables,
    login,
    pages,
    requests,
    pushing,
    pulling,
    tls,
    trust,
    upstreams,
    robots,
    publishers,
    work,
    nodes,
)


def finding_types() -> list[FindingType]:
    """Return every type of finding, the most severe first, sorted by code."""
    order = list(SEVERITIES)
    found = [
        value
        for module in _MODULES
        for value in vars(module).values()
        if isinstance(value, FindingType)
    ]
    return sorted(found, key=lambda f: (order.index(f.severity), f.code))
