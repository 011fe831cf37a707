"""Signatures of cosign before version 3: a signed payload ("simple signing") and the
signature in an annotation of its layer."""

from __future__ import annotations

import typing as t

from .base import check_subject
from .base import decoded
from .base import mapping
from .base import NO_SIGNER
from .base import NotVerified
from .base import Outcome
from .base import signed_object
from .base import SignedFile
from .base import verified_by
from .keys import signer_of

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .signers import Signer

MEDIA_TYPE: t.Final = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE: t.Final = "dev.cosignproject.cosign/signature"
_CERTIFICATE: t.Final = "dev.sigstore.cosign/certificate"
_TYPE: t.Final = "cosign container image signature"


def verify(
    file: SignedFile, subject: str, signers: Sequence[Signer], root: str | None
) -> Outcome | None:
    """Return the result for a payload of cosign, or None if the file is none."""
    if file.media_type != MEDIA_TYPE:
        return None
    try:
        return _verify(file, subject, signers)
    except NotVerified as error:
        return Outcome("cosign", reason=str(error))


def _verify(file: SignedFile, subject: str, signers: Sequence[Signer]) -> Outcome:
    signature = decoded(file.annotations.get(_SIGNATURE), "signature")
    signer = signer_of(signers, signature, file.content)
    if signer is None:
        if _CERTIFICATE in file.annotations:
            raise NotVerified(
                "it has a certificate in cosign's older form; sign with cosign 3"
            )
        raise NotVerified(NO_SIGNER)
    critical = mapping(signed_object(file.content).get("critical"))
    if critical.get("type") != _TYPE:
        raise NotVerified("it does not sign an image")
    image = mapping(critical.get("image"))
    check_subject(image.get("docker-manifest-digest"), subject)
    name = mapping(critical.get("identity")).get("docker-reference")
    return verified_by(
        "cosign", signer, signed_name=name[:512] if isinstance(name, str) else ""
    )
