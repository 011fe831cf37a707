"""The manifest that the address of a page names."""

from __future__ import annotations

from flask import abort

from ..catalog.repository_contents import ManifestRow
from ..errors import RegistryError
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import parse_reference


def find(repository_id: int, reference: str) -> tuple[ManifestRow, str | None]:
    """Return the manifest with a tag or a digest, and the tag; 404 if there is none.

    The tag is None if the reference is a digest.
    """
    contents = services().catalog.repository_contents
    try:
        parsed = parse_reference(reference)
    except RegistryError:
        abort(404)
    if isinstance(parsed, Digest):
        found = contents.manifests(repository_id, [reference], whole=True)
        row = found.get(reference)
        return (row, None) if row else abort(404)
    tagged = contents.tagged(repository_id, parsed)
    return (tagged.manifest, tagged.name) if tagged else abort(404)
