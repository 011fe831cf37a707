"""A receiver of webhooks: a server on 127.0.0.1 that records its requests."""

from __future__ import annotations

import json
import typing as t
from collections import defaultdict

from tests.support.loopback_server import LoopbackServer
from tests.support.loopback_server import QuietHandler


class Arrived(t.NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    """The headers by lower-case name."""

    body: bytes

    @property
    def json(self) -> t.Any:
        """The parsed body."""
        return json.loads(self.body)


class Receiver(LoopbackServer):
    """A receiver of webhooks.

    :param answer: called with each request; returns the status of the answer.
    """

    def __init__(self, answer: t.Callable[[Arrived], int] = lambda _: 204) -> None:
        self.answer = answer
        self.arrived: list[Arrived] = []
        """All requests, whatever the answer was."""

        self.taken: list[Arrived] = []
        """The requests that were answered with a success."""

        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                headers = {name.lower(): text for name, text in self.headers.items()}
                request = Arrived(self.path, headers, self.rfile.read(length))
                receiver.arrived.append(request)
                status = receiver.answer(request)
                if status < 300:
                    receiver.taken.append(request)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler)

    def first_arrivals(self) -> dict[str, list[str]]:
        """Return the ids of the accepted CloudEvents, each once, by repository, in
        order."""
        found: dict[str, list[str]] = defaultdict(list)
        for request in self.taken:
            event = request.json
            if event["id"] not in found[event["subject"]]:
                found[event["subject"]].append(event["id"])
        return found

    def kinds(self) -> list[str]:
        """Return the types of the accepted CloudEvents, in order."""
        prefix = "flask-oci."
        return [a.json["type"].removeprefix(prefix) for a in self.taken]
