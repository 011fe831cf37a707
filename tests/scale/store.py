"""A store that can be killed, and connections to it that can be cut."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import threading
import typing as t
from pathlib import Path

from tests.support.forge import free_port
from tests.support.forge import tool
from tests.support.forge import wait_until

#: The name of the bucket.
BUCKET: t.Final = "blobs"

START_TIMEOUT: t.Final = 30.0

#: The largest number of bytes that are forwarded at a time.
PIECE: t.Final = 1 << 16


class Store:
    """versitygw on one folder, which survives its kills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        (folder / BUCKET).mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Store:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        keys = {"ROOT_ACCESS_KEY": "forge", "ROOT_SECRET_KEY": "forge-secret-key"}
        self._process = subprocess.Popen(
            [
                *(tool("versitygw", ".ci/install"), "--port"),
                *(f"127.0.0.1:{self.port}", "posix", str(self.folder)),
            ],
            env={**os.environ, **keys},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._accepts, START_TIMEOUT, "starting versitygw")

    def kill(self) -> None:
        """Kill it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Cuttable(t.Protocol):
    """A connection that a test cuts."""

    def cut(self) -> None:
        """Let no more bytes through."""

    def mend(self) -> None:
        """Let bytes through again."""


class Link:
    """The network between one node and the store: a proxy that can stop forwarding.

    While it is cut, connections stay open and new ones are accepted, but no byte
    arrives, as if a switch dropped all packets.

    :param target: the port of the store.
    :param host: the address at which the node reaches it.
    """

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self._target = target
        self._listener = socket.create_server((host, 0), backlog=128)
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        self._open = threading.Event()
        self._open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Stop forwarding."""
        self._open.clear()

    def mend(self) -> None:
        """Forward again, first the bytes that were sent meanwhile."""
        self._open.set()

    def close(self) -> None:
        """Accept no more connections."""
        self.mend()
        # A thread that waits in accept() does not notice a close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        self._open.wait()
        address = "127.0.0.1", self._target
        # The other end sees that the connection has ended.
        with (
            accepted,
            contextlib.suppress(OSError),
            socket.create_connection(address) as store,
        ):
            self._forward(accepted, store)

    def _forward(self, node: socket.socket, store: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(node, selectors.EVENT_READ, store)
            selector.register(store, selectors.EVENT_READ, node)
            while True:
                for key, _ in selector.select():
                    source = t.cast("socket.socket", key.fileobj)
                    data = source.recv(PIECE)
                    self._open.wait()
                    if not data:
                        return
                    key.data.sendall(data)
