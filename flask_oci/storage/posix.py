"""What every part of the local storage asks of the operating system."""

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

# The group may read, so that nginx can send the files when it belongs to it.
FILE_MODE: t.Final = 0o640
FOLDER_MODE: t.Final = 0o750

_CAUSES = {
    errno.ENOSPC: "Its disk is full.",
    errno.EDQUOT: "Its disk quota is used up.",
    errno.EROFS: "Its disk is read-only.",
    errno.EACCES: "It may not write to its storage folder.",
    errno.EPERM: "It may not write to its storage folder.",
    errno.EMFILE: "It has too many files open.",
    errno.ENFILE: "The machine has too many files open.",
    errno.EIO: "Its disk fails.",
}


def disk(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function whose failures are the disk's, and not the client's.

    A file that is not there, or that somebody else has locked, is no failure: what
    that means is known by the one who asked for it.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (FileNotFoundError, BlockingIOError):
            raise
        except OSError as error:
            cause = _CAUSES.get(error.errno or 0, "Its disk does not answer.")
            raise Unavailable(
                f"The registry cannot do this now. {cause} Try again later, or tell"
                " whoever runs it."
            ) from error

    return wrapper


#: Folders whose own names this process knows to be on the disk.
_settled: set[str] = set()


def make_folder(path: str, root: str) -> None:
    """Make a folder and those above it, each durably.

    :param root: what is below it is the registry's. A folder that is there may be
        one that a process was killed over, before it was on the disk.
    """
    is_settled = path in _settled or not path.startswith(root + os.sep)
    if is_settled and os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folder(parent, root)
    with suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
    sync_folder(parent)
    _settled.add(path)


def sync_folder(path: str) -> None:
    """Return when the names in a folder would survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def begin_to_write(fd: int, start: int, stop: int) -> None:
    """Have the disk begin with a part of a file, and wait for nothing.

    A system that cannot be told so writes when it likes.
    """
    # Linux answers this advice by writing; what is not on the disk yet stays in memory,
    # and what fails is told to who flushes the file.
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, start, stop - start, os.POSIX_FADV_DONTNEED)


@contextmanager
def locked(path: str, operation: int) -> Iterator[None]:
    """Hold a lock that other processes, and threads, heed.

    :param path: a file that is made if need be, and stays.
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
    """Close a file, and with it give up its lock."""
    os.close(fd)


@disk
def lock(fd: int, operation: int) -> None:
    """Lock an open file, as ``flock`` does.

    :raises BlockingIOError: when somebody else has it, and ``operation`` says not to
        wait.
    """
    fcntl.flock(fd, operation)


@disk
def _open_lock(path: str) -> int:
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(path, flags, FILE_MODE)
    except FileNotFoundError:
        folder = os.path.dirname(path)
        make_folder(folder, os.path.dirname(folder))
        return os.open(path, flags, FILE_MODE)
