"""Certificate chains of signatures, which end at a certificate that a user trusts
(Notary Project, "Signature Specification", "Certificate Requirements")."""

from __future__ import annotations

import typing as t

from .base import NO_SIGNER
from .base import NotVerified

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.x509 import Certificate

    from .signers import Signer

#: The maximum number of certificates of a chain.
MAX_CHAIN: t.Final = 8


def parse_chain(chain: Sequence[bytes]) -> list[Certificate]:
    """Return the certificates of a chain.

    :param chain: the certificates in DER, that of the signer first.
    :raises NotVerified: if one cannot be read, or there are none or too many.
    """
    from cryptography import x509

    if not 0 < len(chain) <= MAX_CHAIN:
        raise NotVerified("it has no certificate chain")
    try:
        return [x509.load_der_x509_certificate(each) for each in chain]
    except ValueError:
        raise NotVerified("its certificate chain is invalid") from None


def trusted_signer(
    chain: Sequence[Certificate], signers: Sequence[Signer], now: datetime
) -> Signer:
    """Return the signer whose certificate is in the chain, each certificate of which
    the next one signed."""
    from cryptography import x509

    trusted = {
        x509.load_pem_x509_certificate(each.value.encode()): each
        for each in signers
        if each.kind == "certificate"
    }
    for position, cert in enumerate(chain):
        if not cert.not_valid_before_utc <= now <= cert.not_valid_after_utc:
            raise NotVerified("a certificate of its chain has expired")
        if position:
            _check_issued(chain[position - 1], cert, position)
        else:
            _check_leaf(cert)
        if cert in trusted:
            return trusted[cert]
    raise NotVerified(NO_SIGNER)


def _check_issued(cert: Certificate, issuer: Certificate, depth: int) -> None:
    """Check that an authority issued a certificate.

    :param depth: the number of certificates below the issuer.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        cert.verify_directly_issued_by(issuer)
        limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        raise NotVerified("its certificate chain is invalid") from None
    length = limits.path_length
    if not limits.ca or not usage.key_cert_sign:
        raise NotVerified("its certificate chain is invalid")
    if length is not None and depth - 1 > length:
        raise NotVerified("its certificate chain is invalid")


def _check_leaf(cert: Certificate) -> None:
    from cryptography import x509

    try:
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
        is_for_signatures = usage.digital_signature
    except (x509.ExtensionNotFound, ValueError):
        is_for_signatures = False
    if not is_for_signatures or not _is_for_code(cert):
        raise NotVerified("its certificate is not for signatures")


def _is_for_code(cert: Certificate) -> bool:
    """Return True if a certificate is for signatures of code, or names no use. An
    authority may also issue certificates for servers and for e-mail (Notary Project,
    "Signature Specification", "Certificate Requirements")."""
    from cryptography import x509

    uses = x509.oid.ExtendedKeyUsageOID
    others = {
        uses.ANY_EXTENDED_KEY_USAGE,
        uses.SERVER_AUTH,
        uses.CLIENT_AUTH,
        uses.EMAIL_PROTECTION,
        uses.TIME_STAMPING,
        uses.OCSP_SIGNING,
    }
    try:
        named = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    # Authorities add uses of their own.
    return uses.CODE_SIGNING in named and others.isdisjoint(named)
