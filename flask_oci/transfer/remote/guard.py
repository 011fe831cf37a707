"""Guarded connections: their addresses are checked, and their time is limited.

A running registry connects to upstreams with them, on behalf of its clients. A host
name is resolved once, and the result is checked, because a second resolution could
return other addresses.
"""

from __future__ import annotations

import socket
import threading
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.connectionpool import HTTPSConnectionPool

#: Returns those of the resolved addresses that may be connected to, or raises an error.
ChooseAddresses = Callable[[Sequence[str]], list[str]]

_current = threading.local()


class DeadlineExpired(OSError):
    """The time of a request is over."""


class _Deadline:
    """The time limit of the requests of one thread."""

    def __init__(self) -> None:
        self.is_over = False
        self.connection: HTTPConnection | None = None

    def end(self) -> None:
        """Abort the current request, from the thread of a timer."""
        self.is_over = True
        sock = getattr(self.connection, "sock", None)
        with suppress(OSError, AttributeError):
            t.cast(t.Any, sock).shutdown(socket.SHUT_RDWR)

    def watch(self, connection: HTTPConnection) -> None:
        self.connection = connection
        if self.is_over:
            raise DeadlineExpired("no response in time")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the time of all guarded requests in this context.

    The timeouts of a socket limit each call; a server that sends a byte from time to
    time could otherwise prolong a response without end.

    :param seconds: the time limit without the resolution of names.
    """
    limit = _Deadline()
    timer = threading.Timer(seconds, limit.end)
    timer.daemon = True
    timer.start()
    _current.deadline = limit
    try:
        yield
    finally:
        _current.deadline = None
        timer.cancel()


def use_guard(pools: urllib3.PoolManager, choose: ChooseAddresses) -> None:
    """Make the connections of a pool manager check the addresses of each host.

    :param choose: selects the permitted addresses.
    """

    class Plain(_Guarded, HTTPConnection):
        chooser = staticmethod(choose)

    class Secure(_Guarded, HTTPSConnection):
        chooser = staticmethod(choose)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    pools.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


class _Guarded:
    chooser: t.ClassVar[t.Any]

    def _new_conn(self) -> socket.socket:
        connection = t.cast(HTTPConnection, self)
        try:
            return self._connect(connection)
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(
                connection.host, connection, error
            ) from error
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(
                connection, f"Connection to {connection.host} timed out."
            ) from error
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(
                connection, f"Failed to establish a new connection: {error}"
            ) from error

    def _connect(self, connection: HTTPConnection) -> socket.socket:
        name = connection.host.strip("[]")
        found = socket.getaddrinfo(name, connection.port, type=socket.SOCK_STREAM)
        addresses = self.chooser(list(dict.fromkeys(str(e[4][0]) for e in found)))
        timeout = connection.timeout
        share = timeout / len(addresses) if isinstance(timeout, (int, float)) else None
        for left in range(len(addresses), 0, -1):
            try:
                sock = socket.create_connection(
                    (addresses[-left], connection.port), share
                )
            except OSError:
                if left == 1:
                    raise
            else:
                sock.settimeout(timeout)
                for option in connection.socket_options or ():
                    sock.setsockopt(*option)
                return sock
        raise AssertionError("the last address returns or raises")

    def request(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Send a request, unless the time of this thread is over."""
        limit = getattr(_current, "deadline", None)
        if limit is not None:
            limit.watch(self)
        super().request(*args, **kwargs)  # type: ignore[misc]
