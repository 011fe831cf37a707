"""``flask oci import`` and ``export``: images from and to archives."""

from __future__ import annotations

import sys
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from ..names import split_image
from ..services import services
from ..transfer import Moved
from ..transfer import Progress
from ..transfer.archives import Form
from ..transfer.archives import FORMS
from ..web.formatting import size
from . import output
from .common import told
from .common import user_named
from .progress import bar as progress_of

if t.TYPE_CHECKING:
    from click._termui_impl import ProgressBar

GIB: t.Final = 1024**3

PLATFORM: t.Final = click.option(
    "--platform",
    "platforms",
    metavar="OS/ARCH[/VARIANT]",
    multiple=True,
    help="Take this platform of an index only. Can be repeated.",
)
REFERRERS: t.Final = click.option(
    "--referrers", is_flag=True, help="Take signatures, SBOMs and the like, too."
)
BY: t.Final = click.option(
    "--by", metavar="USERNAME", help="Push as this user; a new repository is theirs."
)
JSON: t.Final = click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object."
)


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
                by=None if by is None else user_named(by),
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
                form=form,
                platforms=platforms,
                referrers=referrers,
                called=called,
                progress=progress,
            )
    if target != "-":
        report(moved, repository, as_json)


class Bar(Progress):
    """Shows how far a transfer has got.

    :param bar: of click's.
    """

    def __init__(self, bar: ProgressBar[int]) -> None:
        self._bar = bar
        self._bar.length = 0
        self._lock = threading.Lock()

    def expect(self, size: int) -> None:
        """Note that more is to be moved."""
        with self._lock:
            self._bar.length = (self._bar.length or 0) + size

    def advance(self, size: int) -> None:
        """Note that some of it has been."""
        with self._lock:
            self._bar.update(size)


@contextmanager
def progress_bar(label: str, as_json: bool) -> Iterator[Progress]:
    """Show how many of the bytes that are known of have been moved."""
    with progress_of(label, 1, as_json=as_json, update_min_steps=1024 * 1024) as bar:
        yield Bar(bar)
        # What is small is moved between two looks at the bar.
        bar.finish()
        bar.render_progress()


def report(moved: Moved, repository: str, as_json: bool) -> None:
    """Say which images there are now, and what had to be moved for them."""
    if as_json:
        output.as_json(fields_of(moved, repository))
        return
    for tag, digest in moved.images:
        click.echo(f"{repository}{f':{tag}' if tag else ''}@{digest}")
    click.echo(
        f"{len(moved.images)} images: {moved.manifests} manifests and {moved.blobs}"
        f" blobs, {size(moved.bytes)}, had to be moved.",
        err=True,
    )


def fields_of(moved: Moved, repository: str) -> dict[str, t.Any]:
    """Return what a transfer did, for programs."""
    return {
        "images": [
            {"repository": repository, "tag": tag, "digest": str(digest)}
            for tag, digest in moved.images
        ],
        "manifests": moved.manifests,
        "blobs": moved.blobs,
        "bytes": moved.bytes,
        "mounted": moved.mounted,
    }
