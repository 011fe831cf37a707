"""The kind of response that every view answers with."""

from __future__ import annotations

import typing as t

import flask
from flask import json


class Response(flask.Response):
    """A response that is no page, unless it says what it is.

    It always says something: hooks of hosts look at the type of every answer, and
    many take for granted that there is one.
    """

    default_mimetype: str | None = "application/octet-stream"


def as_json(body: dict[str, t.Any]) -> Response:
    """Answer 200 with a JSON document."""
    return Response(json.dumps(body), content_type="application/json")
