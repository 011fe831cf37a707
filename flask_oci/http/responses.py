"""The response class of all views."""

from __future__ import annotations

import typing as t

import flask
from flask import json

#: The Content-Security-Policy of all responses, which no page of a host has.
CONTENT_POLICY: t.Final = "default-src 'none'; sandbox"


class Response(flask.Response):
    """A response whose default content type is not HTML.

    It always has a content type, because many hooks of hosts read it without a check.
    """

    default_mimetype: str | None = "application/octet-stream"

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # Flask changes the class of a response to that of the application.
        self.is_of_registry = True


def as_json(body: dict[str, t.Any]) -> Response:
    """Return a JSON document with status 200."""
    return Response(json.dumps(body), content_type="application/json")
