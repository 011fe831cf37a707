"""Operations: the decoding of requests and the encoding of responses.

A view takes the variables of its rule, and optionally a ``query`` and a ``body``. Its
annotations name the structures of both and of the response; the OpenAPI document is
built from the same annotations.
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
from ..services import principal
from ..services import services
from .bodies import Page

#: The maximum size of a body, in bytes.
MAX_BODY: t.Final = 512 * 1024

_PIECE = 64 * 1024

JSON: t.Final = "application/json"

StructT = t.TypeVar("StructT", bound=msgspec.Struct)


@dataclass(frozen=True)
class Operation:
    """One row of the route table: a method, a rule and their view."""

    method: str
    rule: str
    view: t.Callable[..., t.Any]
    status: int = 200
    """The status of a successful response; 204 if the view returns None."""

    @property
    def name(self) -> str:
        """The id of the operation in the document, and its endpoint in Flask."""
        return self.view.__name__

    @cached_property
    def hints(self) -> dict[str, t.Any]:
        """The types of the view's arguments and result."""
        return t.get_type_hints(self.view)

    def handle(self, **values: t.Any) -> Response:
        """Call the view for the current request.

        :param values: the variables of the rule.
        :raises Unsupported: 400, if the parameters or the body are invalid; 415, if
            the body is not JSON.
        :raises SizeInvalid: 413, if the body is too large.
        """
        query = self.hints.get("query")
        if query is None and request.args:
            raise Unsupported("This operation takes no parameters.", status=400)
        if query is not None:
            values["query"] = _query(query)
        body_type = self.hints.get("body")
        if body_type is None and body.has_body():
            raise Unsupported("This operation takes no body.", status=400)
        if body_type is not None:
            values["body"] = _body(body_type)
        return self._respond(self.view(**values))

    def _respond(self, result: t.Any) -> Response:
        if result is None:
            response = Response(status=204)
        else:
            encoded = msgspec.json.encode(result)
            response = Response(encoded, self.status, content_type=JSON)
        if isinstance(result, Page) and result.next is not None:
            response.headers["Link"] = f'<{_next_url(result.next)}>; rel="next"'
        is_read = request.method in ("GET", "HEAD")
        # The response to a change may contain the secret of a new token.
        response.headers["Cache-Control"] = (
            "private, no-cache" if is_read else "no-store"
        )
        return response


def _query(structure: type[StructT]) -> StructT:
    repeated = [key for key, values in request.args.lists() if len(values) > 1]
    if repeated:
        raise Unsupported(
            "Give each parameter only once.", detail=", ".join(repeated), status=400
        )
    try:
        return msgspec.convert(request.args.to_dict(), structure, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid("parameters", error) from None


def _body(structure: type[StructT]) -> StructT:
    if request.mimetype != JSON:
        raise Unsupported(
            f"The body must be JSON, with the Content-Type {JSON}.",
            detail=request.content_type,
            status=415,
        )
    # The user, the credentials and the permissions are read again after the body has
    # arrived.
    services().catalog.release()
    content = _content()
    services().authenticator.check_again(principal())
    try:
        return msgspec.json.decode(content, type=structure)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid("body", error) from None


def _content() -> bytes:
    size, pieces = 0, list[bytes]()
    # A body that is announced as too large is not read, however slowly it arrives.
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()
    source = body.stream()
    while size <= MAX_BODY and (piece := source.read(_PIECE)):
        pieces.append(piece)
        size += len(piece)
    if size > MAX_BODY:
        raise _too_large()
    body.check_length(size)
    return b"".join(pieces)


def _too_large() -> SizeInvalid:
    return SizeInvalid(
        f"The body is too large: the limit is {MAX_BODY} bytes.", status=413
    )


def _invalid(part: str, error: Exception) -> Unsupported:
    return Unsupported(f"Invalid {part}: {error}.", status=400)


def _next_url(position: str) -> str:
    query = urlencode({**request.args.to_dict(), "next": position})
    return f"{request.root_path}{request.path}?{query}"
