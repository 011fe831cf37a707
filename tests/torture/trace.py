"""The files of a folder that would survive a power cut, found from system calls.

A file's bytes survive if the file was flushed after the last write. The name of a file
or folder survives if its parent folder was flushed since. POSIX promises nothing more,
although some file systems do more.
"""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Iterator

#: The command line of strace that produces the output read here.
STRACE: t.Final = (
    *("strace", "--follow-forks", "--decode-fds=path", "--seccomp-bpf"),
    # The traced server stays a child of this process.
    *("--quiet=all", "--signal=none", "--daemonize", "--trace"),
    ",".join(
        (
            *("open", "openat", "creat", "mkdir", "mkdirat", "link", "linkat"),
            *("write", "pwrite64", "writev", "pwritev", "ftruncate"),
            *("rename", "renameat", "renameat2", "unlink", "unlinkat"),
            *("fsync", "fdatasync", "sendto", "sendmsg"),
        )
    ),
)

_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)")
_FILE = re.compile(r"^\d+<(?P<path>/[^>]*)>")
_NAME = re.compile(r'"(?P<path>/[^"]*)"')


class Call(t.NamedTuple):
    """A system call that succeeded."""

    name: str
    arguments: str

    @property
    def file(self) -> str | None:
        """The path of the file in its first argument, if it is a file."""
        found = _FILE.match(self.arguments)
        return found["path"] if found else None

    @property
    def names(self) -> list[str]:
        """The paths among its arguments."""
        return _NAME.findall(self.arguments)

    @property
    def answer(self) -> int | None:
        """The status, if the call sends the start of an HTTP answer."""
        found = re.search(r'<socket:[^"]*"HTTP/1\.1 (\d+)', self.arguments)
        return int(found[1]) if found and self.name.startswith("send") else None


def calls(lines: t.Iterable[str]) -> Iterator[Call]:
    """Yield the calls in strace's output, each at the time of its end."""
    begun: dict[str, str] = {}
    for line in lines:
        pid, _, rest = line.rstrip("\n").partition(" ")
        rest = rest.lstrip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", rest):
            rest = begun.pop(pid) + rest[resumed.end() :]
        call = _CALL.match(rest)
        if call and not call["result"].startswith("-"):
            yield Call(call["name"], call["arguments"])


class Disk:
    """The files of a folder, as far as they are on the disk.

    :param root: the folder; all other files are ignored.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._unflushed: set[str] = set()
        self._unnamed: set[str] = set()

    def apply(self, call: Call) -> None:
        """Apply the effect of a call."""
        if call.name in ("fsync", "fdatasync"):
            self._flush(call.file or "")
        elif call.name.startswith(("write", "pwrite", "ftruncate")):
            self._unflushed.add(call.file or "")
        elif call.name.startswith("rename"):
            self._rename(*call.names[-2:])
        elif call.name.startswith(("mkdir", "creat", "link")) or (
            call.name.startswith("open") and "O_CREAT" in call.arguments
        ):
            self.make(call.names[-1])
        elif call.name.startswith("unlink"):
            self._unflushed.discard(call.names[-1])
            self._unnamed.discard(call.names[-1])

    def make(self, path: str) -> None:
        """Record a name that may not be on the disk yet."""
        self._unnamed.add(path)

    def has_bytes_below(self, folder: str) -> bool:
        """Return True if all bytes of the files in a folder are on the disk."""
        return not any(path.startswith(f"{folder}/") for path in self._unflushed)

    def keeps(self, path: str) -> bool:
        """Return True if a file would be complete after a power cut."""
        if path in self._unflushed:
            return False
        while path.startswith(f"{self._root}/"):
            if path in self._unnamed:
                return False
            path = os.path.dirname(path)
        return True

    def _flush(self, path: str) -> None:
        self._unflushed.discard(path)
        self._unnamed = {p for p in self._unnamed if os.path.dirname(p) != path}

    def _rename(self, old: str, new: str) -> None:
        if old in self._unflushed:
            self._unflushed.remove(old)
            self._unflushed.add(new)
        self._unnamed.discard(old)
        self._unnamed.add(new)
