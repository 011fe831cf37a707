"""Lists: reads per second, of a whole list or of one page."""

from __future__ import annotations

import time
import typing as t

from . import load
from .client import Connection
from .pushing import digest_of
from .pushing import image
from .pushing import MANIFEST_TYPE
from .pushing import push_blob
from .pushing import push_manifest
from .pushing import push_small_image
from .row import Measured
from .row import Row
from .server import Unavailable

if t.TYPE_CHECKING:
    from .row import Sizes
    from .server import Server

TAGS: t.Final = "bench/tags"
#: A registry that stores repositories as folders gets copies of this one.
CATALOG: t.Final = "bench/catalog"
REFERRERS: t.Final = "bench/referrers"

SUBJECT: t.Final = b'{"of": "many referrers"}'


def walk(connection: Connection, target: str) -> int:
    """Follow the links of a list to its end; return the number of pages."""
    pages = 0
    while True:
        answer = connection.request("GET", target).expect(200)
        pages += 1
        link = answer.headers.get("link")
        if link is None:
            return pages
        target = link.partition(">")[0].removeprefix("<")


def _walks(server: Server, repository: str, target: str, sizes: Sizes) -> Measured:
    with server.connect(repository) as connection:
        count, started = 0, time.perf_counter()
        while (taken := time.perf_counter() - started) < sizes.seconds:
            walk(connection, target)
            count += 1
    return Measured(count / taken, count)


def _fill_tags(server: Server, sizes: Sizes) -> None:
    with server.connect(TAGS) as connection:
        push_small_image(connection, TAGS, "latest")
    server.fill_tags(TAGS, sizes.tags)


def _page_of_tags(server: Server, sizes: Sizes) -> Measured:
    # The page is in the middle: a registry that reads from the start has no advantage.
    target = f"/v2/{TAGS}/tags/list?n=100&last=t{sizes.tags // 2:06}"
    authorization = server.authorization(TAGS)
    return Measured(*load.get(server.port, target, authorization, sizes.seconds))


def _fill_catalog(server: Server, sizes: Sizes) -> None:
    with server.connect(CATALOG) as connection:
        push_small_image(connection, CATALOG, "latest")
    server.fill_catalog(sizes.repositories, sizes.readable)


def _fill_referrers(server: Server, sizes: Sizes) -> None:
    with server.connect(REFERRERS) as connection:
        target = f"/v2/{REFERRERS}/referrers/{digest_of(SUBJECT)}"
        if connection.request("GET", target).status != 200:
            raise Unavailable
        push_blob(connection, REFERRERS, b"{}")
        for number in range(sizes.referrers):
            manifest = image(
                b"{}",
                subject={
                    "mediaType": MANIFEST_TYPE,
                    "digest": digest_of(SUBJECT),
                    "size": len(SUBJECT),
                },
                annotations={"org.example.number": str(number)},
            )
            push_manifest(connection, REFERRERS, digest_of(manifest), manifest)


ROWS: t.Final = (
    Row(
        "tags-page",
        "a page of 100 of 10 000 tags",
        "1/s",
        _page_of_tags,
        prepare=_fill_tags,
    ),
    Row(
        "tags-all",
        "all 10 000 tags",
        "1/s",
        lambda server, sizes: _walks(server, TAGS, f"/v2/{TAGS}/tags/list", sizes),
        prepare=_fill_tags,
    ),
    Row(
        "catalog",
        "the catalog of 10 000 repositories, to its end",
        "1/s",
        lambda server, sizes: _walks(server, "*", "/v2/_catalog?n=1000", sizes),
        prepare=_fill_catalog,
    ),
    Row(
        "referrers",
        "1 000 referrers of one subject",
        "1/s",
        lambda server, sizes: _walks(
            server, REFERRERS, f"/v2/{REFERRERS}/referrers/{digest_of(SUBJECT)}", sizes
        ),
        prepare=_fill_referrers,
    ),
)
