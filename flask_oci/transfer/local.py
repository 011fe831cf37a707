"""Repositories of this registry, as sources and targets of transfers."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import SizeInvalid
from ..events import audit
from ..rules.blocks import check_bans
from ..spec.digest import Digest
from ..spec.digest import is_digest
from ..spec.manifest import Descriptor
from ..spec.reference import check_tag
from ..spec.reference import parse_reference
from .base import attached_tags
from .base import checked
from .base import RawManifest
from .base import Source
from .base import TransferError

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import StoredManifest
    from ..config import Config
    from ..core.actor import Actor
    from ..core.content import Content
    from ..storage import Place
    from ..storage import Storage
    from ..storage import UploadFile
    from ..storage.protocol import Reader

#: The number of tags or referrers of one query.
BATCH_SIZE: t.Final = 500


class LocalRegistry(t.NamedTuple):
    """The parts of this registry that transfers use."""

    config: Config
    catalog: Catalog
    storage: Storage
    content: Content


class Repository:
    """A :class:`~flask_oci.transfer.base.Source` and
    :class:`~flask_oci.transfer.base.Target` in this registry.

    Permissions are not checked: the caller has done so, or is the operator.

    :param here: the registry.
    :param name: the name of the repository, which the first blob creates.
    :param by: the user who pushes.
    """

    parallel = True

    def __init__(self, here: LocalRegistry, name: str, by: Actor) -> None:
        self._here = here
        self.name = name
        self._by = by

    def references(self) -> list[str]:
        """Return the tags."""
        key, catalog = self._key(), self._here.catalog
        found: list[str] = []
        while batch := catalog.tags.page(key, BATCH_SIZE, found[-1] if found else None):
            found += batch
        return found

    def find(self, reference: str) -> RawManifest:
        """Return the manifest of a tag or a digest."""
        stored = self._here.catalog.manifests.find(
            self._key(), parse_reference(reference)
        )
        self._release()
        if stored is None:
            raise TransferError(f"There is no {reference} in {self.name}.")
        check_bans(stored.bans, stored.repository_id, self.name)
        self._check_policies(stored, reference)
        digest = Digest.parse(stored.digest)
        return checked(stored.content or b"", digest, stored.media_type)

    def _check_policies(self, stored: StoredManifest, reference: str) -> None:
        """Check that an image meets the policies of the repository.

        :raises PolicyRefused: if it does not.
        """
        policies = self._here.content.policies
        if stored.has_policies or policies.has_site_policy:
            tag = None if is_digest(reference) else reference
            found = self._here.catalog.repositories.find(self.name)
            policies.check_pull(found, stored.digest, stored.media_type, tag)
            self._release()

    def manifest(self, wanted: Descriptor) -> RawManifest:
        """Return a child manifest of an index."""
        return self.find(str(wanted.digest))

    @contextmanager
    def open(self, wanted: Descriptor) -> Iterator[Reader]:
        """Open a blob that is linked to the repository."""
        self.check_blob(wanted.digest)
        place = self.place(wanted.digest)
        if place is None:
            raise TransferError(
                f"The blob {wanted.digest} is not in {self.name}; 'flask oci fsck'"
                " lists what is missing."
            )
        self._release()
        with self._here.storage.open(place) as file:
            yield file

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Return the manifests with this subject."""
        key, last, more = self._key(), None, True
        found = []
        while more:
            page, more = self._here.catalog.referrers.page(
                key, digest, (), BATCH_SIZE, last
            )
            found += [
                Descriptor(
                    "child", d["mediaType"], Digest.parse(d["digest"]), d["size"]
                )
                for d in page
            ]
            last = str(found[-1].digest) if found else None
        return found

    def attached(self, digest: Digest) -> list[str]:
        """Return the tags of related content of a manifest."""
        names = attached_tags(digest)
        return sorted(
            self._here.catalog.repository_contents.existing_tags(self._key(), names)
        )

    def check_blob(self, digest: Digest) -> None:
        """Check that a blob is not blocked.

        :raises Denied: if it is.
        """
        key, catalog = self._find_key(), self._here.catalog
        found = None if key is None else catalog.blobs.find(key, digest)
        if found is not None:
            check_bans(found.bans, key, self.name)

    def size(self, digest: Digest) -> int | None:
        """Return the size of a blob that is linked to the repository and stored."""
        place = self.place(digest)
        return None if place is None else place.size

    def place(self, digest: Digest) -> Place | None:
        """Return the place of a blob that is linked to the repository and stored."""
        key = self._find_key()
        found = None if key is None else self._here.catalog.blobs.find(key, digest)
        if found is None or self._here.storage.size(found.place) != found.size:
            return None
        return found.place

    def has_manifest(self, digest: Digest) -> bool:
        """Return True if a manifest exists, and renew its grace period."""
        key, catalog = self._find_key(), self._here.catalog
        if key is None:
            return False
        stored = catalog.manifests.find(key, digest, content=False)
        self._release()
        return stored is not None and catalog.manifests.lease(
            stored, self._here.config.lease_freshness
        )

    def lists(self, item: RawManifest) -> bool:
        """Return True: an existing manifest was recorded with its subject."""
        return True

    def has_blob(self, wanted: Descriptor) -> bool:
        """Return True if a blob exists, and renew its grace period."""
        key, catalog = self._find_key(), self._here.catalog
        found = None if key is None else catalog.blobs.find(key, wanted.digest)
        self._release()
        if found is None or self._here.storage.size(found.place) != wanted.size:
            return False
        return catalog.blobs.lease(found, self._here.config.lease_freshness)

    def points_at(self, tag: str) -> Digest | None:
        """Return the digest of a tag."""
        key = self._find_key()
        if key is None:
            return None
        stored = self._here.catalog.manifests.find(key, tag, content=False)
        self._release()
        return Digest.parse(stored.digest) if stored else None

    def mount(self, wanted: Descriptor, source: Source) -> bool:
        """Link a blob of another repository of this registry, the source of the
        copy."""
        if not isinstance(source, Repository):
            return False
        place = source.place(wanted.digest)
        if place is None or place.size != wanted.size:
            return False
        source.check_blob(wanted.digest)
        content = self._here.content
        with audit.acting(self._by.name):
            return content.link_blob(self.name, self._by, place, source.name)

    def put_blob(self, wanted: Descriptor, source: Reader) -> None:
        """Store a blob, like a push."""
        most = self._here.config.max_blob_size
        if most is not None and wanted.size > most:
            raise SizeInvalid(
                f"A blob may have {most} bytes, but {wanted.digest} has {wanted.size}.",
                status=413,
            )

        def receive(upload: UploadFile) -> None:
            upload.append(source, wanted.digest.algorithm, wanted.size)

        with audit.acting(self._by.name):
            self._here.content.put_blob(self.name, self._by, wanted.digest, receive)

    def put_manifest(self, item: RawManifest, tag: str | None) -> None:
        """Store a manifest, like a push."""
        with audit.acting(self._by.name):
            self._here.content.put_manifest(
                self.name,
                self._by,
                item.content,
                item.media_type,
                digest=item.digest,
                tags=[check_tag(tag)] if tag else [],
            )

    def _release(self) -> None:
        # The next step may be a request to another registry.
        self._here.catalog.release()

    def _find_key(self) -> int | None:
        return self._here.catalog.repositories.find(self.name).id

    def _key(self) -> int:
        key = self._find_key()
        if key is None:
            raise TransferError(f"There is no repository {self.name}.")
        return key
