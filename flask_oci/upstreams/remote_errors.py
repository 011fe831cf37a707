"""Kinds of failures of upstreams, by the status or the error of a request."""

from __future__ import annotations

import typing as t

import urllib3

from ..errors import RegistryError
from ..transfer.base import Interrupted
from ..transfer.base import TransferError
from .failures import ERROR
from .failures import INVALID
from .failures import LIMITED
from .failures import MISSING
from .failures import REFUSED
from .failures import UNREACHABLE
from .failures import UpstreamFailed

#: The statuses for content that does not exist.
MISSING_STATUSES: t.Final = frozenset({404, 410})

_KINDS: t.Final = {
    429: LIMITED,
    401: REFUSED,
    403: REFUSED,
    **dict.fromkeys(MISSING_STATUSES, MISSING),
}


def kind_of(status: int) -> str:
    """Return the kind of failure that a status stands for."""
    return _KINDS.get(status, ERROR)


def as_failure(error: BaseException) -> UpstreamFailed | None:
    """Return the failure of an upstream that an error stands for, or None."""
    if isinstance(error, UpstreamFailed):
        return error
    if isinstance(error, TransferError) and error.status is not None:
        return UpstreamFailed(kind_of(error.status), str(error))
    if isinstance(error, (Interrupted, urllib3.exceptions.HTTPError, OSError)):
        return UpstreamFailed(UNREACHABLE, str(error))
    if isinstance(error, (RegistryError, ValueError)):
        return UpstreamFailed(INVALID, str(error))
    return None
