"""Attachments: artifacts of images, read once into facts.

A signature is compared with the trusted signers, and the results of a scan are counted,
when the artifact is pushed. The background work repeats the comparison after a change
of the signers. Nothing is fetched or decompressed.
"""

from __future__ import annotations

import logging
import typing as t

from ..catalog.attachments import AttachmentFacts
from ..clock import utcnow
from ..errors import ManifestInvalid
from ..rules.protection import is_attached
from ..rules.protection import subject_of
from ..rules.robot_names import policy_name
from ..spec.json_object import read_file_object
from ..verification import MAX_SIGNATURE
from ..verification import SignedFile
from ..verification import verify
from . import documents
from .scan_facts import scan_facts
from .trusted_signers import identifier
from .trusted_signers import signers_of

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.attachments import AttachmentKind
    from ..spec.digest import Digest
    from ..spec.manifest import Manifest
    from ..verification import Outcome
    from ..verification import Signer
    from .documents import Documents
    from .trusted_signers import TrustedSigners

logger = logging.getLogger("flask_oci.verification")

#: The maximum number of files of an artifact that are read.
MAX_FILES: t.Final = 32

#: The maximum total size of the files of an artifact that are read, in bytes.
MAX_BYTES: t.Final = 4 * 1024 * 1024

#: The number of artifacts that one piece of the background work reads.
BATCH_SIZE: t.Final = 50


class AttachmentReader:
    """Reads artifacts into facts.

    :param documents: where their files are.
    :param signers: the trusted signers.
    :param root: the file with the trusted root of Sigstore, or None.
    """

    def __init__(
        self,
        catalog: Catalog,
        documents: Documents,
        signers: TrustedSigners,
        root: str | None,
    ) -> None:
        self._catalog = catalog
        self._documents = documents
        self._signers = signers
        self._root = root

    def record_pushed(
        self,
        name: str,
        digest: Digest,
        manifest: Manifest,
        content: bytes,
        tags: Sequence[str],
        by: str | None,
    ) -> None:
        """Record the facts about a manifest that was pushed, if it is attached to
        another. The push has succeeded, so a failure is only logged.

        :param name: the name of the repository.
        :param by: the name by which policies mean the user who pushed it, or None.
        """
        attached: list[str | None] = [tag for tag in tags if is_attached(tag)]
        if manifest.subject is not None:
            attached.append(None)
        if not attached:
            return
        try:
            found = self._catalog.repositories.find(name)
            for tag in attached:
                subject = str(manifest.subject or "")
                self._record(found, str(digest), content, subject, tag, by)
        except Exception:
            self._catalog.rollback()
            logger.exception("The artifact %s of %s was not read.", digest, name)

    def check(self, repository: RepositoryInfo) -> int:
        """Compare some artifacts of a repository with the present signers.

        :return: the number of artifacts that were read; 0 if none is left.
        """
        found = self._catalog.unchecked_artifacts.find(
            repository.key, identifier(self._of(repository), self._root), BATCH_SIZE
        )
        users = self._catalog.users.names(each.pushed_by_id for each in found)
        for each in found:
            by = each.pushed_by_robot or policy_name(
                users.get(each.pushed_by_id), is_robot=False
            )
            self._record(
                repository,
                each.digest,
                each.content,
                each.subject,
                each.tag,
                by,
                each.pushed_at,
            )
        return len(found)

    def _of(self, repository: RepositoryInfo) -> list[Signer]:
        return signers_of(self._signers.applying(repository))

    def _record(
        self,
        repository: RepositoryInfo,
        digest: str,
        content: bytes,
        subject: str,
        tag: str | None,
        by: str | None,
        at: datetime | None = None,
    ) -> None:
        """Record the facts about an artifact.

        :param at: when it was attached; None is now.
        """
        if tag is not None:
            subject = subject_of(tag) or ""
        signers, files = self._of(repository), self._files(repository.key, content)
        kind, facts = _facts(files, subject, signers, self._root)
        is_verified = any(each["fingerprint"] for each in facts.get("signatures", ()))
        now = utcnow()
        found = AttachmentFacts(
            subject=subject,
            digest=digest,
            attached_by="" if kind == "signature" else by or "",
            kind=kind,
            is_verified=is_verified,
            facts=facts,
            attached_at=at or now,
            checked_at=now,
            tag=tag,
        )
        self._catalog.attachments.put(
            repository.key, found, identifier(signers, self._root)
        )

    def _files(self, repository_id: int, content: bytes) -> list[SignedFile] | None:
        """Return the files of an artifact; None if they are too many or too large, or
        not in the repository."""
        layers = documents.as_object(content).get("layers")
        found = documents.objects(layers, MAX_FILES + 1)
        sizes = [each.get("size") for each in found]
        total = sum(size for size in sizes if isinstance(size, int))
        if not found or len(found) > MAX_FILES or total > MAX_BYTES:
            return None
        digests = [documents.text(each.get("digest")) for each in found]
        linked = self._catalog.manifest_relations.linked(repository_id, digests)
        # The bytes may be at a place that is slow to read.
        self._catalog.release()
        files, left = [], MAX_BYTES
        for each, digest in zip(found, digests, strict=True):
            place = linked.get(digest)
            read = None if place is None else self._documents.content(place, left)
            if read is None:
                return None
            left -= len(read)
            annotations = dict(documents.pairs(each.get("annotations")))
            files.append(
                SignedFile(documents.text(each.get("mediaType")), read, annotations)
            )
        return files


def _facts(
    files: list[SignedFile] | None,
    subject: str,
    signers: Sequence[Signer],
    root: str | None,
) -> tuple[AttachmentKind, dict[str, t.Any]]:
    """Return the kind of an artifact, and the facts about it."""
    if files is None:
        return "other", {"is_json": False}
    parsed = [_parsed(file.content) for file in files]
    facts: dict[str, t.Any] = {"is_json": all(each is not None for each in parsed)}
    outcomes = [
        outcome
        for file in files
        if len(file.content) <= MAX_SIGNATURE
        and (outcome := verify(file, subject, signers, root)) is not None
    ]
    if outcomes:
        return "signature", {**facts, "signatures": [_stored(o) for o in outcomes]}
    scans = [scan for each in parsed if each and (scan := scan_facts(each))]
    if scans:
        return "scan", {**facts, **scans[0]}
    return "other", facts


def _parsed(content: bytes) -> dict[str, t.Any] | None:
    try:
        return read_file_object(content)
    except ManifestInvalid:
        return None


def _stored(outcome: Outcome) -> dict[str, t.Any]:
    expires_at = outcome.expires_at
    return {
        "format": outcome.format,
        "signer": outcome.signer,
        "fingerprint": outcome.fingerprint,
        "reason": outcome.reason,
        "signed_name": outcome.signed_name,
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
