"""Small requests: answers, or pushed images, per second."""

from __future__ import annotations

import itertools
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from . import load
from .pushing import digest_of
from .pushing import push_blob
from .pushing import push_small_image
from .row import Measured
from .row import Row

if t.TYPE_CHECKING:
    from .row import Sizes
    from .server import Server

REPOSITORY: t.Final = "bench/small"

_numbers = itertools.count()


def push_images(server: Server, clients: int, count: int) -> Measured:
    """Push small images from several clients at once, the same number from each."""

    def work(client: int) -> None:
        name = f"bench/images{client}"
        with server.connect(name) as connection:
            for _ in range(count // clients):
                push_small_image(connection, name, f"t{next(_numbers)}")

    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        for _ in pool.map(work, range(clients)):
            pass
        taken = time.perf_counter() - started
    return Measured(count / taken, count)


def push_image(server: Server, sizes: Sizes) -> None:
    """Push the image and the blob that the rows read."""
    with server.connect(REPOSITORY) as connection:
        manifest = push_small_image(connection, REPOSITORY, "latest")
        server.manifest = digest_of(manifest)
        server.blob = push_blob(connection, REPOSITORY, bytes(range(256)) * 16)


def get(server: Server, path: str, sizes: Sizes) -> Measured:
    """Repeat a GET below the repository."""
    authorization = server.authorization(REPOSITORY)
    target = f"/v2/{REPOSITORY}/{path}"
    return Measured(*load.get(server.port, target, authorization, sizes.seconds))


def _head(server: Server, path: str, sizes: Sizes) -> Measured:
    authorization = server.authorization(REPOSITORY)
    target = f"/v2/{REPOSITORY}/{path}"
    return Measured(*load.head(server.port, target, authorization, sizes.seconds))


def _token(server: Server, sizes: Sizes) -> Measured:
    target, login = server.token_request(REPOSITORY)
    return Measured(*load.get(server.port, target, login, sizes.seconds))


ROWS: t.Final = (
    Row(
        "get-tag",
        "GET of a manifest by its tag",
        "1/s",
        lambda server, sizes: get(server, "manifests/latest", sizes),
        prepare=push_image,
    ),
    Row(
        "get-digest",
        "GET of a manifest by its digest",
        "1/s",
        lambda server, sizes: get(server, f"manifests/{server.manifest}", sizes),
        prepare=push_image,
    ),
    Row(
        "head-tag",
        "HEAD of a manifest by its tag",
        "1/s",
        lambda server, sizes: _head(server, "manifests/latest", sizes),
        prepare=push_image,
    ),
    Row(
        "get-blob",
        "GET of a blob of 4 KiB",
        "1/s",
        lambda server, sizes: get(server, f"blobs/{server.blob}", sizes),
        prepare=push_image,
    ),
    Row(
        "head-blob",
        "HEAD of a blob",
        "1/s",
        lambda server, sizes: _head(server, f"blobs/{server.blob}", sizes),
        prepare=push_image,
    ),
    Row("token", "GET of a token", "1/s", _token),
    Row(
        "images-one",
        "small images pushed by one client",
        "1/s",
        lambda server, sizes: push_images(server, 1, sizes.images),
    ),
    Row(
        "images-eight",
        "small images pushed by eight clients",
        "1/s",
        lambda server, sizes: push_images(server, 8, sizes.images * 2),
    ),
)
