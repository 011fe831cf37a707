"""How far long work has got, for somebody who watches it."""

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
    """Return a bar on the terminal, beside the output that is for a file or a program.

    It is not seen where there is no terminal, nor where the output is for a program.

    :param length: how many steps there are.
    :param items: what to go through, one a step.
    :param options: others of :func:`click.progressbar`.
    """
    watched = sys.stderr.isatty() and not as_json
    # What is no terminal is still told the label, and a log has no use for that.
    file = sys.stderr if watched else t.cast("t.TextIO", _Nobody())
    return click.progressbar(items, length, label, file=file, **options)


class _Nobody:
    """Somebody who is told everything, and hears nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False
