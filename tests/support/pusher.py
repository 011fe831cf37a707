"""A client that pushes to a running forge over plain HTTP."""

from __future__ import annotations

import typing as t

from requests import Response
from requests import Session

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import media_type_of
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME

TIMEOUT = 60


class Pusher:
    """A client logged in as alice, for one of her repositories.

    Each request fails if its answer has an unexpected status.

    :param repository: its name.
    """

    def __init__(self, forge: Forge, repository: str) -> None:
        self._root = forge.url
        self._base = f"{forge.url}/v2/{repository}"
        self._session = Session()
        self._session.auth = (USERNAME, PASSWORD)

    def blob(self, content: bytes, status: int = 201) -> Response:
        """Push a blob, in one request."""
        address = f"{self._base}/blobs/uploads/?digest={digest_of(content)}"
        return self._sent("POST", address, status, content)

    def start(self, content: bytes) -> str:
        """Start an upload with the first bytes of a blob, and return its location."""
        begun = self._sent("POST", f"{self._base}/blobs/uploads/", 202)
        return self.append(begun.headers["Location"], content)

    def append(self, location: str, content: bytes) -> str:
        """Append a chunk to an upload."""
        sent = self._sent("PATCH", f"{self._root}{location}", 202, content)
        return sent.headers["Location"]

    def cancel(self, location: str) -> None:
        """Cancel an upload."""
        self._sent("DELETE", f"{self._root}{location}", 204)

    def manifest(self, content: bytes, tag: str, status: int = 201) -> Response:
        """Push a manifest."""
        address = f"{self._base}/manifests/{tag}"
        return self._sent("PUT", address, status, content)

    def image(self, tag: str, layer: bytes, status: int = 201) -> Response:
        """Push an image with its blobs.

        :param status: the expected status of its manifest.
        """
        for content in (CONFIG, layer):
            self.blob(content)
        return self.manifest(image(layer), tag, status)

    def tags(self) -> list[str]:
        """Return the tags of the repository."""
        listed = self._sent("GET", f"{self._base}/tags/list", 200).json()
        return t.cast("list[str]", listed["tags"])

    def _sent(
        self, method: str, address: str, status: int, content: bytes = b""
    ) -> Response:
        headers = {"Content-Type": media_type_of(content)} if method == "PUT" else {}
        answer = self._session.request(
            method, address, data=content, headers=headers, timeout=TIMEOUT
        )
        assert answer.status_code == status, answer.text
        return answer
