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
    (text,) = (
        block.code
        for block in ALL_BLOCKS
        if (block.page, block.section)
        == ("docs/deployment.rst", "nginx and an object store")
        and block.kind == "nginx"
    )
    for known, own in (
        ("https://store.example.com", address),
        ("s3-forge-images", store),
    ):
        assert known in text
        text = text.replace(known, own)
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
