"""``flask oci import`` and ``export``: read and write archives of images."""

from __future__ import annotations

import sys
import typing as t

import click
from flask.cli import with_appcontext

from ..services import services
from ..spec.reference import split_image
from ..transfer.archive_formats import Form
from ..transfer.archive_formats import FORMS
from .common import error_messages
from .common import user_or_none
from .digests import whole_image
from .sizes import size
from .transfers import BY
from .transfers import JSON
from .transfers import PLATFORM
from .transfers import progress_bar
from .transfers import REFERRERS
from .transfers import report

#: The default limit of uncompressed archives.
LIMIT: t.Final = "64GiB"


@click.command("import")
@with_appcontext
@click.argument("source")
@click.argument("image", metavar="REPOSITORY[:TAG]")
@click.option("--name", help="The image of the archive to import; by default all.")
@PLATFORM
@REFERRERS
@BY
@click.option(
    "--limit",
    metavar="SIZE",
    callback=size,
    default=LIMIT,
    show_default=True,
    help="The largest uncompressed size of a compressed archive.",
)
@JSON
def import_(
    source: str,
    image: str,
    name: str | None,
    platforms: tuple[str, ...],
    referrers: bool,
    by: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Import images from an archive or a folder.

    SOURCE is an OCI image layout, as a folder or a tar archive, or the output of
    'docker save' or 'podman save'. '-' reads an archive from the standard input.

    Images keep their tags of the archive. A single image gets TAG if you name one. The
    registry verifies all content as in a push. It skips content that it already has, so
    an interrupted import can be resumed.
    """
    with error_messages():
        repository, tag = split_image(image)
        with progress_bar("Importing", as_json) as progress:
            result = services().images.import_from(
                sys.stdin.buffer if source == "-" else source,
                repository,
                tag=tag,
                reference=name,
                platforms=platforms,
                referrers=referrers,
                by=user_or_none(by),
                limit=limit,
                progress=progress,
            )
    report(result, repository, as_json)


@click.command()
@with_appcontext
@click.argument("image", metavar="REPOSITORY[:TAG|@DIGEST]")
@click.argument("target")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="'folder' and 'tar' are OCI image layouts; 'docker' is an OCI image layout"
    " that every version of 'docker load' reads. The default is 'tar' if TARGET ends"
    " with '.tar' or is '-', and 'folder' otherwise.",
)
@PLATFORM
@REFERRERS
@click.option(
    "--called",
    metavar="NAME",
    help="The repository name for 'docker load'; by default that of the repository.",
)
@JSON
def export(
    image: str,
    target: str,
    form: Form | None,
    platforms: tuple[str, ...],
    referrers: bool,
    called: str | None,
    as_json: bool,
) -> None:
    """Write images to an archive or a folder.

    The command writes one image, or all tags of REPOSITORY, to TARGET; '-' is the
    standard output. DIGEST may be the first digits of a digest.

    Manifests and blobs are written byte for byte. An archive gets its name when it is
    complete. A folder keeps its images, and the command skips content that the folder
    already has.
    """
    if form is None:
        form = "tar" if target == "-" or target.endswith(".tar") else "folder"
    if target == "-" and (as_json or form == "folder"):
        raise click.UsageError(
            "The standard output needs the format 'tar' or 'docker', without --json."
        )
    with error_messages():
        repository, reference = split_image(whole_image(image))
        with progress_bar("Exporting", as_json) as progress:
            result = services().images.export_to(
                sys.stdout.buffer if target == "-" else target,
                repository,
                reference,
                format=form,
                platforms=platforms,
                referrers=referrers,
                called=called,
                progress=progress,
            )
    if target != "-":
        report(result, repository, as_json)
