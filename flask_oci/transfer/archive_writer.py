"""Writing archives: a folder or a tar archive."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress

from ..storage.protocol import PIECE
from ..storage.protocol import Reader
from .base import TransferError


class ArchiveSink(t.Protocol):
    """Takes files by name, each of them once."""

    def has(self, name: str, size: int) -> bool:
        """Return True if a file of that name and size exists."""

    def write(self, name: str, source: Reader, size: int) -> None:
        """Write a file.

        :param size: the size of ``source`` in bytes; ``source`` raises if it differs.
        """


class FolderSink:
    """A folder, which may already have files.

    A file gets its name when it is complete, so existing files need not be written
    again.

    :param path: the folder, which is created if necessary.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def has(self, name: str, size: int) -> bool:
        """Return True if a file of that name and size exists."""
        try:
            return os.stat(os.path.join(self._path, name)).st_size == size
        except OSError:
            # If the folder cannot be used, the attempt to write says why.
            return False

    def write(self, name: str, source: Reader, size: int) -> None:
        """Write a file; replace an existing one."""
        path = os.path.join(self._path, name)
        _make_folder(os.path.dirname(path))
        with whole(path) as file:
            while piece := source.read(PIECE):
                file.write(piece)


class TarSink:
    """A tar archive. The same files produce the same bytes.

    :param file: the output; it is never read or sought.
    """

    def __init__(self, file: t.BinaryIO) -> None:
        # Unlike the library's stream mode, this writes the end only in `close()`:
        # an interrupted archive must not look complete.
        target = t.cast(t.BinaryIO, _CountingFile(file))
        self._tar = tarfile.TarFile(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)
        self._names: set[str] = set()

    def has(self, name: str, size: int) -> bool:
        """Return True if the file has been written."""
        return name in self._names

    def write(self, name: str, source: Reader, size: int) -> None:
        """Write a file."""
        member = tarfile.TarInfo(name)
        member.size = size
        member.mode = 0o644
        self._tar.addfile(member, t.cast(t.BinaryIO, source))
        self._names.add(name)

    def close(self) -> None:
        """Write the end of the archive."""
        self._tar.close()


class _CountingFile:
    """A write-only file that counts its bytes and cannot seek."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file
        self._length = 0

    def write(self, piece: bytes) -> int:
        """Write all bytes; an unbuffered file may take a part at a time.

        :raises TransferError: if it takes none.
        """
        rest = piece
        while rest:
            taken = self._file.write(rest)
            if not taken:
                raise TransferError("The file accepts no more bytes of the archive.")
            rest = rest[taken:]
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._length


def put(sink: ArchiveSink, name: str, content: bytes) -> None:
    """Write a small file."""
    sink.write(name, io.BytesIO(content), len(content))


@contextmanager
def folder(path: str) -> Iterator[FolderSink]:
    """Open a folder for writing.

    :raises TransferError: if it cannot be created.
    """
    _make_folder(path)
    yield FolderSink(path)


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise TransferError(f"{path} cannot be created: {error.strerror}.") from error


@contextmanager
def archive(target: str | t.BinaryIO) -> Iterator[TarSink]:
    """Open a tar archive for writing.

    :param target: the output. A file gets its name when the archive is complete; an
        existing special file, such as a pipe or a tape, is written directly.
    :raises TransferError: if it cannot be written.
    """
    with _opened(target) as file:
        sink = TarSink(file)
        yield sink
        sink.close()


@contextmanager
def _opened(target: str | t.BinaryIO) -> Iterator[t.BinaryIO]:
    if isinstance(target, str) and not _is_special(target):
        with whole(target) as file:
            yield file
        return
    try:
        if isinstance(target, str):
            with open(target, "wb") as file:
                yield file
        else:
            yield target
            # Buffered bytes may fail to be written, which must raise here.
            target.flush()
    except OSError as error:
        name = target if isinstance(target, str) else "The output"
        raise TransferError(f"{name} cannot be written: {error.strerror}.") from error


def _is_special(path: str) -> bool:
    """Return True for an existing special file, which a rename would replace."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def whole(path: str) -> Iterator[t.BinaryIO]:
    """Write a file that gets its name when all of it is on the disk.

    :raises TransferError: if it cannot be written.
    """
    draft = f"{path}.{os.getpid()}.part"
    try:
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise TransferError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            os.unlink(draft)
