"""What the commands that move images have in common: options, a bar, and a report."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..rules.quota import readable
from ..transfer import Progress
from ..transfer import TransferResult
from . import output
from .progress import bar as progress_of

if t.TYPE_CHECKING:
    from click._termui_impl import ProgressBar

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


def report(moved: TransferResult, repository: str, as_json: bool) -> None:
    """Say which images there are now, and what had to be moved for them."""
    if as_json:
        output.as_json(fields_of(moved, repository))
        return
    for tag, digest in moved.images:
        click.echo(f"{repository}{f':{tag}' if tag else ''}@{digest}")
    click.echo(
        f"{len(moved.images)} images: {moved.manifests} manifests and {moved.blobs}"
        f" blobs, {readable(moved.bytes)}, had to be moved.",
        err=True,
    )


def fields_of(moved: TransferResult, repository: str) -> dict[str, t.Any]:
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
