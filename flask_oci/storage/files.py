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

    A file that is not there is no failure: what that means is known by the one
    who asked for it.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except FileNotFoundError:
            raise
        except OSError as error:
            cause = _CAUSES.get(error.errno or 0, "Its disk does not answer.")
            raise Unavailable(
                f"The registry cannot do this now. {cause} Try again later, or tell"
                " whoever runs it."
            ) from error

    return wrapper


def make_folder(path: str) -> None:
    """Make a folder and those above it, each durably."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folder(parent)
    with suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
    sync_folder(parent)


def sync_folder(path: str) -> None:
    """Return when the names in a folder would survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def locked(path: str, operation: int) -> Iterator[None]:
    """Hold a lock that other processes, and threads, heed.

    :param path: a file that is made if need be, and stays.
    :param operation: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
    """
    fd = _open_lock(path)
    try:
        fcntl.flock(fd, operation)
        yield
    finally:
        os.close(fd)


@disk
def _open_lock(path: str) -> int:
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(path, flags, FILE_MODE)
    except FileNotFoundError:
        make_folder(os.path.dirname(path))
        return os.open(path, flags, FILE_MODE)
