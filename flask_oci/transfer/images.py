"""Images, for a host's own code and for the command line: ``registry.images``."""

from __future__ import annotations

import io
import os
import typing as t
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager

from ..digest import DEFAULT_ALGORITHM
from ..digest import Digest
from ..errors import BlobUnknown
from ..errors import SizeInvalid
from ..names import check_name
from ..names import check_tag
from . import docker
from . import files
from . import layout
from . import sinks
from .base import Item
from .base import Moved
from .base import Progress
from .base import Source
from .base import TransferError
from .here import Here
from .here import Repository
from .walk import Transfer

if t.TYPE_CHECKING:
    from ..storage import UploadFile
    from ..storage.base import Reader

#: What an archive can be: a folder, a tar archive, or what ``docker load`` reads.
Form = t.Literal["folder", "tar", "docker", "docker-old"]

FORMS: t.Final[tuple[Form, ...]] = ("folder", "tar", "docker", "docker-old")


class Images:
    """Puts images into this registry and takes them out, without HTTP.

    What comes in is verified, stored and told of as if it had been pushed. Nobody is
    asked for permission: the host has done so. All of it needs an application context.
    """

    def __init__(self, here: Here) -> None:
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
        pushed = verbs.put_manifest(
            check_name(name), verbs.actor(by), content, media_type, tags=names
        )
        return str(pushed.digest)

    def get_manifest(self, name: str, reference: str) -> Item:
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
        referrers: bool = False,
        by: t.Any = None,
        limit: int = files.MAX_UNPACKED,
        progress: Progress | None = None,
    ) -> Moved:
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
        with files.opened(t.cast("str | t.BinaryIO", where), limit) as found:
            images = images_of(found, self._here.config.max_manifest_size)
            transfer = Transfer(images, target, referrers=referrers, progress=progress)
            for wanted, called in _named(images, reference, tag):
                transfer.image(wanted, called)
        return transfer.moved

    def export_to(
        self,
        target: str | os.PathLike[str] | t.BinaryIO,
        name: str,
        reference: str | None = None,
        *,
        form: Form = "tar",
        platforms: Sequence[str] = (),
        referrers: bool = False,
        called: str | None = None,
        progress: Progress | None = None,
    ) -> Moved:
        """Write images as an OCI image layout, or as ``docker save`` does.

        The same images make the same bytes. A file has its name when it is whole; in a
        folder, what is there already is passed over.

        :param target: the path of a folder, for ``folder``, or of a file; or a file
            that is open for writing.
        :param name: the repository.
        :param reference: a tag or a digest; None is all tags.
        :param form: ``folder``, ``tar``, ``docker`` or ``docker-old``.
        :param platforms: which images of an index to take, such as ``linux/arm64``.
        :param referrers: whether to take what refers to the images, too.
        :param called: the name of the repository in what ``docker load`` reads.
        :param progress: is told of bytes.
        :raises TransferError: when there is no such image, or it does not fit into the
            form.
        """
        source = self._repository(name)
        wanted = [reference] if reference else source.references()
        with _written(target, form, called or name, self._here) as archive:
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
                archive.mention(item, tag)
            archive.finish()
        return transfer.moved

    def _repository(self, name: str, by: t.Any = None) -> Repository:
        return Repository(self._here, check_name(name), self._here.content.actor(by))


def images_of(found: files.Files, limit: int) -> Source:
    """Return the images of an archive, whichever form it has.

    :param limit: how many bytes a manifest may have.
    :raises TransferError: when it has none that is known.
    """
    if found.size(layout.MARK) is not None:
        return layout.Layout(found, limit)
    images = docker.images_of(found, limit)
    if images is None:
        raise TransferError(
            "This is neither an OCI image layout, which has a file 'oci-layout', nor"
            " from 'docker save', which writes a 'manifest.json'."
        )
    return images


def _named(
    images: Source, reference: str | None, tag: str | None
) -> list[tuple[str, str | None]]:
    """Return which images to take, and what to call each of them."""
    found = [reference] if reference else images.references()
    if tag is not None:
        if len(found) != 1:
            raise TransferError(
                f"There are {len(found)} images in it, and one of them can be called"
                f" {tag}. Say which: {', '.join(found) or 'there is none'}."
            )
        return [(found[0], check_tag(tag))]
    called = [(name, layout.tag_of(name)) for name in found]
    tags = [name for _, name in called if name]
    if len(set(tags)) != len(tags):
        raise TransferError(
            "Several images in it have the same tag. Take them one by one:"
            f" {', '.join(found)}."
        )
    return called


@contextmanager
def _written(
    target: str | os.PathLike[str] | t.BinaryIO, form: Form, called: str, here: Here
) -> Iterator[layout.LayoutTarget]:
    where = t.cast(
        "str | t.BinaryIO",
        target if hasattr(target, "write") else os.fspath(target),
    )
    opening: AbstractContextManager[sinks.Sink] = sinks.archive(where)
    if form == "folder":
        path = t.cast(str, where)
        with sinks.folder(path) as sink:
            limit = here.config.max_manifest_size
            yield layout.LayoutTarget(sink, layout.listed(files.Folder(path), limit))
        return
    with opening as sink:
        if form == "docker":
            yield docker.DockerLayout(sink, called)
        elif form == "docker-old":
            yield docker.OldDocker(sink, called)
        else:
            yield layout.LayoutTarget(sink)
