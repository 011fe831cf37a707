"""Signed URLs of S3 (AWS Signature Version 4, "Authenticating requests: using query
parameters").

botocore signs in 0.3 ms, which is a quarter of the cost of a request for a small blob.
This takes a tenth of that.
"""

from __future__ import annotations

import hashlib
import hmac
import time
import typing as t
from functools import lru_cache
from urllib.parse import parse_qs
from urllib.parse import quote
from urllib.parse import urlsplit

from ..protocol import BLOB_DISPOSITION
from ..protocol import BLOB_TYPE

_ALGORITHM: t.Final = "AWS4-HMAC-SHA256"


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


_RESPONSE: t.Final = (
    f"response-content-disposition={_encoded(BLOB_DISPOSITION)}"
    f"&response-content-type={_encoded(BLOB_TYPE)}"
)


class Credentials(t.Protocol):
    """The current keys of botocore, which may expire."""

    access_key: str
    secret_key: str
    token: str | None


class Signer:
    """Signs the URLs of one bucket.

    :param example: a URL that botocore has signed. It has the address of the bucket and
        the region.
    :param key: the key of the object in that URL.
    :param credentials: returns the current keys.
    """

    def __init__(
        self, example: str, key: str, credentials: t.Callable[[], Credentials]
    ) -> None:
        parts = urlsplit(example)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._path = parts.path.removesuffix(quote(key))
        credential = parse_qs(parts.query)["X-Amz-Credential"][0]
        # It is the access key, the day, the region, and two constants.
        self._scope = "/".join(credential.rsplit("/", 3)[1:])
        self._credentials = credentials

    def sign(self, key: str, seconds: int) -> str:
        """Return the URL of an object.

        :param seconds: how long the URL is valid.
        """
        keys = self._credentials()
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{now[:8]}/{self._scope}"
        token = f"&X-Amz-Security-Token={_encoded(keys.token)}" if keys.token else ""
        # The signature covers the parameters in the order of their names.
        query = (
            f"X-Amz-Algorithm={_ALGORITHM}"
            f"&X-Amz-Credential={_encoded(f'{keys.access_key}/{scope}')}"
            f"&X-Amz-Date={now}&X-Amz-Expires={seconds}{token}"
            f"&X-Amz-SignedHeaders=host&{_RESPONSE}"
        )
        path = self._path + quote(key, safe="/-_.~")
        signature = self._signature(keys.secret_key, now, scope, path, query)
        return f"{self._origin}{path}?{query}&X-Amz-Signature={signature}"

    def _signature(
        self, secret: str, now: str, scope: str, path: str, query: str
    ) -> str:
        request = f"GET\n{path}\n{query}\nhost:{self._host}\n\nhost\nUNSIGNED-PAYLOAD"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{now}\n{scope}\n{hashed}"
        key = _signing_key(secret, scope)
        return hmac.digest(key, text.encode(), "sha256").hex()


@lru_cache(maxsize=8)
def _signing_key(secret: str, scope: str) -> bytes:
    """Return the key of a day."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
