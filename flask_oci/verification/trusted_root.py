"""The trusted root of a Sigstore instance: a file of the operator."""

from __future__ import annotations

import hashlib
import logging
import typing as t
from functools import lru_cache
from pathlib import Path

from .base import NotVerified

if t.TYPE_CHECKING:
    from sigstore.verify import Verifier

logger = logging.getLogger("flask_oci.verification")


def root_digest(path: str) -> str:
    """Return the SHA-256 digest of a trusted root, or an empty text if it cannot be
    read. The results of verifications end with it.

    :param path: the file with the trusted root.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def verifier_of(path: str) -> Verifier:
    """Return a verifier, which uses no network.

    :param path: the file with the trusted root.
    :raises NotVerified: if the file or the package sigstore cannot be used.
    """
    try:
        return _verifier(path, root_digest(path))
    except ModuleNotFoundError:
        raise NotVerified("the package sigstore is not installed") from None
    except Exception as error:
        # The library raises errors of its own, of pydantic and of cryptography.
        logger.warning("The trusted root %s cannot be used: %s", path, error)
        raise NotVerified("the trusted root of Sigstore cannot be used") from None


def root_problem(path: str) -> str | None:
    """Return why a trusted root cannot be used, or None if it can.

    :param path: the file with the trusted root.
    """
    try:
        verifier_of(path)
    except NotVerified as error:
        return str(error)
    return None


@lru_cache(maxsize=4)
def _verifier(path: str, digest: str) -> Verifier:
    """Return a verifier for a file with the given content."""
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier

    return Verifier(trusted_root=TrustedRoot.from_file(path))
