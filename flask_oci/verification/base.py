"""The parts that all formats of signatures share."""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..errors import ManifestInvalid
from ..spec.json_object import read_object

if t.TYPE_CHECKING:
    from .signers import Signer

#: The maximum size of a file with a signature, in bytes. A Sigstore bundle with a
#: certificate and a log entry has about 10 KiB.
MAX_SIGNATURE: t.Final = 128 * 1024

NO_SIGNER: t.Final = "no trusted signer made it"


class SignedFile(t.NamedTuple):
    """A file of an artifact: one layer of its manifest."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str]
    """The annotations of the layer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the verification of one signature."""

    format: str
    """``cosign``, ``sigstore`` or ``notation``."""

    signer: str | None = None
    """The name of the trusted signer, or None if the signature is not verified."""

    fingerprint: str | None = None
    """The fingerprint of the trusted signer."""

    reason: str = ""
    """Why it is not verified, as a phrase; empty if it is."""

    signed_name: str = ""
    """The image name in the signed content; empty if the format has none."""

    expires_at: datetime | None = None
    """When the signature expires, or None."""


class NotVerified(Exception):
    """A signature is not verified; the message is the reason, as a phrase."""


def verified_by(format: str, signer: Signer, **more: t.Any) -> Outcome:
    """Return the outcome for a signature that a trusted signer made."""
    return Outcome(format, signer.name, signer.fingerprint, **more)


def decoded(value: object, what: str, *, url: bool = False) -> bytes:
    """Return the bytes of a base64 text.

    :param what: the name of the value, for the reason.
    :param url: whether it is the alphabet for URLs, without padding (RFC 7515).
    :raises NotVerified: if it is not base64.
    """
    if not isinstance(value, str) or not value.isascii():
        raise NotVerified(f"it has no {what}")
    try:
        if url:
            text = value + "=" * (-len(value) % 4)
            return base64.b64decode(text, altchars=b"-_", validate=True)
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise NotVerified(f"its {what} is not base64") from None


def signed_object(content: bytes) -> dict[str, t.Any]:
    """Return the JSON object of signed content, which all parsers read alike.

    :raises NotVerified: if it is not such an object.
    """
    try:
        return read_object(content)
    except ManifestInvalid:
        raise NotVerified("its signed content is not a JSON object") from None


def mapping(value: object) -> dict[t.Any, t.Any]:
    """Return a value if it is an object, else an empty object."""
    return value if isinstance(value, dict) else {}


def check_subject(named: object, subject: str) -> None:
    """Check that signed content names exactly the digest that it is attached to.

    :raises NotVerified: if it does not.
    """
    if named != subject:
        raise NotVerified("it is for another digest")
