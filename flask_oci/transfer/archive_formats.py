"""Archive formats: detection, names and writers."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from ..spec.reference import check_tag
from . import archive_reader
from . import archive_writer
from . import docker_archive
from . import oci_layout
from .base import Source
from .base import TransferError
from .local import LocalRegistry

#: The formats: a folder, a tar archive, or an archive for ``docker load``.
Form = t.Literal["folder", "tar", "docker"]

FORMS: t.Final[tuple[Form, ...]] = ("folder", "tar", "docker")


def images_of(found: archive_reader.Files, limit: int) -> Source:
    """Return the images of an archive of any format.

    :param limit: the largest size of a manifest, in bytes.
    :raises TransferError: if the format is unknown.
    """
    if found.size(oci_layout.MARK) is not None:
        return oci_layout.Layout(found, limit)
    images = docker_archive.images_of(found, limit)
    if images is None:
        raise TransferError(
            "Unknown archive format: there is neither 'oci-layout', as in an OCI image"
            " layout, nor 'manifest.json', as in the output of 'docker save'."
        )
    return images


def named(
    images: Source, reference: str | None, tag: str | None
) -> list[tuple[str, str | None]]:
    """Return the references of the images to import, each with its tag."""
    found = [reference] if reference else images.references()
    if tag is not None:
        if len(found) != 1:
            raise TransferError(
                f"The archive has {len(found)} images, but the tag {tag} needs one."
                f" Choose one with --name: {', '.join(found) or 'there is none'}."
            )
        return [(found[0], check_tag(tag))]
    called = [(name, oci_layout.tag_of(name)) for name in found]
    tags = [name for _, name in called if name]
    if len(set(tags)) != len(tags):
        raise TransferError(
            "Several images of the archive have the same tag. Import them one by one:"
            f" {', '.join(found)}."
        )
    return called


@contextmanager
def written(
    target: str | os.PathLike[str] | t.BinaryIO,
    form: Form,
    called: str,
    here: LocalRegistry,
) -> Iterator[oci_layout.LayoutTarget]:
    where = t.cast(
        "str | t.BinaryIO",
        target if hasattr(target, "write") else os.fspath(target),
    )
    if form == "folder":
        path = t.cast(str, where)
        with archive_writer.folder(path) as sink:
            limit = here.config.max_manifest_size
            yield oci_layout.LayoutTarget(
                sink, oci_layout.listed(archive_reader.Folder(path), limit)
            )
        return
    with archive_writer.archive(where) as sink:
        if form == "docker":
            yield docker_archive.DockerLayout(sink, called)
        else:
            yield oci_layout.LayoutTarget(sink)
