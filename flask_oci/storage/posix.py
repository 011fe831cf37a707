"""POSIX calls of the local storage: durable folders, locks, and errors of the disk."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import typing as t
from contextlib import contextmanager
from contextlib import suppress

from ..errors import Unavailable

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

P = t.ParamSpec("P")
R = t.TypeVar("R")

# The group may read, so that nginx can send the files if it is a member.
FILE_MODE: t.Final = 0o640
FOLDER_MODE: t.Final = 0o750

_CAUSES = {
    errno.ENOSPC: "Its disk is full.",
    errno.EDQUOT: "Its disk quota is used up.",
    errno.EROFS: "Its disk is read-only.",
    errno.EACCES: "It has no permission to write to its storage folder.",
    errno.EPERM: "It has no permission to write to its storage folder.",
    errno.EMFILE: "It has too many files open.",
    errno.ENFILE: "The machine has too many files open.",
    errno.EIO: "Its disk reports errors.",
}


#: The maximum of the default reserve, in bytes.
MAX_RESERVE: t.Final = 256 * 1024 * 1024


class Space(t.NamedTuple):
    """The free space of a disk, in bytes."""

    free: int
    reserve: int
    """The free space below which pushes are refused."""

    @property
    def left(self) -> int:
        """The space that pushes may take, which may be negative."""
        return self.free - self.reserve


def space(root: str, reserve: int | None) -> Space | None:
    """Return the free space of the disk of a folder, or None if it does not exist.

    :param reserve: the reserve in bytes, or None for the default.
    """
    try:
        found = os.statvfs(root)
    except FileNotFoundError:
        return None
    if reserve is None:
        reserve = min(found.f_blocks * found.f_frsize // 100, MAX_RESERVE)
    return Space(found.f_bavail * found.f_frsize, reserve)


def unavailable(cause: str) -> Unavailable:
    """Return the error for a disk that does not accept a push.

    :param cause: a sentence for the operator.
    """
    return Unavailable(
        f"The registry cannot do this now. {cause} Try again later, or ask its"
        " operator."
    )


def disk(function: Callable[P, R]) -> Callable[P, R]:
    """Translate the errors of the disk in a function to :exc:`Unavailable`.

    A missing file and a file that another process has locked are not errors of the
    disk. The caller handles them.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (FileNotFoundError, BlockingIOError):
            raise
        except OSError as error:
            cause = _CAUSES.get(error.errno or 0, "Its disk does not respond.")
            raise unavailable(cause) from error

    return wrapper


#: The folders whose names this process has flushed to the disk.
_settled: set[str] = set()


def make_folder(path: str, root: str) -> None:
    """Create a folder and its parents, each durably.

    :param root: the storage folder. An existing folder below it may be one that
        another process created and did not flush before it was killed, so this
        process flushes it once as well.
    """
    is_settled = path in _settled or not path.startswith(root + os.sep)
    if is_settled and os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folder(parent, root)
    with suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
        inherit_owner(path)
    sync_folder(parent)
    _settled.add(path)


def inherit_owner(path: str) -> None:
    """Give a new file or folder to the owner of its folder, if this process is root.

    Otherwise a command that an operator runs as root would create files that the server
    cannot change.
    """
    if os.geteuid() != 0:
        return
    owner = os.stat(os.path.dirname(path))
    if owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def sync_folder(path: str) -> None:
    """Flush the names in a folder to the disk, so that they survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def begin_to_write(fd: int, start: int, stop: int) -> None:
    """Ask the disk to write a part of a file, without waiting for it.

    Systems without this call write at a time of their own.

    :param start: the first byte of the part.
    :param stop: the byte behind the part.
    """
    # Linux starts to write on this advice. Unwritten pages stay in memory, and the
    # later flush reports the errors.
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, start, stop - start, os.POSIX_FADV_DONTNEED)


@contextmanager
def locked(path: str, operation: int) -> Iterator[None]:
    """Hold an advisory lock between processes and threads.

    :param path: the lock file, which is created if it is missing, and is kept.
    :param operation: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
    """
    fd = _open_lock(path)
    try:
        lock(fd, operation)
        yield
    finally:
        close(fd)


@disk
def close(fd: int) -> None:
    """Close a file, and release its lock."""
    os.close(fd)


@disk
def lock(fd: int, operation: int) -> None:
    """Lock an open file, as ``flock`` does.

    :raises BlockingIOError: if another process holds the lock and ``operation`` says
        not to wait.
    """
    fcntl.flock(fd, operation)


@disk
def _open_lock(path: str) -> int:
    try:
        return _open_or_create(path)
    except FileNotFoundError:
        folder = os.path.dirname(path)
        make_folder(folder, os.path.dirname(folder))
        return _open_or_create(path)


def _open_or_create(path: str) -> int:
    is_new = os.geteuid() == 0 and not os.path.lexists(path)
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
    if is_new:
        inherit_owner(path)
    return fd


def readable(folder: str, unreadable: list[str] | None) -> list[str]:
    """Return the names in a folder in ascending order; none if it does not exist.

    :param unreadable: the list to which the folder is added if it cannot be read; None
        raises the error.
    """
    try:
        return _entries(folder)
    except Unavailable:
        if unreadable is None:
            raise
        unreadable.append(folder)
        return []


@disk
def _entries(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    return sorted(os.listdir(folder))
