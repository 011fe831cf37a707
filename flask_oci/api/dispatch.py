"""From a request to the arguments of a view, and from what it returns to an answer.

A view takes the variables of its rule, and a ``query`` and a ``body`` where it says so.
What it is given, and returns, it says by its annotations, which is where the document
has them from.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

import msgspec
from flask import request

from ..errors import SizeInvalid
from ..errors import Unsupported
from ..http import body
from ..http.responses import Response
from .bodies import Page

#: How many bytes a body may have.
MAX_BODY: t.Final = 512 * 1024

_PIECE = 64 * 1024

JSON: t.Final = "application/json"

StructT = t.TypeVar("StructT", bound=msgspec.Struct)


@dataclass(frozen=True)
class Operation:
    """One row of the route table: what is done at an address by a method."""

    method: str
    rule: str
    view: t.Callable[..., t.Any]
    status: int = 200
    """That of an answer which is no error; 204 where the view returns nothing."""

    @property
    def name(self) -> str:
        """What the document, and Flask, call it."""
        return self.view.__name__

    @cached_property
    def hints(self) -> dict[str, t.Any]:
        """The types of what the view takes and returns."""
        return t.get_type_hints(self.view)

    def answer(self, **values: t.Any) -> Response:
        """Call the view for the current request.

        :param values: the variables of the rule.
        :raises Unsupported: 400, when the parameters, or the body, are not those of
            the view; 413 and 415 for a body that is not read.
        """
        query = self.hints.get("query")
        if query is None and request.args:
            raise Unsupported("There are no parameters here.", status=400)
        if query is not None:
            values["query"] = _query(query)
        wanted = self.hints.get("body")
        if wanted is None and body.has_body():
            raise Unsupported("This request has no body.", status=400)
        if wanted is not None:
            values["body"] = _body(wanted)
        return self._respond(self.view(**values))

    def _respond(self, found: t.Any) -> Response:
        if found is None:
            response = Response(status=204)
        else:
            encoded = msgspec.json.encode(found)
            response = Response(encoded, self.status, content_type=JSON)
        if isinstance(found, Page) and found.next is not None:
            target = _next(found.next)
            response.headers["Link"] = f'<{target}>; rel="next"'
        reads = request.method in ("GET", "HEAD")
        # What is changed may have a secret in it that is shown this once.
        response.headers["Cache-Control"] = "private, no-cache" if reads else "no-store"
        return response


def _query(kind: type[StructT]) -> StructT:
    several = [key for key, values in request.args.lists() if len(values) > 1]
    if several:
        raise Unsupported(
            "Give each parameter once.", detail=", ".join(several), status=400
        )
    try:
        return msgspec.convert(request.args.to_dict(), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid("parameters", error) from None


def _body(kind: type[StructT]) -> StructT:
    if request.mimetype != JSON:
        raise Unsupported(
            f"The body has to be {JSON}, and say so.",
            detail=request.content_type,
            status=415,
        )
    source, pieces, size = body.stream(), [], 0
    while size <= MAX_BODY and (piece := source.read(_PIECE)):
        pieces.append(piece)
        size += len(piece)
    if size > MAX_BODY:
        raise SizeInvalid(f"A body may have {MAX_BODY} bytes here.", status=413)
    body.check_length(size)
    try:
        return msgspec.json.decode(b"".join(pieces), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid("body", error) from None


def _invalid(what: str, error: Exception) -> Unsupported:
    return Unsupported(f"The {what} of this request cannot be: {error}.", status=400)


def _next(place: str) -> str:
    query = urlencode({**request.args.to_dict(), "next": place})
    return f"{request.root_path}{request.path}?{query}"
