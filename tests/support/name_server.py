"""A name server on 127.0.0.1 whose only address can be changed."""

from __future__ import annotations

import ipaddress
import socketserver
import struct
import typing as t

from tests.support.loopback_server import Running

_HEADER: t.Final = 12
_TYPE_A: t.Final = 1
#: A response to a query for recursion, without an error.
_FLAGS: t.Final = 0x8180
#: A pointer to the name in the question.
_SAME_NAME: t.Final = 0xC00C


class NameServer(Running):
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

        super().__init__(socketserver.UDPServer(("127.0.0.1", 0), Handler))

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
