"""Selection of the tags of a repository."""

from __future__ import annotations

import fnmatch
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence
from datetime import datetime
from datetime import timezone

from ..errors import RegistryError
from ..spec.json_object import read_object
from ..spec.manifest import INDEX_TYPES
from ..spec.rfc3339 import parse_time
from ..spec.tag_order import version
from .base import Interrupted
from .base import RawManifest
from .base import Source
from .transfer import is_manifest
from .transfer import MAX_DEPTH
from .transfer import VerifyingReader

CREATED: t.Final = "org.opencontainers.image.created"

#: The largest size of a config to read, in bytes.
MAX_CONFIG: t.Final = 2 * 1024 * 1024

#: Sorts before every known build time.
NEVER: t.Final = datetime.min.replace(tzinfo=timezone.utc)


def chosen(
    tags: Iterable[str], patterns: Sequence[str], exclude: Sequence[str]
) -> list[str]:
    """Return the tags that match a pattern and no exclusion.

    :param patterns: such as ``1.*``; no patterns match everything.
    """
    return [
        tag
        for tag in tags
        if (not patterns or any(fnmatch.fnmatchcase(tag, p) for p in patterns))
        and not any(fnmatch.fnmatchcase(tag, p) for p in exclude)
    ]


#: A sort key of a tag: the build time of its image, its version and its name.
Age = tuple[datetime, "list[tuple[int, int, str]]", str]


def newest(source: Source, tags: Sequence[str], count: int) -> list[str]:
    """Return the tags of the most recently built images, the oldest first.

    The build time is in the annotations or the config. Images without one are the
    oldest; among equal times, the higher version is newer.

    :param count: the largest number of tags.
    """
    dated = sorted((_created(source, tag), version(tag), tag) for tag in tags)
    return [tag for _, _, tag in dated[-count:]]


def age(source: Source, tag: str) -> Age:
    """Return the sort key of a tag. An image that cannot be read is the oldest."""
    try:
        moment = _created(source, tag)
    except Interrupted:
        moment = NEVER
    return moment, version(tag), tag


def oldest_first(
    source: Source, images: Iterable[tuple[str, str | None]]
) -> list[tuple[str, str | None]]:
    """Return images in the order in which they were built, because retention rules
    compare when tags were pushed.

    :param images: the reference of each in the source, and its tag in the target.
    """
    found = list(images)
    if len(found) == 1:
        return found

    def key(image: tuple[str, str | None]) -> tuple[datetime, bool, t.Any]:
        reference, tag = image[0], image[1] or ""
        # A tag without a number, such as "latest", usually follows the newest version.
        has_number = any(map(str.isdigit, tag))
        return age(source, reference)[0], not has_number, version(tag)

    return sorted(found, key=key)


def _created(source: Source, tag: str) -> datetime:
    """Return the build time of a tag's image, or the oldest time if it is
    unreadable."""
    try:
        return created(source, source.find(tag))
    except Interrupted:
        raise
    except (RegistryError, ValueError):
        return NEVER


def created(source: Source, item: RawManifest, depth: int = 0) -> datetime:
    """Return the build time of an image, or of the first image of an index.

    :param depth: the number of enclosing indexes.
    :raises TransferError: if content is missing.
    :raises RegistryError: if the manifest or the config is invalid.
    """
    manifest = item.parsed()
    if CREATED in manifest.annotations:
        return parse_time(manifest.annotations[CREATED]) or NEVER
    if item.media_type in INDEX_TYPES:
        for child in manifest.descriptors:
            if is_manifest(child) and depth < MAX_DEPTH:
                return created(source, source.manifest(child), depth + 1)
        return NEVER
    config = manifest.descriptors[0]
    if config.size > MAX_CONFIG or not config.media_type.endswith("json"):
        return NEVER
    with source.open(config) as file:
        checking = VerifyingReader(file, config, lambda _: None)
        content = b"".join(iter(lambda: checking.read(MAX_CONFIG), b""))
    return parse_time(read_object(content).get("created")) or NEVER
