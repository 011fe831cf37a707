"""Shared parts of the commands that transfer images: options, bar and report."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..rules.quota import readable
from ..rules.wording import plural
from ..transfer import TransferProgress
from ..transfer import TransferResult
from . import output
from .progress import bar as progress_of
from .progress import is_visible

if t.TYPE_CHECKING:
    from click._termui_impl import ProgressBar

PLATFORM: t.Final = click.option(
    "--platform",
    "platforms",
    metavar="OS/ARCH[/VARIANT]",
    multiple=True,
    help="Only this platform of an index. Can be repeated.",
)
REFERRERS: t.Final = click.option(
    "--referrers", is_flag=True, help="Include referrers, such as signatures and SBOMs."
)
BY: t.Final = click.option(
    "--by", metavar="USERNAME", help="Push as this user, who owns a new repository."
)
JSON: t.Final = click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object."
)


class Bar(TransferProgress):
    """Shows the progress of a transfer in a bar of click."""

    def __init__(self, bar: ProgressBar[int]) -> None:
        self._bar = bar
        self._bar.length = 0
        self._lock = threading.Lock()

    def expect(self, size: int) -> None:
        """Add bytes to the total."""
        with self._lock:
            self._bar.length = (self._bar.length or 0) + size

    def advance(self, size: int) -> None:
        """Add bytes to the transferred ones."""
        with self._lock:
            self._bar.update(size)


@contextmanager
def progress_bar(label: str, as_json: bool) -> Iterator[TransferProgress]:
    """Show a bar of the transferred bytes, and with rich one of each blob."""
    if is_visible(as_json) and (bars := _layer_bars()) is not None:
        with bars(label) as progress:
            yield progress
        return
    with progress_of(label, 1, as_json=as_json, update_min_steps=1024 * 1024) as bar:
        yield Bar(bar)
        # A small transfer ends before the bar is updated.
        bar.finish()
        bar.render_progress()


def _layer_bars() -> t.Callable[[str], t.Any] | None:
    try:
        from .layer_bars import layer_bars
    except ImportError:
        return None
    return layer_bars


def report(result: TransferResult, repository: str, as_json: bool) -> None:
    """Print the images, and how much content was transferred."""
    if as_json:
        output.as_json(fields_of(result, repository))
        return
    for tag, digest in result.images:
        click.echo(f"{repository}{f':{tag}' if tag else ''}@{digest}")
    click.echo(
        f"{plural(len(result.images), 'image')}: transferred"
        f" {plural(result.manifests, 'manifest')} and {plural(result.blobs, 'blob')},"
        f" {readable(result.bytes)}.",
        err=True,
    )


def fields_of(result: TransferResult, repository: str) -> dict[str, t.Any]:
    """Return the result of a transfer as a JSON object."""
    return {
        "images": [
            {"repository": repository, "tag": tag, "digest": str(digest)}
            for tag, digest in result.images
        ],
        "manifests": result.manifests,
        "blobs": result.blobs,
        "bytes": result.bytes,
        "mounted": result.mounted,
    }
