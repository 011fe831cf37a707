"""A terminal, and the text that a command shows on it."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading


class Screen:
    """A terminal for the standard output or the standard error of a command."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self._shown = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.file = open(theirs, "w", buffering=1)  # noqa: SIM115

    def text(self) -> str:
        """Return the text on the screen, after the command has ended."""
        self.file.close()
        self._reader.join()
        os.close(self._ours)
        return self._shown.decode()

    def _read(self) -> None:
        # A terminal holds few bytes, so a command would wait for a reader.
        with contextlib.suppress(OSError):
            while select.select([self._ours], [], [], 60)[0]:
                self._shown += os.read(self._ours, 4096)
