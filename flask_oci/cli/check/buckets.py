"""Checks of the bucket of the blobs."""

from __future__ import annotations

import typing as t
from contextlib import suppress

from ...catalog import FAILURES
from ...catalog import REFUSED
from ...config.bucket_url import BucketUrl
from ...errors import StorageForeign
from ...errors import Unavailable
from ...storage.buckets.inspection import Inspectable
from ...storage.buckets.storage import BucketStorage
from ...storage.buckets.storage import IDENTITY
from .disk import identity_problem
from .finding import Finding
from .findings import buckets as findings
from .findings import disk as disk_findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .target import Target

#: The largest accepted clock difference, in seconds. AWS accepts 15 minutes.
MAX_SKEW: t.Final = 60


def check(target: Target) -> Iterator[Finding]:
    """Perform the operations of a push in the bucket, and look at its setup."""
    storage = target.parts.storage
    # It is the part of a storage that also reads other stores.
    default = storage.part(storage.store)
    if isinstance(default, BucketStorage):
        yield from _check_bucket(target, default)
    for store in storage.stores():
        yield from _check_identity(target, store)


def _check_identity(target: Target, store: str) -> Iterator[Finding]:
    try:
        target.parts.content.storage_identity.verify_part(store)
    except StorageForeign as error:
        yield findings.FOREIGN.found(error.problem)
    except (Unavailable, *FAILURES, REFUSED):
        # Another finding is about the database and its tables.
        target.parts.catalog.rollback()


def _check_bucket(target: Target, storage: BucketStorage) -> Iterator[Finding]:
    failure = storage.examine().failure
    if failure is not None:
        yield findings.UNUSABLE.found(f"{storage.name}: {failure}")
        return
    problem = identity_problem(target)
    if problem is not None:
        yield disk_findings.IDENTITY.found(problem)
    yield from _check_transport(target)
    if isinstance(storage.bucket, Inspectable):
        with suppress(Unavailable):
            yield from _check_setup(storage.bucket, storage.name)


def _check_transport(target: Target) -> Iterator[Finding]:
    config = target.parts.config
    url = target.url or config.external_url or ""
    if not isinstance(config.storage, BucketUrl) or not url.startswith("https:"):
        return
    endpoint = config.storage.options.get("endpoint", "https:")
    if endpoint.startswith("http:"):
        yield findings.PLAIN_HTTP.found(f"The endpoint is {endpoint}.")


def _check_setup(bucket: Inspectable, name: str) -> Iterator[Finding]:
    seen = bucket.inspect(IDENTITY)
    if seen.behind is not None and abs(seen.behind) > MAX_SKEW:
        side = "behind" if seen.behind > 0 else "ahead"
        yield findings.CLOCK.found(
            f"The clock of {name} is {abs(seen.behind):.0f} s {side}."
        )
    if seen.is_public:
        yield findings.PUBLIC.found(f"{name} is public.")
    if seen.removes_blobs:
        yield findings.REMOVES.found(f"{name}: {', '.join(seen.removes_blobs)}.")
    if seen.keeps_versions:
        yield findings.VERSIONED.found(f"{name} keeps versions.")
    if seen.aborts_uploads is False:
        yield findings.NO_ABORT.found(f"{name} has no rule that aborts uploads.")
