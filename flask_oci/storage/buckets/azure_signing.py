"""URLs that a user delegation key of Azure signs.

The client of Azure signs with its newest version only, which Azurite does not know.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t
from urllib.parse import urlencode

from ..protocol import BLOB_DISPOSITION
from ..protocol import BLOB_TYPE

if t.TYPE_CHECKING:
    from datetime import datetime

    from azure.storage.blob import UserDelegationKey

#: The version of the format: that of all versions up to 2025-05-05.
_VERSION: t.Final = "2022-11-02"


def signed_query(
    path: str, key: UserDelegationKey, end: datetime, protocol: str
) -> str:
    """Return the query with which a client may read one object.

    :param path: the account, the container and the name of the object.
    :param end: the end of its validity, in UTC.
    :param protocol: ``https``, or an empty string for HTTP as well.
    """
    fields = {
        "sp": "r",
        "se": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "skoid": key.signed_oid or "",
        "sktid": key.signed_tid or "",
        "skt": key.signed_start or "",
        "ske": key.signed_expiry or "",
        "sks": key.signed_service or "",
        "skv": key.signed_version or "",
        "spr": protocol,
        "sv": _VERSION,
        "sr": "b",
        "rscd": BLOB_DISPOSITION,
        "rsct": BLOB_TYPE,
    }
    found = fields.get
    lines = (
        *(found("sp"), "", found("se"), f"/blob/{path}"),
        *(found("skoid"), found("sktid"), found("skt"), found("ske")),
        *(found("sks"), found("skv")),
        # The users to which it is limited, a correlation, and addresses of clients.
        *("", "", "", ""),
        *(found("spr"), found("sv"), found("sr")),
        # A snapshot, a scope of encryption, and the caching of the response.
        *("", "", ""),
        # The encoding and the language of the response.
        *(found("rscd"), "", "", found("rsct")),
    )
    secret = base64.b64decode(key.value or "")
    signature = hmac.digest(secret, "\n".join(map(str, lines)).encode(), hashlib.sha256)
    fields["sig"] = base64.b64encode(signature).decode()
    return urlencode({name: value for name, value in fields.items() if value})
