"""Direct access to a registry, without a client."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request

from flask_oci.testing import digest_of
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME

#: Without these, some registries return another manifest than the pushed one.
TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


class Remote:
    """The content of the registry, byte for byte."""

    def __init__(self, forge: Forge) -> None:
        self._url = forge.url
        secret = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}", "Accept": ", ".join(TYPES)}

    def manifest(self, repository: str, reference: str) -> bytes:
        """Return a manifest as pushed."""
        return self._get(f"/v2/{repository}/manifests/{reference}")

    def exists(self, repository: str, reference: str) -> bool:
        """Return True if a manifest exists."""
        try:
            return bool(self.manifest(repository, reference))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise
            return False

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository."""
        found: list[str] = json.loads(self._get(f"/v2/{repository}/tags/list"))["tags"]
        return found

    def digests(self, repository: str, reference: str) -> set[str]:
        """Return the digests of a manifest and of its content, each verified."""
        content = self.manifest(repository, reference)
        algorithm = reference.partition(":")[0] if ":" in reference else "sha256"
        found = {digest_of(content, algorithm)}
        manifest = json.loads(content)
        for child in manifest.get("manifests", []):
            found |= self.digests(repository, child["digest"])
        for blob in [*manifest.get("layers", []), manifest.get("config")]:
            if blob:
                self.blob(repository, blob["digest"])
                found.add(blob["digest"])
        return found

    def blob(self, repository: str, digest: str) -> bytes:
        """Return a blob after verifying its digest."""
        content = self._get(f"/v2/{repository}/blobs/{digest}")
        assert digest == digest_of(content, digest.partition(":")[0])
        return content

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(self._url + path, headers=self._headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            content: bytes = response.read()
            return content
