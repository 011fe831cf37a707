"""The content that the tests of unreliable stores push and pull."""

from __future__ import annotations

import os
import typing as t

from flask_oci.testing.manifests import digest_of

MIB: t.Final = 1024 * 1024
NAME: t.Final = "alice/app"
UPLOADS: t.Final = f"/v2/{NAME}/blobs/uploads/"
SMALL: t.Final = os.urandom(100_000)

#: Its first part is written while the request runs, and its tail at the end.
LARGE: t.Final = os.urandom(6 * MIB)


def path_of(content: bytes) -> str:
    """Return the path of a blob."""
    return f"/v2/{NAME}/blobs/{digest_of(content)}"
