"""A name server on 127.0.0.1 whose only address can be changed."""

from __future__ import annotations

import ipaddress
import socketserver
import struct
import threading
import typing as t

if t.TYPE_CHECKING:
    from typing_extensions import Self

_HEADER: t.Final = 12
_TYPE_A: t.Final = 1
#: A response to a query for recursion, without an error.
_FLAGS: t.Final = 0x8180
#: A pointer to the name in the question.
_SAME_NAME: t.Final = 0xC00C


class NameServer:
    """A server that answers each query for an IPv4 address with the same one.

    :param address: the address, which a test may change.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        names = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                query, socket = self.request
                socket.sendto(names._answer(query), self.client_address)

        self._server = socketserver.UDPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, query: bytes) -> bytes:
        """Return the answer to a query with one question (RFC 1035, 4.1)."""
        end = query.index(b"\0", _HEADER) + 1
        question = query[_HEADER : end + 4]
        (kind,) = struct.unpack("!H", query[end : end + 2])
        count = 1 if kind == _TYPE_A else 0
        head = query[:2] + struct.pack("!5H", _FLAGS, 1, count, 0, 0)
        packed = ipaddress.IPv4Address(self.address).packed
        record = struct.pack("!3HIH", _SAME_NAME, _TYPE_A, 1, 1, len(packed)) + packed
        return head + question + record * count
