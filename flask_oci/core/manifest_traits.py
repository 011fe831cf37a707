"""The kind and the platform of a manifest, for lists of repositories."""

from __future__ import annotations

import re
import typing as t

from ..catalog.manifest_traits import Traits
from ..errors import Unavailable
from ..spec.manifest import IMAGE_CONFIGS
from ..spec.manifest import MANIFEST_TYPES
from . import artifact_types
from . import documents

if t.TYPE_CHECKING:
    from ..spec.manifest import Descriptor
    from ..spec.manifest import Manifest

#: A platform that can be searched for. The client writes it into the config.
_PLATFORM: t.Final = re.compile(r"[a-z0-9._-]{1,20}(?:/[a-z0-9._-]{1,20}){1,2}")


class TraitReader:
    """Reads the traits of a manifest when it is pushed.

    :param reader: reads the configs of images.
    """

    def __init__(self, reader: documents.Documents) -> None:
        self._documents = reader

    def of(self, manifest: Manifest) -> Traits:
        """Return the traits of a manifest.

        The config may belong to another repository. The caller has to check that the
        manifest's own repository has it.
        """
        others = (d.media_type for d in manifest.descriptors if d.kind != "config")
        kind = artifact_types.recognise(
            manifest.media_type,
            manifest.artifact_type or "",
            min(others, default=""),
        )
        listed = artifact_types.listed_kind(
            kind, is_attached=manifest.subject is not None
        )
        config = next((d for d in manifest.descriptors if d.kind == "config"), None)
        if (
            listed != artifact_types.IMAGE.key
            or manifest.media_type not in MANIFEST_TYPES
            or config is None
            or config.media_type not in IMAGE_CONFIGS
        ):
            return Traits(listed)
        return Traits(listed, self._platform(config), str(config.digest))

    def _platform(self, descriptor: Descriptor) -> str | None:
        try:
            config = self._documents.read_unlinked(
                descriptor.digest, descriptor.size, documents.SMALL_CONFIG
            )
        except (OSError, Unavailable):
            # A push does not depend on it.
            return None
        platform = documents.platform(config)
        return platform if _PLATFORM.fullmatch(platform) else None
