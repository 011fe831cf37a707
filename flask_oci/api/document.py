"""The OpenAPI document, built from the route table, the views and the bodies."""

from __future__ import annotations

import inspect
import re
import typing as t
from functools import cache
from importlib.metadata import version

import msgspec
from flask import url_for

from .. import errors
from ..http.responses import as_json
from ..http.responses import Response
from ..spec.reference import NAME_PATTERN
from .bodies import Errors
from .bodies import Page
from .dispatch import JSON
from .dispatch import Operation

Fields = dict[str, t.Any]

_REF: t.Final = "#/components/schemas/{name}"

#: The path parameters, by name.
PATH_PARAMETERS: t.Final[dict[str, Fields]] = {
    "name": {
        "description": "The full name of a repository. Its slashes are not escaped.",
        "schema": {"type": "string", "pattern": f"^{NAME_PATTERN}$", "maxLength": 255},
        "example": "alice/hello",
    },
    "tag": {
        "description": "A tag.",
        "schema": {"type": "string", "pattern": "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$"},
        "example": "latest",
    },
    "reference": {
        "description": "A tag, or the digest of a manifest.",
        "schema": {"type": "string"},
        "example": "latest",
    },
    "signer": {
        "description": "The name of a trusted signer.",
        "schema": {"type": "string", "maxLength": 100},
        "example": "release@example.org",
    },
    "digest": {
        "description": "The digest of a manifest.",
        "schema": {
            "type": "string",
            "pattern": "^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$",
        },
    },
    "move": {
        "description": "The id of a move, from the history.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    },
    "token_id": {
        "description": "The id of an access token, from the list of tokens.",
        "schema": {"type": "string", "pattern": "^[a-zA-Z0-9]+$"},
    },
    "publisher_id": {
        "description": "The id of a publisher, from the list of publishers.",
        "schema": {"type": "string", "pattern": "^[a-zA-Z0-9]+$"},
    },
    "robot_id": {
        "description": "The id of a robot, from the list of robots.",
        "schema": {"type": "string", "pattern": "^[a-zA-Z0-9]+$"},
    },
    "secret_id": {
        "description": "The id of a secret, from its robot.",
        "schema": {"type": "string", "pattern": "^[a-zA-Z0-9]+$"},
    },
    "username": {
        "description": "The name of a user.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "alice",
    },
    "webhook_id": {
        "description": "The id of a webhook, from the list of webhooks.",
        "schema": {"type": "string", "pattern": "^[a-zA-Z0-9]+$"},
    },
}

#: The errors that every operation can return, by status.
COMMON_ERRORS: t.Final[dict[int, str]] = {
    400: "The parameters or the body are invalid.",
    401: "The credentials are invalid, or missing and required.",
    429: "Too many failed logins, or a rate limit of the application.",
    503: "The database or the disk is unavailable; try again.",
}

#: The errors that an operation with a body can return besides.
BODY_ERRORS: t.Final[dict[int, str]] = {
    413: "The body is too large.",
    415: "The body is not JSON.",
}


def serve(operations: tuple[Operation, ...]) -> Response:
    """Return the document, with the address of the current blueprint."""
    root = url_for(".welcome").rstrip("/")
    response = as_json({**describe(operations), "servers": [{"url": root or "/"}]})
    response.headers["Cache-Control"] = "no-cache"
    return response


@cache
def describe(operations: tuple[Operation, ...]) -> Fields:
    """Return the document without its ``servers``."""
    paths: dict[str, Fields] = {}
    for operation in operations:
        path = re.sub(r"<(?:\w+(?:\(.*?\))?:)?(\w+)>", r"{\1}", operation.rule)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Container registry",
            "version": version("flask-oci"),
            "description": "Lists and manages the contents of a container registry."
            " Images are pushed and pulled with the OCI distribution specification,"
            " below /v2.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A user name, and a password or an access token.",
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token from the token service of /v2.",
                },
            },
        },
        "security": [{"basic": []}, {"bearer": []}, {}],
    }


def _operation(operation: Operation) -> Fields:
    summary, _, more = inspect.cleandoc(operation.view.__doc__ or "").partition("\n\n")
    text = more.partition(":raises")[0].strip()
    found: Fields = {
        "operationId": operation.name,
        "summary": _plain(summary).rstrip("."),
        "tags": [operation.view.__module__.rpartition(".")[2]],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": _responses(operation, more),
    }
    if text:
        found["description"] = _plain(text)
    if body := operation.hints.get("body"):
        found["requestBody"] = {"required": True, "content": _content(body)}
    return found


def _path_parameters(operation: Operation) -> list[Fields]:
    names = re.findall(r"(\w+)>", operation.rule)
    return [
        {"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]}
        for name in names
    ]


def _query_parameters(operation: Operation) -> list[Fields]:
    query = operation.hints.get("query")
    if query is None:
        return []
    fields = _components([query])[query.__name__]["properties"]
    # OpenAPI describes the parameter itself, beside its schema.
    return [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            "schema": {k: v for k, v in schema.items() if k != "description"},
        }
        for name, schema in fields.items()
    ]


def _responses(operation: Operation, doc: str) -> Fields:
    result = operation.hints["return"]
    if result is type(None):
        found: Fields = {"204": {"description": "Done."}}
    else:
        found = {str(operation.status): _success(result)}
    texts = {**COMMON_ERRORS}
    if "body" in operation.hints:
        texts |= BODY_ERRORS
    for status, text in _raised(doc):
        known = None if status in COMMON_ERRORS else texts.get(status)
        texts[status] = f"{known} {text}" if known else text
    for status, text in sorted(texts.items()):
        found[str(status)] = {"description": text, "content": _content(Errors)}
    return found


def _success(result: type[msgspec.Struct]) -> Fields:
    response: Fields = {
        "description": _plain(result.__doc__ or ""),
        "content": _content(result),
    }
    if issubclass(result, Page):
        response["headers"] = {
            "Link": {
                "description": "The address of the next page, if there is one.",
                "schema": {"type": "string"},
            }
        }
    return response


def _raised(doc: str) -> t.Iterator[tuple[int, str]]:
    """Yield the status and the condition of each error that a docstring names."""
    for name, text in re.findall(r":raises (\w+): (.*?)(?=\n:|\Z)", doc, re.DOTALL):
        stated = re.match(r"([45]\d\d), ", text)
        status = int(stated[1]) if stated else getattr(errors, name).status
        sentence = _plain(text[stated.end() :] if stated else text)
        yield status, sentence[0].upper() + sentence[1:]


def _content(structure: type[msgspec.Struct]) -> Fields:
    return {JSON: {"schema": {"$ref": _REF.format(name=structure.__name__)}}}


def _schemas(operations: tuple[Operation, ...]) -> Fields:
    structures: set[type[msgspec.Struct]] = {Errors}
    for operation in operations:
        used = (operation.hints.get("body"), operation.hints["return"])
        structures.update(s for s in used if s not in (None, type(None)))
    components = _components(sorted(structures, key=lambda s: s.__name__))
    for schema in components.values():
        schema["description"] = _plain(schema["description"])
    return components


def _components(structures: t.Sequence[type[msgspec.Struct]]) -> dict[str, Fields]:
    return msgspec.json.schema_components(structures, ref_template=_REF)[1]


def _plain(text: str) -> str:
    """Return the text of a docstring as Markdown on one line."""
    return " ".join(text.replace("``", "`").split())
