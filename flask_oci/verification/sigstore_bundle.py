"""Sigstore bundles, as cosign 3 attaches them: a statement within a DSSE envelope,
signed with a key, or with a certificate for an identity."""

from __future__ import annotations

import typing as t

from ..errors import ManifestInvalid
from ..spec.json_object import read_file_object
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
from .trusted_root import verifier_of

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

    from .signers import Signer

_BUNDLE: t.Final = "application/vnd.dev.sigstore.bundle"
_STATEMENT: t.Final = "application/vnd.in-toto+json"
_STATEMENT_TYPES: t.Final = (
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
)
_SIGN: t.Final = "https://sigstore.dev/cosign/sign/v1"

#: The maximum number of signatures in an envelope; clients write one.
MAX_SIGNATURES: t.Final = 4

#: The maximum number of identities that a certificate is compared with.
MAX_IDENTITIES: t.Final = 20


def verify(
    file: SignedFile, subject: str, signers: Sequence[Signer], root: str | None
) -> Outcome | None:
    """Return the result for a bundle with a signature of an image, or None if the file
    is none. Bundles with other statements, such as SBOMs, are none."""
    if not file.media_type.startswith(_BUNDLE):
        return None
    try:
        fields = read_file_object(file.content)
    except ManifestInvalid:
        return Outcome("sigstore", reason="it is not a JSON object")
    try:
        statement, payload = _statement(fields)
        if statement.get("predicateType") != _SIGN:
            return None
        signer = _signer_by_key(fields, payload, signers)
        signer = signer or _signer_by_identity(file.content, payload, signers, root)
        _check(statement, subject)
    except NotVerified as error:
        return Outcome("sigstore", reason=str(error))
    return verified_by("sigstore", signer, signed_name=_name(statement))


def _statement(fields: dict[str, t.Any]) -> tuple[dict[str, t.Any], bytes]:
    envelope = mapping(fields.get("dsseEnvelope"))
    if envelope.get("payloadType") != _STATEMENT:
        raise NotVerified("it has no in-toto statement")
    payload = decoded(envelope.get("payload"), "payload")
    return signed_object(payload), payload


def _signer_by_key(
    fields: dict[str, t.Any], payload: bytes, signers: Sequence[Signer]
) -> Signer | None:
    """Return the signer whose key signed the envelope. The hint about the key in the
    bundle is not signed, and is ignored."""
    found = mapping(fields.get("dsseEnvelope")).get("signatures")
    message = _encoded(_STATEMENT, payload)
    for entry in found[:MAX_SIGNATURES] if isinstance(found, list) else ():
        signature = decoded(mapping(entry).get("sig"), "signature")
        signer = signer_of(signers, signature, message)
        if signer is not None:
            return signer
    return None


def _encoded(kind: str, payload: bytes) -> bytes:
    """Return the signed bytes of an envelope (DSSE, "PAE")."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def _signer_by_identity(
    content: bytes, payload: bytes, signers: Sequence[Signer], root: str | None
) -> Signer:
    identities = [each for each in signers if each.kind == "identity"]
    if not identities or b"ertificate" not in content:
        raise NotVerified(NO_SIGNER)
    if root is None:
        raise NotVerified("the trusted root of Sigstore is not set")
    verifier = verifier_of(root)
    from sigstore.errors import CertValidationError
    from sigstore.errors import Error
    from sigstore.models import Bundle

    accepted = _Identities(identities[:MAX_IDENTITIES])
    try:
        kind, signed = verifier.verify_dsse(Bundle.from_json(content), accepted)
    except CertValidationError:
        raise NotVerified(
            "its certificate is not by an authority of the trusted root, or was not"
            " valid at the signed time"
        ) from None
    except Error as error:
        raise NotVerified(_first_line(error)) from None
    if kind != _STATEMENT or signed != payload or accepted.signer is None:
        raise NotVerified("it is ambiguous")
    return accepted.signer


class _Identities:
    """A policy of sigstore: the certificate is for one of the trusted identities."""

    def __init__(self, signers: Sequence[Signer]) -> None:
        self._signers = signers
        self.signer: Signer | None = None

    def verify(self, cert: Certificate) -> None:
        """Find the signer. It counts only if the rest of the bundle is verified.

        :raises VerificationError: if the certificate is for another identity.
        """
        from sigstore.errors import VerificationError
        from sigstore.verify import policy

        for each in self._signers:
            try:
                policy.Identity(identity=each.value, issuer=each.issuer).verify(cert)
            except VerificationError:
                continue
            self.signer = each
            return
        raise VerificationError(
            f"its certificate is for {_identity(cert)}, and no signer has this identity"
            " and its issuer"
        )


def _identity(cert: Certificate) -> str:
    from cryptography.x509 import SubjectAlternativeName

    names = cert.extensions.get_extension_for_class(SubjectAlternativeName).value
    return ", ".join(str(each.value)[:200] for each in list(names)[:2])


def _check(statement: dict[str, t.Any], subject: str) -> None:
    if statement.get("_type") not in _STATEMENT_TYPES:
        raise NotVerified("it has no in-toto statement")
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise NotVerified("it does not name one digest")
    algorithm, _, encoded = subject.partition(":")
    digests = mapping(mapping(subjects[0]).get("digest"))
    check_subject(digests.get(algorithm), encoded)


def _name(statement: dict[str, t.Any]) -> str:
    name = mapping(statement["subject"][0]).get("name")
    return name[:512] if isinstance(name, str) else ""


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return f"Sigstore: {lines[0][:200]}"
