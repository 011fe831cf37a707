"""Images, for a host's own code and for the command line: ``registry.images``."""

from __future__ import annotations

import io
import os
import typing as t
from collections.abc import Collection
from collections.abc import Sequence

from ..errors import BlobUnknown
from ..errors import SizeInvalid
from ..events import audit
from ..spec.digest import DEFAULT_ALGORITHM
from ..spec.digest import Digest
from ..spec.reference import check_name
from ..spec.reference import check_tag
from . import archive_formats
from . import archive_reader
from .archive_formats import Form
from .base import Progress
from .base import RawManifest
from .base import TransferError
from .base import TransferResult
from .copying import Copier
from .copying import JOBS
from .copying import Mirrored
from .local import LocalRegistry
from .local import Repository
from .transfer import Transfer

if t.TYPE_CHECKING:
    from ..storage import UploadFile
    from ..storage.protocol import Reader


class Images:
    """Puts images into this registry and takes them out, without HTTP.

    What comes in is verified, stored and told of as if it had been pushed. Nobody is
    asked for permission: the host has done so. All of it needs an application context,
    and commits the session of ``db``, as a push does.
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

        :param name: the repository, which is made if there is none.
        :param source: its bytes, or a file that is read from where it is to its end.
        :param digest: what they must have; None is any, in sha256.
        :param by: the user who does it, to whom a new repository may belong.
        :raises DigestInvalid: when they have another digest.
        :raises SizeInvalid: when there are more than :data:`OCI_MAX_BLOB_SIZE`.
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
        with audit.acting(by_whom.name):
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
        """Record a manifest, after what it references, and return its digest.

        :param name: the repository.
        :param content: its exact bytes.
        :param media_type: what it is, if it does not say so itself.
        :param tags: what to call it.
        :param by: the user who does it.
        :raises ManifestInvalid: when it is no manifest, or a tag is none.
        :raises ManifestBlobUnknown: when it references what is not there.
        """
        verbs = self._here.content
        names = [check_tag(tag) for tag in tags]
        by_whom = verbs.actor(by)
        with audit.acting(by_whom.name):
            pushed = verbs.put_manifest(
                check_name(name), by_whom, content, media_type, tags=names
            )
        return str(pushed.digest)

    def get_manifest(self, name: str, reference: str) -> RawManifest:
        """Return a manifest: its ``digest``, ``media_type`` and ``content``.

        :param reference: a tag or a digest.
        :raises TransferError: when there is none.
        """
        return self._repository(name).find(reference)

    def open_blob(self, name: str, digest: str) -> t.BinaryIO:
        """Open a blob of a repository for reading; the caller closes it.

        :raises BlobUnknown: when the repository has no such blob.
        """
        wanted = Digest.parse(digest)
        if self._repository(name).size(wanted) is None:
            raise BlobUnknown(detail=digest)
        return self._here.storage.open(wanted)

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
        progress: Progress | None = None,
    ) -> TransferResult:
        """Take in images from an OCI image layout, or from what ``docker save`` wrote.

        What is there already is passed over, so that an import that was broken off
        goes on where it was.

        :param source: the path of a folder or of a tar archive, or an archive that is
            open for reading. Either may be compressed with gzip.
        :param name: the repository, which is made if there is none.
        :param tag: what to call the image, if it is one. None takes the names that
            the archive has.
        :param reference: which image of the archive to take, by its name in it or its
            digest. None takes all.
        :param platforms: which images of an index to take, such as ``linux/arm64``.
            Docker may save an index without all of them.
        :param referrers: whether to take what refers to ``reference``, too.
        :param by: the user who does it, to whom a new repository may belong.
        :param limit: how many bytes an archive may have when it is uncompressed.
        :param progress: is told of bytes.
        :raises TransferError: when the archive is damaged, or could be read in two
            ways.
        :raises RegistryError: when the registry refuses what is in it, as it would a
            push.
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
            for wanted, called in archive_formats.named(images, reference, tag):
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
        progress: Progress | None = None,
    ) -> TransferResult:
        """Write images as an OCI image layout, or as ``docker save`` does.

        The same images make the same bytes. A file has its name when it is whole; in a
        folder, what is there already is passed over.

        :param target: the path of a folder, for ``folder``, or of a file; or a file
            that is open for writing.
        :param name: the repository.
        :param reference: a tag or a digest; None is all tags.
        :param format: ``folder``, ``tar`` or ``docker``.
        :param platforms: which images of an index to take, such as ``linux/arm64``.
        :param referrers: whether to take what refers to the images, too.
        :param called: the name of the repository in what ``docker load`` reads.
        :param progress: is told of bytes.
        :raises TransferError: when there is no such image, or it does not fit into the
            form.
        """
        source = self._repository(name)
        wanted = [reference] if reference else source.references()
        if not wanted:
            raise TransferError(
                f"{name} has no tags. 'flask oci tags --untagged' lists what it has."
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
        by: t.Any = None,
        progress: Progress | None = None,
    ) -> TransferResult:
        """Copy an image from, to, or within this registry.

        What the target has already is not sent again. Credentials are those that Docker
        keeps.

        :param source: ``NAME:TAG`` or ``NAME@DIGEST`` here, or ``HOST/NAME:TAG`` there.
        :param target: ``NAME``, with a tag or without, here or there.
        :param platforms: which images of an index to take.
        :param referrers: whether to take what refers to it, too.
        :param jobs: how many blobs to move at once; six at the most.
        :param plain_http_hosts: hosts that may be talked to without TLS.
        :param by: the user who does it, to whom a new repository here may belong.
        :param progress: is told of bytes.
        :raises TransferError: when a registry does not answer, or refuses.
        """
        copier = Copier(
            self._here,
            self._here.content.actor(by),
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain_http_hosts,
            progress=progress,
        )
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
        by: t.Any = None,
        progress: Progress | None = None,
    ) -> Mirrored:
        """Copy the tags of a repository that are not in another one, several at once.

        One that fails does not keep the others from coming; call it again for these.
        Nothing is deleted at the target.

        :param source: a repository, here or at another registry.
        :param target: the same.
        :param tags: patterns of those to take, such as ``1.*``; none takes all.
        :param exclude: patterns of those to leave out.
        :param newest: how many to take of them, those made last; None is all.
        :param dry_run: whether only to say what would be copied.

        The others are as for :meth:`copy`.
        """
        copier = Copier(
            self._here,
            self._here.content.actor(by),
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain_http_hosts,
            progress=progress,
        )
        return copier.mirror(
            source, target, tags=tags, exclude=exclude, newest=newest, dry_run=dry_run
        )

    def _repository(self, name: str, by: t.Any = None) -> Repository:
        by_whom = self._here.content.actor(by)
        # What was read before may be what was so before.
        self._here.catalog.release()
        return Repository(self._here, check_name(name), by_whom)
