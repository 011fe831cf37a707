"""The example forge with its blobs in an object store, which nginx reads."""

from __future__ import annotations

import re

from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.forge_behind_nginx import ForgeBehindNginx
from tests.support.object_stores import Store


def documented_locations(address: str, store: str) -> str:
    """Return the locations of nginx for a store, as the deployment page has them.

    :param address: where ``proxy_pass`` finds the store.
    :param store: the name of the store in the location.
    """
    text = _documented("nginx and an object store")
    for known, own in (
        ("https://store.example.com", address),
        ("s3-forge-images", store),
    ):
        assert known in text
        text = text.replace(known, own)
    return text


def documented_resolution(port: int, store: str, names: int) -> str:
    """Return the lines that let nginx resolve the name of a store again.

    :param port: the port of the store, which is at ``localhost``.
    :param store: the name of the store in the location.
    :param names: the port of the name server.
    """
    text = _documented("A store whose addresses change")
    for known, own in (
        ("127.0.0.53 valid=30s", f"127.0.0.1:{names} valid=1s ipv6=off"),
        ("store.example.com", "localhost"),
        ("https://$oci_store", f"http://$oci_store:{port}"),
        ("s3-forge-images", store),
    ):
        assert known in text
        text = text.replace(known, own)
    return text


def _documented(section: str) -> str:
    """Return the configuration of nginx in a section of the deployment page."""
    (text,) = (
        block.code
        for block in ALL_BLOCKS
        if (block.page, block.section) == ("docs/deployment.rst", section)
        and block.kind == "nginx"
    )
    return text


class StoreBehindNginx(ForgeBehindNginx):
    """The forge behind nginx, which also reads a store.

    :param store: has the blobs.
    :param prefix: the prefix in its bucket.
    """

    def __init__(
        self, store: Store, prefix: str, address: str | None = None, **settings: str
    ) -> None:
        super().__init__(OCI_DOWNLOADS="nginx", **store.environment(prefix), **settings)
        name = self.settings["OCI_STORAGE"].partition("?")[0]
        self.location = re.sub(r"[^A-Za-z0-9]+", "-", name.rstrip("/"))
        self._address = store.address

    def configuration(self) -> str:
        """Return the configuration with the documented locations."""
        text = documented_locations(self._address, self.location)
        text = text.replace("http://127.0.0.1:8000", "http://forge")
        found = super().configuration()
        assert "location = /v2/token" in found
        return found.replace("location = /v2/token", f"{text}\nlocation = /v2/token")


class NamedStoreBehindNginx(StoreBehindNginx):
    """The forge behind an nginx that resolves the name of the store again.

    :param store: has the blobs.
    :param prefix: the prefix in its bucket.
    :param names: the port of the name server.
    """

    def __init__(self, store: Store, prefix: str, names: int) -> None:
        url = store.url.replace("127.0.0.1", "localhost")
        super().__init__(store._replace(url=url), prefix)
        self._store_port, self._names = store.port, names

    def configuration(self) -> str:
        """Return the configuration with the documented lines."""
        found, fixed = super().configuration(), f"proxy_pass {self._address}/;"
        assert fixed in found
        return found.replace(
            fixed, documented_resolution(self._store_port, self.location, self._names)
        )
