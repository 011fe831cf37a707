"""A client that sends each request to a random node."""

from __future__ import annotations

import random
import threading
import time
import typing as t

from tests.torture.client import Answer
from tests.torture.client import Broken
from tests.torture.client import Client
from tests.torture.client import Request

#: The seconds that a client waits after a 503.
PAUSE: t.Final = 0.25


class Reachable:
    """The ports of the nodes to which clients send new requests.

    A load balancer stops sending requests to a node that does not answer.
    """

    def __init__(self, ports: t.Iterable[int]) -> None:
        self._ports = set(ports)
        self._lock = threading.Lock()

    def all(self) -> list[int]:
        """Return the ports."""
        with self._lock:
            return sorted(self._ports)

    def remove(self, port: int) -> None:
        """Send no new requests to a node."""
        with self._lock:
            self._ports.discard(port)

    def add(self, port: int) -> None:
        """Send requests to a node again."""
        with self._lock:
            self._ports.add(port)


class NodeClient(Client):
    """A connection to each node.

    :param nodes: the nodes to choose from.
    :param authorization: the header of every request.
    """

    def __init__(self, nodes: Reachable, authorization: str) -> None:
        super().__init__(nodes.all()[0], authorization)
        self._nodes = nodes
        self._rng = random.Random(authorization)
        self._clients: dict[int, Client] = {}

    def exchange(self, request: Request) -> Answer:
        """Send a request to a random node and return its answer.

        :raises Broken: also if the node answers 503, because the store or the database
            does not respond.
        """
        port = self._rng.choice(self._nodes.all())
        client = self._clients.setdefault(port, Client(port, self._authorization))
        answer = client.exchange(request)
        if answer.status == 503:
            assert "retry-after" in answer.headers, (str(request), answer)
            time.sleep(PAUSE)
            raise Broken(f"{request}: {answer}")
        return answer

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()
