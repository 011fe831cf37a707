"""Reading the files of a folder or a tar archive, without unpacking it.

The author of an archive may try to write to, or read from, other places. Names in an
archive are only used for lookups, and a link leads to a file in the archive or nowhere.
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
from collections.abc import Hashable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import ExitStack

from ..storage.protocol import PIECE
from ..storage.protocol import Reader
from .base import TransferError

#: The largest number of files; real archives have three for each layer.
MAX_FILES: t.Final = 50_000

#: The largest size of a header, which contains a name, in bytes.
MAX_HEADER: t.Final = 1024 * 1024

#: The largest number of links between a name and a file.
MAX_LINKS: t.Final = 16

#: The largest size of an uncompressed archive, in bytes.
MAX_UNPACKED: t.Final = 64 * 1024**3

_GZIP = b"\x1f\x8b"
_OTHERS = (b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


class Files(t.Protocol):
    """The files of an archive or a folder."""

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, or None if there is none."""

    def identity(self, name: str) -> Hashable:
        """Return a value that all names of the same file share.

        :raises TransferError: if there is no such file.
        """

    def open(self, name: str) -> AbstractContextManager[Reader]:
        """Open a file for reading.

        :raises TransferError: if there is no such file.
        """


def read(files: Files, name: str, limit: int) -> bytes:
    """Read a small file.

    :param limit: the largest size, in bytes.
    :raises TransferError: if the file is missing or larger.
    """
    size = files.size(name)
    if size is None:
        raise TransferError(f"There is no {name} in the archive.")
    if size > limit:
        raise TransferError(f"{name} has {size} bytes; the limit is {limit}.")
    with files.open(name) as file:
        return b"".join(iter(lambda: file.read(PIECE), b""))


class Folder:
    """The files of a folder."""

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, or None if there is none."""
        try:
            found = os.lstat(self._inside(name))
        except (OSError, ValueError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def identity(self, name: str) -> Hashable:
        """Return the device and the inode of a file."""
        try:
            found = os.lstat(self._inside(name))
        except (OSError, ValueError) as error:
            raise TransferError(f"There is no {name} in the folder.") from error
        return found.st_dev, found.st_ino

    @contextmanager
    def open(self, name: str) -> Iterator[Reader]:
        """Open a regular file for reading; refuse links, pipes and devices."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(self._inside(name), flags)
        except FileNotFoundError as error:
            raise TransferError(f"There is no {name} in the folder.") from error
        except (OSError, ValueError) as error:
            raise TransferError(f"{name} cannot be read: {error}.") from error
        with open(fd, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise TransferError(f"{name} is not a regular file.")
            yield t.cast(Reader, file)

    def _inside(self, name: str) -> str:
        """Return the path of a file below the folder.

        :raises FileNotFoundError: if a name or a link leads out of the folder.
        """
        path = os.path.join(self._path, name)
        above = os.path.realpath(os.path.dirname(path))
        if above != self._path and not above.startswith(self._path + os.sep):
            raise FileNotFoundError(f"{name} lies outside of the folder")
        return os.path.join(above, os.path.basename(path))


class Archive:
    """The files of a tar archive, readable in any order.

    :param file: the archive.
    :raises TransferError: if it is invalid or ambiguous.
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
        # An invalid header makes the standard library raise almost any exception.
        except Exception as error:
            raise TransferError(f"This is not a valid tar archive: {error}.") from error

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, or None if there is none."""
        place = self._places.get(self._resolved(name))
        return place[1] if place else None

    def identity(self, name: str) -> tuple[int, int]:
        """Return the offset and the size of a file."""
        place = self._places.get(self._resolved(name))
        if place is None:
            raise TransferError(f"There is no {name} in the archive.")
        return place

    @contextmanager
    def open(self, name: str) -> Iterator[Reader]:
        """Open a file for reading."""
        yield _Part(self._file, self._lock, *self.identity(name))

    def _resolved(self, name: str) -> str:
        for _ in range(MAX_LINKS):
            if name not in self._links:
                return name
            name = self._links[name]
        raise TransferError(f"{name} is a link without a target.")

    def _read_headers(self) -> None:
        guarded = t.cast(t.BinaryIO, _HeadersOnly(self._file))
        with tarfile.open(fileobj=guarded, mode="r:") as tar:
            # Python 3.10 reads before the beginning of an archive without files.
            if t.cast(t.Any, tar).firstmember is None:
                return
            before = -1
            while (member := tar.next()) is not None:
                # The library would keep every member in memory.
                t.cast(t.Any, tar).members.clear()
                if member.offset <= before or member.size < 0:
                    raise TransferError("The archive has a loop.")
                before = member.offset
                self._note(member)

    def _note(self, member: tarfile.TarInfo) -> None:
        name = _normal(member.name)
        if name is None or member.isdir():
            return
        if name in self._places or name in self._links:
            raise TransferError(f"The archive is ambiguous: it has {name} twice.")
        if member.issym() or member.islnk():
            folder = posixpath.dirname(name) if member.issym() else ""
            self._links[name] = _normal(posixpath.join(folder, member.linkname)) or ""
        elif member.isreg() and not member.issparse():
            self._places[name] = (member.offset_data, member.size)
        if len(self._places) + len(self._links) > MAX_FILES:
            raise TransferError(f"The archive has more than {MAX_FILES} files.")


class _HeadersOnly:
    """A file that limits the size of each read, for reading headers.

    The standard library reads a header completely, whatever length it states.
    """

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        if not 0 <= size <= MAX_HEADER:
            raise TransferError(f"A header of the archive has {size} bytes.")
        return self._file.read(size)


class _Part:
    """A part of a file that several readers share."""

    def __init__(
        self, file: t.BinaryIO, lock: threading.Lock, start: int, size: int
    ) -> None:
        self._file = file
        self._lock = lock
        self._start = start
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        with self._lock:
            self._file.seek(self._start)
            piece = self._file.read(min(size, self._left))
        self._start += len(piece)
        self._left -= len(piece)
        return piece


@contextmanager
def opened(source: str | t.BinaryIO, limit: int = MAX_UNPACKED) -> Iterator[Files]:
    """Open a folder or a tar archive, which may be compressed with gzip.

    A compressed archive, or one from a pipe, is copied to an unnamed temporary file.

    :param source: the path of either, or an open archive.
    :param limit: the largest size of the temporary file, in bytes.
    """
    if isinstance(source, str) and os.path.isdir(source):
        yield Folder(source)
        return
    with ExitStack() as stack:
        file = source
        if isinstance(file, str):
            file = stack.enter_context(_file(file))
        if not file.seekable():
            try:
                file = _spooled(file, stack, limit)
            except OSError as error:
                raise TransferError(
                    f"The archive cannot be read: {error.strerror}."
                ) from error
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
        raise TransferError(
            "The archive has another compression than gzip; decompress it first."
        )
    if not magic.startswith(_GZIP):
        return file
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            return _spooled(t.cast(Reader, unpacked), stack, limit)
    except (OSError, EOFError, zlib.error) as error:
        raise TransferError(
            f"The gzip compression of the archive is damaged: {error}."
        ) from error


def _spooled(source: Reader, stack: ExitStack, limit: int) -> t.BinaryIO:
    """Copy a stream to a temporary file that can be read in any order.

    :raises TransferError: if the archive is too large, or the temporary file cannot be
        written. An error of the stream is raised as it is.
    """
    with _temporary_folder_errors():
        temporary = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
    spool = t.cast(t.BinaryIO, stack.enter_context(temporary))
    left = limit
    while piece := source.read(PIECE):
        left -= len(piece)
        if left < 0:
            raise TransferError(
                f"The uncompressed archive has more than {limit} bytes."
            )
        with _temporary_folder_errors():
            spool.write(piece)
            # Otherwise, the end of the block or a later read would write it.
            spool.flush()
    spool.seek(0)
    return spool


@contextmanager
def _temporary_folder_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.gettempdir()
        raise TransferError(
            f"The archive cannot be copied to the temporary folder {folder}:"
            f" {error.strerror}. Free space there, or set TMPDIR to another folder."
        ) from error


def _normal(name: str) -> str | None:
    """Return the normalized name for lookups, or None for a name that leads
    elsewhere."""
    name = posixpath.normpath(name)
    outside = name.startswith(("/", "../")) or name in ("", ".", "..")
    return None if outside else name
