"""The folder of the local storage: its identity, its notes and its free space."""

from __future__ import annotations

import os
import typing as t
from contextlib import suppress
from uuid import uuid4

from ..spec.digest import ALGORITHMS
from .posix import disk
from .posix import FILE_MODE
from .posix import inherit_owner
from .posix import make_folder
from .posix import Space
from .posix import space
from .posix import sync_folder
from .posix import unavailable
from .probe import examine
from .protocol import Examined

#: The name of the file with the identity of the storage.
IDENTITY: t.Final = "identity"

#: The cause if the free space is below the reserve.
ALMOST_FULL: t.Final = (
    "Its disk is almost full, and the rest is reserved for deletions."
)


class LocalFolder:
    """A folder of the local disk.

    :param root: the path of the folder, which the first upload creates.
    :param reserve: the free space in bytes below which pushes are refused; None is the
        default.
    """

    def __init__(self, root: str, reserve: int | None = None) -> None:
        self._root = root
        self._reserve = reserve

    @property
    def name(self) -> str:
        """The path of the folder."""
        return self._root

    def examine(self) -> Examined:
        """Try the system calls of a push, and clean up."""
        found = examine(self._root)
        return Examined(found.failure, found.free)

    @disk
    def free(self) -> int | None:
        """Return the free space in bytes, or None if it is unknown."""
        found = self.space()
        return None if found is None else found.free

    @disk
    def reserve(self) -> int | None:
        """Return the free space in bytes below which pushes are refused, or None if it
        is unknown."""
        found = self.space()
        return None if found is None else found.reserve

    @disk
    def check_space(self) -> None:
        """Check that the free space is not below the reserve."""
        self.room_for(0)

    def room_for(self, size: int) -> int:
        """Return the space that pushes may take, in bytes.

        :param size: the number of bytes that are about to be written.
        :raises Unavailable: if the bytes do not fit above the reserve.
        """
        found = self.space()
        if found is None:
            return size
        if found.left < size:
            raise unavailable(ALMOST_FULL)
        return found.left

    @disk
    def space(self) -> Space | None:
        """Return the free space, or None if the folder does not exist yet."""
        return space(self._root, self._reserve)

    @disk
    def remember(self, name: str, text: str, *, is_durable: bool = False) -> None:
        """Store a short text, such as the progress of a long operation; flush its bytes
        first if ``is_durable``."""
        path = os.path.join(self._root, name)
        self._make_folder(path)
        # Several processes may write the same text at the same time.
        new = f"{path}.{uuid4()}"
        with open(new, "w", encoding="ascii", opener=_opener) as file:
            file.write(text)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        inherit_owner(new)
        os.replace(new, path)

    @disk
    def recall(self, name: str) -> str:
        """Return the text that :meth:`remember` stored, or an empty string."""
        try:
            with open(os.path.join(self._root, name), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def identity(self) -> str:
        """Return the identity of the storage, or an empty string if it has none."""
        return self.recall(IDENTITY)

    @disk
    def has_blob_folder(self) -> bool:
        """Return True if the storage has a place for blobs. :meth:`identify` and the
        first blob create it, and nothing deletes it."""
        for algorithm in ALGORITHMS:
            # Other errors of the disk do not mean that the folder is lost.
            with suppress(FileNotFoundError, NotADirectoryError):
                os.lstat(self._blob_folder(algorithm))
                return True
        return False

    @disk
    def identify(self, identity: str) -> None:
        """Set the identity of the storage, durably, and create the place for blobs."""
        make_folder(self._blob_folder("sha256"), self._root)
        self.remember(IDENTITY, identity, is_durable=True)
        sync_folder(self._root)

    def _make_folder(self, path: str) -> None:
        make_folder(os.path.dirname(path), self._root)

    def _blob_folder(self, algorithm: str) -> str:
        return os.path.join(self._root, "blobs", algorithm)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)
