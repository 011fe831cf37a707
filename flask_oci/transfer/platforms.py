"""Selection of the platforms of an index."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Sequence

from ..spec.digest import Digest
from ..spec.json_object import read_object
from ..spec.manifest import INDEX_TYPES
from ..spec.manifest import written_platform
from .base import RawManifest
from .base import Source
from .base import TransferError


def select(item: RawManifest, source: Source, wanted: Sequence[str]) -> RawManifest:
    """Return an image limited to some platforms.

    One platform selects the image of that platform. Several platforms create a new
    index, with another digest. An image that is no index is returned unchanged.

    :param wanted: platforms as clients write them, ``linux/arm64`` or ``linux/arm/v7``.
    :raises TransferError: if the index has none of them.
    """
    if item.media_type not in INDEX_TYPES:
        return item
    fields = read_object(item.content)
    children = item.parsed().descriptors
    listed = fields["manifests"] or ()
    entries = [entry for entry in listed if _is_one_of(entry, wanted)]
    if not entries:
        there = filter(None, map(_platform, listed))
        raise TransferError(
            f"{item.digest} has no image for {', '.join(wanted)}; it has"
            f" {', '.join(there) or 'none'}."
        )
    if len(entries) == 1 and len(wanted) == 1:
        found = {str(child.digest): child for child in children}
        return source.manifest(found[entries[0]["digest"]])
    content = json.dumps({**fields, "manifests": entries}, indent=2).encode()
    return RawManifest(Digest.of(content), item.media_type, content)


def _is_one_of(entry: dict[str, t.Any], wanted: Sequence[str]) -> bool:
    platform = _platform(entry)
    # Without a variant, any variant matches.
    return any(platform == w or platform.startswith(f"{w}/") for w in wanted)


def _platform(entry: dict[str, t.Any]) -> str:
    return written_platform(entry.get("platform"))
