"""Signatures of an image, as they were verified, for policies and views."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ..clock import utcnow
from ..spec.rfc3339 import parse_time

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.attachments import AttachmentFacts
    from .trusted_signers import TrustedSigners

#: The reason for a signature whose signer is not trusted any more.
NOT_TRUSTED: t.Final = "its signer is not trusted any more"

EXPIRED: t.Final = "it has expired"


@dataclass(frozen=True, slots=True)
class SignatureFact:
    """A signature that is attached to an image, and whether it is verified."""

    subject: str
    """The digest of the image."""

    digest: str
    """The digest of the artifact with the signature."""

    tag: str | None
    """The tag that attaches it, or None if it is a referrer."""

    format: str
    """``cosign``, ``sigstore`` or ``notation``."""

    signer: str | None
    """The name of the trusted signer, or None if it is not verified."""

    fingerprint: str | None
    """The fingerprint of the trusted signer."""

    reason: str
    """Why it is not verified, as a phrase; empty if it is."""

    signed_name: str
    """The image name in the signed content; empty if it has none."""

    checked_at: datetime
    """When it was compared with the trusted signers."""

    @property
    def is_verified(self) -> bool:
        """Whether a signer made it who is trusted now."""
        return self.signer is not None

    def names(self, repository: str) -> bool:
        """Return True if the signed content names a repository of this registry.

        :param repository: the name of the repository.
        """
        name = self.signed_name.partition("@")[0]
        host, slash, rest = name.partition("/")
        if slash and ("." in host or ":" in host or host == "localhost"):
            name = rest
        path, colon, _ = name.rpartition(":")
        return (path if colon else name) == repository


class SignatureReader:
    """Finds the signatures of images."""

    def __init__(self, catalog: Catalog, signers: TrustedSigners) -> None:
        self._catalog = catalog
        self._signers = signers

    def of(
        self, repository: RepositoryInfo, subjects: Sequence[str]
    ) -> list[SignatureFact]:
        """Return the signatures of some manifests, the verified ones first.

        :param subjects: the digests of the manifests.
        """
        found = self._catalog.attachments.signatures(repository.key, subjects)
        if not found:
            return []
        names = self.trusted(repository)
        facts = [fact for each in found for fact in signatures_in(each, names)]
        return sorted(facts, key=lambda fact: not fact.is_verified)

    def trusted(self, repository: RepositoryInfo) -> dict[str, str]:
        """Return the names of the signers that a repository trusts now, by their
        fingerprints."""
        applying = self._signers.applying(repository)
        return {each.fingerprint: each.name for each in applying}


def signatures_in(
    found: AttachmentFacts, names: dict[str, str]
) -> Iterator[SignatureFact]:
    """Yield the signatures of an artifact.

    :param names: the names of the signers that are trusted now, by fingerprint.
    """
    now = utcnow()
    for each in found.facts.get("signatures", ()):
        fingerprint, reason = each["fingerprint"], each["reason"]
        expires_at = parse_time(each["expires_at"])
        signer = names.get(fingerprint or "")
        if fingerprint and signer is None:
            reason = NOT_TRUSTED
        elif expires_at is not None and expires_at <= now:
            signer, reason = None, EXPIRED
        yield SignatureFact(
            subject=found.subject,
            digest=found.digest,
            tag=found.tag,
            format=each["format"],
            signer=signer,
            fingerprint=fingerprint if signer else None,
            reason="" if signer else reason,
            signed_name=each["signed_name"],
            checked_at=found.checked_at,
        )
