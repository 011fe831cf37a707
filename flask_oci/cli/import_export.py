"""``flask oci import`` and ``export``: images from and to archives."""

from __future__ import annotations

import sys
import typing as t

import click
from flask.cli import with_appcontext

from ..services import services
from ..spec.reference import split_image
from ..transfer.archive_formats import Form
from ..transfer.archive_formats import FORMS
from .common import told
from .common import user_or_none
from .transfers import BY
from .transfers import JSON
from .transfers import PLATFORM
from .transfers import progress_bar
from .transfers import REFERRERS
from .transfers import report

GIB: t.Final = 1024**3


@click.command("import")
@with_appcontext
@click.argument("source")
@click.argument("image", metavar="REPOSITORY[:TAG]")
@click.option("--name", help="Which image of the archive to take; all, without it.")
@PLATFORM
@REFERRERS
@BY
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    metavar="GIB",
    help="How large a compressed archive may be when it is uncompressed.",
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
    """Take in images from SOURCE: an OCI image layout, as a folder or a tar archive,
    or what 'docker save' or 'podman save' wrote. '-' reads an archive from the input.

    Images keep the tags that they have in the archive, unless there is one and you
    name a TAG. Everything is verified as if it had been pushed. What is there already
    is passed over, so an import that was broken off goes on where it was.
    """
    with told():
        repository, tag = split_image(image)
        with progress_bar("Importing", as_json) as progress:
            moved = services().images.import_from(
                sys.stdin.buffer if source == "-" else source,
                repository,
                tag=tag,
                reference=name,
                platforms=platforms,
                referrers=referrers,
                by=user_or_none(by),
                limit=limit * GIB,
                progress=progress,
            )
    report(moved, repository, as_json)


@click.command()
@with_appcontext
@click.argument("image", metavar="REPOSITORY[:TAG|@DIGEST]")
@click.argument("target")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="'folder' and 'tar' are OCI image layouts, and 'docker' is one that 'docker"
    " load' reads, too; 'docker-old' is for programs that know no layouts. The default"
    " is 'tar' where TARGET ends with '.tar' or is '-', and 'folder' otherwise.",
)
@PLATFORM
@REFERRERS
@click.option(
    "--called",
    metavar="NAME",
    help="The repository's name for 'docker load'; its own, without it.",
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
    """Write an image, or all tags of REPOSITORY, to TARGET; '-' is the output.

    Manifests and blobs are written byte for byte. An archive has its name when it is
    whole. In a folder, what is there already is passed over, and the images that it
    has stay in it.
    """
    if form is None:
        form = "tar" if target == "-" or target.endswith(".tar") else "folder"
    if target == "-" and (as_json or form == "folder"):
        raise click.UsageError("Only an archive, and nothing else, fits the output.")
    with told():
        repository, reference = split_image(image)
        with progress_bar("Exporting", as_json) as progress:
            moved = services().images.export_to(
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
        report(moved, repository, as_json)
