"""Where an archive is written: a folder, or a tar archive."""

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


class Sink(t.Protocol):
    """Takes files by name, each of them once."""

    def has(self, name: str, size: int) -> bool:
        """Tell whether a file of that name and size is there already."""

    def write(self, name: str, source: Reader, size: int) -> None:
        """Take a file.

        :param size: how many bytes ``source`` has; it raises an error if it has not.
        """


class FolderSink:
    """A folder, which may have something in it already.

    A file has its name when it is whole, so what is there need not be written again.

    :param path: of the folder; it is made if need be.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def has(self, name: str, size: int) -> bool:
        """Tell whether a file of that name and size is there already."""
        try:
            return os.stat(os.path.join(self._path, name)).st_size == size
        except FileNotFoundError:
            return False

    def write(self, name: str, source: Reader, size: int) -> None:
        """Take a file, in the place of one that is there."""
        path = os.path.join(self._path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with whole(path) as file:
            while piece := source.read(PIECE):
                file.write(piece)


class TarSink:
    """A tar archive. The same files make the same bytes.

    :param file: where it goes; nothing is read, or looked for in it.
    """

    def __init__(self, file: t.BinaryIO) -> None:
        # Unlike the library's own stream, this writes no end unless it is told to:
        # what was broken off must not look whole.
        target = t.cast(t.BinaryIO, _Written(file))
        self._tar = tarfile.TarFile(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)
        self._names: set[str] = set()

    def has(self, name: str, size: int) -> bool:
        """Tell whether a file has been written."""
        return name in self._names

    def write(self, name: str, source: Reader, size: int) -> None:
        """Take a file."""
        member = tarfile.TarInfo(name)
        member.size = size
        member.mode = 0o644
        self._tar.addfile(member, t.cast(t.BinaryIO, source))
        self._names.add(name)

    def close(self) -> None:
        """Write the end of the archive."""
        self._tar.close()


class _Written:
    """A file that knows how far it is, and is never asked to go back."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file
        self._length = 0

    def write(self, piece: bytes) -> int:
        """Write all of some bytes; a file without a buffer takes a part at a time.

        :raises TransferError: when it takes none.
        """
        rest = piece
        while rest:
            taken = self._file.write(rest)
            if not taken:
                raise TransferError("The file takes no more of the archive.")
            rest = rest[taken:]
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Return how many bytes have been written."""
        return self._length


def put(sink: Sink, name: str, content: bytes) -> None:
    """Write a file that is small."""
    sink.write(name, io.BytesIO(content), len(content))


@contextmanager
def folder(path: str) -> Iterator[FolderSink]:
    """Open a folder to write to.

    :raises TransferError: when it cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise TransferError(f"{path} cannot be made: {error.strerror}.") from error
    yield FolderSink(path)


@contextmanager
def archive(target: str | t.BinaryIO) -> Iterator[TarSink]:
    """Open a tar archive to write.

    :param target: where it goes. A file has its name when the archive is whole; what
        is there and is no file, such as a pipe or a tape, is written to as it is.
    :raises TransferError: when it cannot be written.
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
            # What is not there yet may fail to get there, and nobody would hear of it.
            target.flush()
    except OSError as error:
        name = target if isinstance(target, str) else "The output"
        raise TransferError(f"{name} cannot be written: {error.strerror}.") from error


def _is_special(path: str) -> bool:
    """Tell whether something is there that a file cannot take the place of."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def whole(path: str) -> Iterator[t.BinaryIO]:
    """Write a file that has its name when all of it is on the disk.

    :raises TransferError: when it cannot be written.
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
