"""The kind of response that every view answers with."""

from __future__ import annotations

import typing as t

import flask
from flask import json


class Response(flask.Response):
    """A response that says nothing about content which it does not have."""

    default_mimetype: str | None = None


def as_json(body: dict[str, t.Any]) -> Response:
    """Answer 200 with a JSON document."""
    return Response(json.dumps(body), content_type="application/json")
