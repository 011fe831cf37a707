"""Verification of signatures: cosign, Sigstore bundles and Notation.

The modules are pure: they verify bytes and read no database. A signature is compared
with the signers that a user trusts, never with a key that came with the signature.
Only this package imports ``cryptography`` and ``sigstore``, and only when it verifies.
"""

from __future__ import annotations

import logging
import typing as t
from importlib.util import find_spec

from . import cosign
from . import notation
from . import sigstore_bundle
from .base import MAX_SIGNATURE
from .base import Outcome
from .base import SignedFile
from .signers import parse_signer
from .signers import Signer
from .signers import SIGNER_KINDS
from .trusted_root import root_digest
from .trusted_root import root_problem

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

__all__ = [
    "MAX_SIGNATURE",
    "Outcome",
    "SIGNER_KINDS",
    "SignedFile",
    "Signer",
    "is_available",
    "parse_signer",
    "root_digest",
    "root_problem",
    "verify",
]

Verify: t.TypeAlias = (
    "Callable[[SignedFile, str, Sequence[Signer], str | None], Outcome | None]"
)

_FORMATS: t.Final[dict[str, Verify]] = {
    "cosign": cosign.verify,
    "sigstore": sigstore_bundle.verify,
    "notation": notation.verify,
}

logger = logging.getLogger("flask_oci.verification")


def is_available() -> bool:
    """Return True if the extra ``verify`` is installed."""
    return find_spec("cryptography") is not None


def verify(
    file: SignedFile, subject: str, signers: Sequence[Signer], root: str | None
) -> Outcome | None:
    """Return the result of the verification of a file, or None if it is no signature.

    :param file: a file of an artifact that is attached to a manifest.
    :param subject: the digest of that manifest, which the signature must name.
    :param signers: the trusted signers.
    :param root: the file with the trusted root of Sigstore, or None.
    """
    for name, verify_format in _FORMATS.items():
        try:
            outcome = verify_format(file, subject, signers, root)
        except Exception as error:
            # Libraries raise many errors for certificates that users have made, and
            # the verification of other signatures must go on.
            logger.info("A signature of %s could not be read: %r", subject, error)
            return Outcome(name, reason="it cannot be read")
        if outcome is not None:
            return outcome
    return None
