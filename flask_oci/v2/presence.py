"""Whether what the catalog knows of is really there."""

from __future__ import annotations

from flask import current_app

from ..services import services
from ..spec.digest import Digest


def is_stored(digest: Digest, size: int) -> bool:
    """Tell whether the storage has a blob that the catalog has a row of.

    A row is a promise that only the file can keep. Where the file is lost, the
    blob counts as absent, so that a client pushes it again and thereby mends it.

    :param size: in bytes, as the row has it.
    """
    found = services().storage.size(digest)
    if found != size:
        current_app.logger.error(
            "The blob %s should have %d bytes and has %s. Push it again, or run"
            " 'flask oci fsck'.",
            digest,
            size,
            "no file" if found is None else found,
        )
    return found == size
