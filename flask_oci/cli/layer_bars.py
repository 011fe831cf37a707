"""Progress bars of a transfer and of each of its blobs, drawn by rich."""

from __future__ import annotations

import sys
import threading
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import ProgressColumn
from rich.progress import Task
from rich.progress import TaskProgressColumn
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn
from rich.text import Text

from ..rules.quota import readable
from ..transfer import TransferProgress
from .digests import short

if t.TYPE_CHECKING:
    from ..spec.digest import Digest


class SizeColumn(ProgressColumn):
    """The transferred and the total size, in the units of all commands."""

    def render(self, task: Task) -> Text:
        """Return both sizes of a bar."""
        total = readable(int(task.total or 0))
        return Text(f"{readable(int(task.completed))} / {total}")


class LayerBars(TransferProgress):
    """Shows a bar for the transfer, and one for each blob at present."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._total = 0
        self._lock = threading.Lock()
        self._task = progress.add_task(label, total=0)

    def expect(self, size: int) -> None:
        """Add bytes to the total."""
        with self._lock:
            self._total += size
            self._progress.update(self._task, total=self._total)

    def advance(self, size: int) -> None:
        """Add bytes to the transferred ones."""
        self._progress.advance(self._task, size)

    @contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[Callable[[int], None]]:
        """Show a bar with the short digest of a blob during its transfer."""
        task = self._progress.add_task(short(str(digest)), total=size)

        def advance(count: int) -> None:
            self._progress.advance(task, count)
            self.advance(count)

        try:
            yield advance
        finally:
            self._progress.remove_task(task)

    def finish(self) -> None:
        """Complete the bar of a transfer that needed no bytes."""
        if not self._total:
            self._progress.update(self._task, total=1, completed=1)


@contextmanager
def layer_bars(label: str) -> Iterator[TransferProgress]:
    """Show the bars on the standard error."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        SizeColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with progress:
        bars = LayerBars(progress, label)
        yield bars
        bars.finish()
