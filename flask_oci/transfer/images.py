"""The Python API for images: ``registry.images``."""

from __future__ import annotations

import io
import os
import typing as t
from collections.abc import Collection
from collections.abc import Sequence

from ..errors import BlobUnknown
from ..errors import SizeInvalid
from ..events import audit
from ..rules.quota import usage_shown
from ..spec.digest import DEFAULT_ALGORITHM
from ..spec.digest import Digest
from ..spec.reference import check_name
from ..spec.reference import check_tag
from . import archive_formats
from . import archive_reader
from .archive_formats import Form
from .base import RawManifest
from .base import TransferError
from .base import TransferProgress
from .base import TransferResult
from .copying import Copier
from .copying import JOBS
from .copying import MirrorResult
from .local import LocalRegistry
from .local import Repository
from .tag_selection import oldest_first
from .transfer import Transfer

if t.TYPE_CHECKING:
    from ..storage import UploadFile
    from ..storage.protocol import Reader


class Images:
    """Writes images to this registry and reads them, without HTTP.

    Content is verified, stored and reported like a push. Permissions are not checked,
    because the host has done so. All methods need an application context, and commit
    the session of ``db``, like a push.
    """

    def __init__(self, here: LocalRegistry) -> None:
        self._here = here

    def put_blob(
        self,
        name: str,
        source: bytes | t.BinaryIO,
        *,
        digest: str | None = None,
        by: t.Any = None,
    ) -> str:
        """Store a blob, such as a layer or a config, and return its digest.

        :param name: the repository, which is created if necessary.
        :param source: the bytes, or a file that is read from its position to the end.
        :param digest: the expected digest; None computes a sha256 digest.
        :param by: the user who pushes, and who may own a new repository.
        :raises DigestInvalid: if the digest differs.
        :raises SizeInvalid: if the blob is larger than :data:`OCI_MAX_BLOB_SIZE`.
        """
        wanted = Digest.parse(digest) if digest else None
        file: Reader = io.BytesIO(source) if isinstance(source, bytes) else source
        algorithm = wanted.algorithm if wanted else DEFAULT_ALGORITHM

        def receive(upload: UploadFile) -> None:
            try:
                upload.append(file, algorithm, self._here.config.max_blob_size)
            except SizeInvalid as error:
                error.status = 413
                raise

        content = self._here.content
        by_whom = content.actor(by)
        with audit.acting(by_whom.name), usage_shown(by is None):
            return str(content.put_blob(check_name(name), by_whom, wanted, receive))

    def put_manifest(
        self,
        name: str,
        content: bytes,
        *,
        media_type: str | None = None,
        tags: Sequence[str] = (),
        by: t.Any = None,
    ) -> str:
        """Store a manifest, after its content, and return its digest.

        :param name: the repository.
        :param content: the exact bytes.
        :param media_type: the media type, if the manifest does not contain it.
        :param tags: the tags.
        :param by: the user who pushes.
        :raises ManifestInvalid: if the manifest or a tag is invalid.
        :raises ManifestBlobUnknown: if it references missing content.
        """
        verbs = self._here.content
        names = [check_tag(tag) for tag in tags]
        by_whom = verbs.actor(by)
        with audit.acting(by_whom.name), usage_shown(by is None):
            pushed = verbs.put_manifest(
                check_name(name), by_whom, content, media_type, tags=names
            )
        return str(pushed.digest)

    def get_manifest(self, name: str, reference: str) -> RawManifest:
        """Return a manifest: its ``digest``, ``media_type`` and ``content``.

        :param reference: a tag or a digest.
        :raises TransferError: if there is none.
        :raises Denied: if the manifest is blocked.
        """
        return self._repository(name).find(reference)

    def open_blob(self, name: str, digest: str) -> t.BinaryIO:
        """Open a blob of a repository for reading; the caller closes it.

        :raises BlobUnknown: if the repository has no such blob.
        :raises Denied: if the blob is blocked.
        """
        wanted = Digest.parse(digest)
        repository = self._repository(name)
        place = repository.place(wanted)
        if place is None:
            raise BlobUnknown(detail=digest)
        repository.check_blob(wanted)
        return self._here.storage.open(place)

    def import_from(
        self,
        source: str | os.PathLike[str] | t.BinaryIO,
        name: str,
        *,
        tag: str | None = None,
        reference: str | None = None,
        platforms: Sequence[str] = (),
        referrers: bool = False,
        by: t.Any = None,
        limit: int = archive_reader.MAX_UNPACKED,
        progress: TransferProgress | None = None,
    ) -> TransferResult:
        """Import images from an OCI image layout or a ``docker save`` archive.

        Existing content is skipped, so an interrupted import can be resumed.

        :param source: the path of a folder or of a tar archive, or an open archive.
            Either may be compressed with gzip.
        :param name: the repository, which is created if necessary.
        :param tag: the tag of a single image. None uses the names in the archive.
        :param reference: the name or digest of one image in the archive. None imports
            all.
        :param platforms: the platforms of an index, such as ``linux/arm64``. Docker may
            save an index without all of them.
        :param referrers: whether to import the referrers of ``reference``.
        :param by: the user who pushes, and who may own a new repository.
        :param limit: the largest size of an uncompressed archive, in bytes.
        :param progress: receives the transferred bytes.
        :raises TransferError: if the archive is damaged or ambiguous.
        :raises RegistryError: if the registry refuses the content, as in a push.
        """
        target = self._repository(name, by)
        where = source if hasattr(source, "read") else os.fspath(source)
        with archive_reader.opened(t.cast("str | t.BinaryIO", where), limit) as found:
            images = archive_formats.images_of(
                found, self._here.config.max_manifest_size
            )
            transfer = Transfer(
                images,
                target,
                referrers=referrers,
                wanted=platforms,
                progress=progress,
            )
            listed = archive_formats.named(images, reference, tag)
            with usage_shown(by is None):
                for wanted, called in oldest_first(images, listed):
                    transfer.image(wanted, called)
        return transfer.moved

    def export_to(
        self,
        target: str | os.PathLike[str] | t.BinaryIO,
        name: str,
        reference: str | None = None,
        *,
        format: Form = "tar",
        platforms: Sequence[str] = (),
        referrers: bool = False,
        called: str | None = None,
        progress: TransferProgress | None = None,
    ) -> TransferResult:
        """Write images as an OCI image layout or a ``docker load`` archive.

        The same images produce the same bytes. A file gets its name when it is
        complete; in a folder, existing files are skipped.

        :param target: the path of a folder, for ``folder``, or of a file; or a file
            that is open for writing.
        :param name: the repository.
        :param reference: a tag or a digest; None exports all tags.
        :param format: ``folder``, ``tar`` or ``docker``.
        :param platforms: the platforms of an index, such as ``linux/arm64``.
        :param referrers: whether to export the referrers of the images.
        :param called: the repository name for ``docker load``.
        :param progress: receives the transferred bytes.
        :raises TransferError: if there is no such image, or the format cannot hold it.
        """
        source = self._repository(name)
        wanted = [reference] if reference else source.references()
        if not wanted:
            raise TransferError(
                f"{name} has no tags. 'flask oci tags --untagged' lists its manifests."
            )
        with archive_formats.written(
            target, format, called or name, self._here
        ) as archive:
            transfer = Transfer(
                source,
                archive,
                referrers=referrers,
                wanted=platforms,
                progress=progress,
            )
            for each in wanted:
                tag = None if ":" in each else each
                item = transfer.image(each, tag)
                archive.add_name(item, tag)
            archive.finish()
        return transfer.moved

    def copy(
        self,
        source: str,
        target: str,
        *,
        platforms: Sequence[str] = (),
        referrers: bool = False,
        jobs: int = JOBS,
        plain_http_hosts: Collection[str] = (),
        token_hosts: Collection[str] = (),
        by: t.Any = None,
        progress: TransferProgress | None = None,
    ) -> TransferResult:
        """Copy an image from, to, or within this registry.

        Content that the target has is not sent again. The credentials are those of
        Docker.

        :param source: ``NAME:TAG`` or ``NAME@DIGEST`` in this registry, or
            ``HOST/NAME:TAG`` in another one.
        :param target: ``NAME`` or ``HOST/NAME``, with or without a tag.
        :param platforms: the platforms of an index.
        :param referrers: whether to copy the referrers.
        :param jobs: the number of parallel blob transfers; at most six.
        :param plain_http_hosts: hosts to connect to without TLS.
        :param token_hosts: hosts of token services, besides the registry's own, that
            may receive the credentials.
        :param by: the user who pushes, and who may own a new repository.
        :param progress: receives the transferred bytes.
        :raises TransferError: if a registry does not respond, or refuses.
        """
        copier = Copier(
            self._here,
            self._here.content.actor(by),
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain_http_hosts,
            token_hosts=token_hosts,
            progress=progress,
        )
        with usage_shown(by is None):
            return copier.copy(source, target)

    def mirror(
        self,
        source: str,
        target: str,
        *,
        tags: Sequence[str] = (),
        exclude: Sequence[str] = (),
        newest: int | None = None,
        platforms: Sequence[str] = (),
        referrers: bool = False,
        jobs: int = JOBS,
        dry_run: bool = False,
        plain_http_hosts: Collection[str] = (),
        token_hosts: Collection[str] = (),
        by: t.Any = None,
        progress: TransferProgress | None = None,
    ) -> MirrorResult:
        """Copy the tags of a repository that another one lacks, several in parallel.

        If a tag fails, the others are still copied; call this again to copy the rest.
        Nothing is deleted from the target.

        :param source: a repository of this or of another registry.
        :param target: the same.
        :param tags: patterns of the tags to copy, such as ``1.*``; none copies all.
        :param exclude: patterns of the tags to exclude.
        :param newest: the number of most recently built images to copy; None copies
            all.
        :param dry_run: whether only to return what would be copied.

        The others are as for :meth:`copy`.
        """
        copier = Copier(
            self._here,
            self._here.content.actor(by),
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain_http_hosts,
            token_hosts=token_hosts,
            progress=progress,
        )
        with usage_shown(by is None):
            return copier.mirror(
                source,
                target,
                tags=tags,
                exclude=exclude,
                newest=newest,
                dry_run=dry_run,
            )

    def _repository(self, name: str, by: t.Any = None) -> Repository:
        by_whom = self._here.content.actor(by)
        # Rows that were read earlier may be outdated.
        self._here.catalog.release()
        return Repository(self._here, check_name(name), by_whom)
