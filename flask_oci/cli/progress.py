"""The progress bars of commands."""

from __future__ import annotations

import sys
import typing as t

import click

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from click._termui_impl import ProgressBar


def bar(
    label: str,
    length: int,
    *,
    as_json: bool,
    items: Iterable[t.Any] | None = None,
    **options: t.Any,
) -> ProgressBar[t.Any]:
    """Return a progress bar on the standard error.

    It is hidden with --json, and if the standard error is no terminal.

    :param length: the number of steps.
    :param items: the items to iterate over, one for each step.
    :param options: further options of :func:`click.progressbar`.
    """
    # click would still print the label if there is no terminal.
    file = sys.stderr if is_visible(as_json) else t.cast("t.TextIO", _NullFile())
    return click.progressbar(items, length, label, file=file, **options)


def is_visible(as_json: bool) -> bool:
    """Return True if a command may show progress: at a terminal, without --json."""
    return sys.stderr.isatty() and not as_json


class _NullFile:
    """A file that discards its input."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False
