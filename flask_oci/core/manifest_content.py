"""Manifests of a repository: their verification, and their record with references and
tags (spec.md, "Pushing Manifests")."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from types import MappingProxyType

from ..catalog.repository_info import name_of
from ..errors import DigestInvalid
from ..errors import ManifestInvalid
from ..events import audit
from ..robot_key import RobotKey
from ..rules.protection import Guard
from ..rules.protection import TagProtected
from ..rules.robot_names import policy_name
from ..spec.digest import Digest
from ..spec.manifest import Descriptor
from ..spec.manifest import Manifest
from ..spec.manifest import parse
from ..storage import Place
from .attachments import AttachmentReader
from .blob_content import BlobContent
from .documents import Documents
from .image_policies import PolicyGate
from .manifest_traits import TraitReader
from .trusted_signers import TrustedSigners

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.repository_info import RepositoryRef
    from ..config import Config
    from ..storage import Storage
    from .actor import Actor

T = t.TypeVar("T")


class Pushed(t.NamedTuple):
    """A recorded manifest."""

    digest: Digest
    manifest: Manifest
    missing: list[str]
    """The digests of the references that the repository does not have, if the host
    allows missing content."""


class ManifestContent(BlobContent):
    """Puts manifests into repositories.

    :param config: the maximum size of a manifest, and whether content may be missing.
    :param catalog: where content is recorded.
    :param storage: where the bytes of blobs are.
    """

    def __init__(self, config: Config, catalog: Catalog, storage: Storage) -> None:
        super().__init__(catalog, storage)
        self._config = config
        documents = Documents(catalog, storage)
        self._traits = TraitReader(documents)
        self.attachments = AttachmentReader(
            catalog, documents, TrustedSigners(catalog), config.sigstore_root
        )
        """Reads the artifacts that are attached to images, as they are pushed."""

        self.policies = PolicyGate(config, catalog, TrustedSigners(catalog))
        """Decides whether images meet the policies of their repository."""

    def put_manifest(
        self,
        repository: RepositoryRef,
        by: Actor,
        content: bytes,
        media_type: str | None,
        *,
        digest: Digest | None = None,
        tags: Sequence[str] = (),
        tagged_at: Mapping[str, datetime] = MappingProxyType({}),
    ) -> Pushed:
        """Record a manifest, its references and its tags: all of them or none.

        :param repository: the repository, which is created if it does not exist.
        :param by: the user who pushes.
        :param content: the exact bytes of the manifest.
        :param media_type: the media type that it was sent as; None uses the manifest's
            own ``mediaType``.
        :param digest: the digest that the bytes must have, or None.
        :param tags: the tags to set.
        :param tagged_at: the times of tags whose deletion is undone.
        :raises DigestInvalid: if the bytes have another digest.
        :raises ManifestInvalid: if the bytes are not a valid manifest; with status 413
            if there are too many bytes.
        :raises ManifestBlobUnknown: if the manifest references missing content.
        :raises Denied: if a tag is protected from the actor, the manifest or its
            content is blocked, or the host does not admit it.
        """
        if len(content) > self._config.max_manifest_size:
            raise too_large(self._config.max_manifest_size)
        manifest = parse(content, media_type)
        digest = _verified(content, digest)
        by.admit_manifest(digest, manifest, content, tags)
        self.storage_identity.verify()
        self._storage.check_space()
        lost = self._lost(manifest)
        traits = self._traits.of(manifest)
        missing = self._guarded(
            by,
            lambda guard: self._catalog.manifests.put(
                repository,
                by,
                manifest,
                content,
                digest,
                tags,
                lost=lost,
                allow_sparse=self._config.allow_sparse,
                guard=guard,
                traits=traits,
                tagged_at=tagged_at,
                check_tags=lambda found: self._check_tags(
                    found, str(digest), manifest.media_type, tags
                ),
            ),
        )
        name = name_of(repository)
        audit.record("push", by.name, name, digest=str(digest), tags=" ".join(tags))
        scanner = policy_name(by.name, is_robot=isinstance(by.key, RobotKey))
        self.attachments.record_pushed(name, digest, manifest, content, tags, scanner)
        return Pushed(digest, manifest, missing)

    def _check_tags(
        self,
        repository: RepositoryInfo,
        digest: str,
        media_type: str,
        tags: Sequence[str],
    ) -> None:
        """Check the tags that a change sets, in its transaction.

        :raises PolicyRefused: if an image policy checks pushed tags, and the image does
            not meet it.
        """
        if repository.may_have_policies or self.policies.has_site_policy:
            self.policies.check_tags(repository, digest, media_type, tags)

    def _guarded(self, by: Actor, work: Callable[[Guard], T]) -> T:
        """Change tags, and ask whether the actor may manage the repository only if a
        protected tag requires it."""
        guard = Guard(self._config.protection)
        try:
            return work(guard)
        except TagProtected:
            if not by.may_manage():
                raise
        return work(replace(guard, manages=True))

    def _lost(self, manifest: Manifest) -> set[str]:
        """Return the digests of the referenced blobs that the local disk does not have,
        although the catalog may have rows of them."""
        return {
            str(descriptor.digest)
            for descriptor in manifest.descriptors
            if self._storage.size(_local(descriptor)) != descriptor.size
        }


def _local(descriptor: Descriptor) -> Place:
    return Place(descriptor.digest, descriptor.size)


def too_large(most: int) -> ManifestInvalid:
    """Return the error for a manifest that is too large.

    :param most: the maximum size of a manifest in bytes.
    """
    return ManifestInvalid(
        f"A manifest may have at most {most} bytes; put large content into blobs.",
        status=413,
    )


def _verified(content: bytes, digest: Digest | None) -> Digest:
    if digest is None:
        return Digest.of(content)
    if Digest.of(content, digest.algorithm) != digest:
        raise DigestInvalid(
            "The manifest does not have the digest that it was pushed with.",
            detail=str(digest),
        )
    return digest
