"""Sealed cursors: positions in lists that clients can neither read nor choose.

A page of a filtered list may end at an entry that is hidden from the caller. A readable
position would name it, and a chosen one would let the caller count hidden entries.

The construction is a synthetic initialization vector (RFC 5297) with HMAC-SHA256: the
authentication code of the position is the nonce of its encryption.
"""

from __future__ import annotations

import base64
import hmac
import typing as t
from hashlib import sha256

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

#: Separates the keys of cursors from other uses of the host's key.
SALT: t.Final = "flask-oci.cursor"

_TAG_LENGTH: t.Final = 16


class CursorInvalid(ValueError):
    """The text is not a cursor of this application for this list."""


class Cursors:
    """Seals and opens the positions of lists.

    :param keys: returns the signing keys, the current one last.
    """

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        self._keys = keys

    def seal(self, content: bytes, context: str) -> str:
        """Return the text of a position.

        :param context: the list. The text is invalid for any other list.
        """
        key = self._keys()[-1]
        tag = _tag(key, content, context)
        sealed = tag + _crypt(key, tag, content)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, text: str, context: str) -> bytes:
        """Return the position in a text.

        :raises CursorInvalid: if this application did not seal it for this list.
        """
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            sealed = base64.b64decode(padded, b"-_", validate=True)
        except ValueError:
            raise CursorInvalid(text) from None
        tag, rest = sealed[:_TAG_LENGTH], sealed[_TAG_LENGTH:]
        for key in reversed(self._keys()):
            content = _crypt(key, tag, rest)
            if hmac.compare_digest(tag, _tag(key, content, context)):
                return content
        raise CursorInvalid(text)


def _tag(key: str | bytes, content: bytes, context: str) -> bytes:
    message = context.encode() + b"\0" + content
    return hmac.digest(_derived(key, "tag"), message, sha256)[:_TAG_LENGTH]


def _crypt(key: str | bytes, nonce: bytes, content: bytes) -> bytes:
    """Encrypt or decrypt bytes with a key stream."""
    derived, stream = _derived(key, "stream"), b""
    for counter in range(-(-len(content) // sha256().digest_size)):
        stream += hmac.digest(derived, nonce + counter.to_bytes(4, "big"), sha256)
    return bytes(a ^ b for a, b in zip(content, stream, strict=False))


def _derived(key: str | bytes, purpose: str) -> bytes:
    secret = key.encode() if isinstance(key, str) else key
    return hmac.digest(secret, f"{SALT}.{purpose}".encode(), sha256)
