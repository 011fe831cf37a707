"""The files of a folder or a tar archive, by name; nothing is ever unpacked.

Who made an archive may have wanted to write, or read, somewhere else. A name in it is
only what a file is found by, and a link leads to another file in it or nowhere.
"""

from __future__ import annotations

import gzip
import os
import posixpath
import stat
import tarfile
import tempfile
import threading
import typing as t
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import ExitStack

from ..storage.protocol import PIECE
from ..storage.protocol import Reader
from .base import TransferError

#: How many files an archive may have; real ones have three for each layer.
MAX_FILES: t.Final = 50_000

#: How many bytes one header may have. It holds a name.
MAX_HEADER: t.Final = 1024 * 1024

#: How many links may lie between a name and a file.
MAX_LINKS: t.Final = 16

#: How many bytes an archive may have when the gzip around it is taken off.
MAX_UNPACKED: t.Final = 64 * 1024**3

_GZIP = b"\x1f\x8b"
_OTHERS = (b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


class Files(t.Protocol):
    """What an archive or a folder has in it."""

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has, or None when there is none."""

    def open(self, name: str) -> AbstractContextManager[Reader]:
        """Open a file for reading.

        :raises TransferError: when there is none.
        """


def read(files: Files, name: str, limit: int) -> bytes:
    """Read a file that is small.

    :param limit: how many bytes it may have.
    :raises TransferError: when it is not there, or larger.
    """
    size = files.size(name)
    if size is None:
        raise TransferError(f"There is no {name} in it.")
    if size > limit:
        raise TransferError(f"{name} has {size} bytes, and may have {limit}.")
    with files.open(name) as file:
        return b"".join(iter(lambda: file.read(PIECE), b""))


class Folder:
    """The files of a folder.

    :param path: of the folder.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has, or None when there is none."""
        try:
            found = os.lstat(self._inside(name))
        except (OSError, ValueError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    @contextmanager
    def open(self, name: str) -> Iterator[Reader]:
        """Open a file for reading; a link, a pipe or a device is none."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(self._inside(name), flags)
        except FileNotFoundError as error:
            raise TransferError(f"There is no {name} in the folder.") from error
        except (OSError, ValueError) as error:
            raise TransferError(f"{name} cannot be read: {error}.") from error
        with open(fd, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise TransferError(f"{name} is no file.")
            yield t.cast(Reader, file)

    def _inside(self, name: str) -> str:
        """Return where a file is, which has to be below the folder.

        :raises FileNotFoundError: for a name, or a link to a folder, that leads out.
        """
        path = os.path.join(self._path, name)
        above = os.path.realpath(os.path.dirname(path))
        if above != self._path and not above.startswith(self._path + os.sep):
            raise FileNotFoundError(f"{name} lies outside of the folder")
        return os.path.join(above, os.path.basename(path))


class Archive:
    """The files of a tar archive that can be read at any place.

    :param file: the archive.
    :raises TransferError: when it is none, or one that could be read in two ways.
    """

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._read_headers()
        except TransferError:
            raise
        # What a header can have in it makes the standard library raise nearly
        # anything.
        except Exception as error:
            raise TransferError(f"This is no tar archive: {error}.") from error

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has, or None when there is none."""
        place = self._places.get(self._resolved(name))
        return place[1] if place else None

    @contextmanager
    def open(self, name: str) -> Iterator[Reader]:
        """Open a file for reading."""
        place = self._places.get(self._resolved(name))
        if place is None:
            raise TransferError(f"There is no {name} in the archive.")
        yield _Part(self._file, self._lock, *place)

    def _resolved(self, name: str) -> str:
        for _ in range(MAX_LINKS):
            if name not in self._links:
                return name
            name = self._links[name]
        raise TransferError(f"{name} is a link that leads nowhere.")

    def _read_headers(self) -> None:
        guarded = t.cast(t.BinaryIO, _HeadersOnly(self._file))
        with tarfile.open(fileobj=guarded, mode="r:") as tar:
            # Python 3.10 reads before the beginning of an archive without files.
            if t.cast(t.Any, tar).firstmember is None:
                return
            before = -1
            while (member := tar.next()) is not None:
                # The library would remember each of them.
                t.cast(t.Any, tar).members.clear()
                if member.offset <= before or member.size < 0:
                    raise TransferError("The archive leads back into itself.")
                before = member.offset
                self._note(member)

    def _note(self, member: tarfile.TarInfo) -> None:
        name = _normal(member.name)
        if name is None or member.isdir():
            return
        if name in self._places or name in self._links:
            raise TransferError(
                f"The archive has {name} twice; which of them is meant, nobody knows."
            )
        if member.issym() or member.islnk():
            folder = posixpath.dirname(name) if member.issym() else ""
            self._links[name] = _normal(posixpath.join(folder, member.linkname)) or ""
        elif member.isreg() and not member.issparse():
            self._places[name] = (member.offset_data, member.size)
        if len(self._places) + len(self._links) > MAX_FILES:
            raise TransferError(f"The archive has more than {MAX_FILES} files.")


class _HeadersOnly:
    """A file whose reader never reads much at once, since it reads headers.

    The standard library reads a header whole, whatever length it says that it has.
    """

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes."""
        if not 0 <= size <= MAX_HEADER:
            raise TransferError(f"A header of the archive has {size} bytes.")
        return self._file.read(size)


class _Part:
    """Some bytes of a file that several readers share."""

    def __init__(
        self, file: t.BinaryIO, lock: threading.Lock, start: int, size: int
    ) -> None:
        self._file = file
        self._lock = lock
        self._start = start
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and none at the end."""
        with self._lock:
            self._file.seek(self._start)
            piece = self._file.read(min(size, self._left))
        self._start += len(piece)
        self._left -= len(piece)
        return piece


@contextmanager
def opened(source: str | t.BinaryIO, limit: int = MAX_UNPACKED) -> Iterator[Files]:
    """Open a folder or a tar archive, which may be compressed with gzip.

    What is compressed, or comes through a pipe, is copied to a temporary file that has
    no name.

    :param source: the path of either, or an archive that is open.
    :param limit: how many bytes that file may have.
    """
    if isinstance(source, str) and os.path.isdir(source):
        yield Folder(source)
        return
    with ExitStack() as stack:
        file = source
        if isinstance(file, str):
            file = stack.enter_context(_file(file))
        if not file.seekable():
            file = _spooled(file, stack, limit)
        yield Archive(_unzipped(file, stack, limit))


def _file(path: str) -> t.BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror}.") from error


def _unzipped(file: t.BinaryIO, stack: ExitStack, limit: int) -> t.BinaryIO:
    start = file.tell()
    magic = file.read(6)
    file.seek(start)
    if magic.startswith(_OTHERS):
        raise TransferError("Only gzip can be taken off an archive; unpack it first.")
    if not magic.startswith(_GZIP):
        return file
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            return _spooled(t.cast(Reader, unpacked), stack, limit)
    except (OSError, EOFError, zlib.error) as error:
        raise TransferError(
            f"The gzip around the archive is damaged: {error}."
        ) from error


def _spooled(source: Reader, stack: ExitStack, limit: int) -> t.BinaryIO:
    """Copy what can only be read once to a file that can be read at any place."""
    temporary = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
    spool = t.cast(t.BinaryIO, stack.enter_context(temporary))
    left = limit
    while piece := source.read(PIECE):
        left -= len(piece)
        if left < 0:
            raise TransferError(f"The archive has more than {limit} bytes, unpacked.")
        spool.write(piece)
    spool.seek(0)
    return spool


def _normal(name: str) -> str | None:
    """Return a name as it is looked up, or None for one that leads elsewhere."""
    name = posixpath.normpath(name)
    outside = name.startswith(("/", "../")) or name in ("", ".", "..")
    return None if outside else name
