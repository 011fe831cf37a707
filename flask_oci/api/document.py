"""The OpenAPI document, made of the route table, the views and the structures."""

from __future__ import annotations

import ast
import inspect
import re
import typing as t
from functools import cache
from importlib.metadata import version
from itertools import pairwise

import msgspec
from flask import url_for

from .. import errors
from ..http.responses import as_json
from ..http.responses import Response
from ..spec.reference import NAME_PATTERN
from . import bodies
from .dispatch import JSON
from .dispatch import Operation

Fields = dict[str, t.Any]

_REF: t.Final = "#/components/schemas/{name}"

#: The variables of the rules.
VARIABLES: t.Final[dict[str, Fields]] = {
    "name": {
        "description": "The whole name of a repository. Its slashes stay as they are.",
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
    "digest": {
        "description": "The digest of a manifest.",
        "schema": {
            "type": "string",
            "pattern": "^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$",
        },
    },
    "move": {
        "description": "The id of a move, as the history has it.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    },
    "token_id": {
        "description": "The id of an access token, as the list has it.",
        "schema": {"type": "string", "pattern": "^[a-zA-Z0-9]+$"},
    },
}

#: What any request can come to, by status.
ALWAYS: t.Final[dict[int, str]] = {
    400: "The parameters, or the body, are not what is described here.",
    401: "The credentials are no good, or some are needed.",
    429: "Logging in failed too often, or the application sets a limit.",
    503: "The database or the disk does not answer; try again.",
}

#: What a request with a body can come to besides.
WITH_BODY: t.Final[dict[int, str]] = {
    413: "The body is too large.",
    415: "The body is no JSON.",
}


def answer(operations: tuple[Operation, ...]) -> Response:
    """Answer with the document, for where the blueprint is."""
    root = url_for(".welcome").rstrip("/")
    response = as_json({**described(operations), "servers": [{"url": root or "/"}]})
    response.headers["Cache-Control"] = "no-cache"
    return response


@cache
def described(operations: tuple[Operation, ...]) -> Fields:
    """Return the document, but for where it is."""
    paths: dict[str, Fields] = {}
    for operation in operations:
        path = re.sub(r"<(?:\w+(?:\(.*?\))?:)?(\w+)>", r"{\1}", operation.rule)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Container registry",
            "version": version("flask-oci"),
            "description": "What there is in a registry, and what becomes of it. Images"
            " are pushed and pulled by the OCI distribution specification, below /v2.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A user's name, and a password or an access token.",
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "What the token service of /v2 gave.",
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
        "parameters": [*_variables(operation), *_parameters(operation)],
        "responses": _responses(operation, more),
    }
    if text:
        found["description"] = _plain(text)
    if body := operation.hints.get("body"):
        found["requestBody"] = {"required": True, "content": _content(body)}
    return found


def _variables(operation: Operation) -> list[Fields]:
    names = re.findall(r"(\w+)>", operation.rule)
    return [
        {"name": name, "in": "path", "required": True, **VARIABLES[name]}
        for name in names
    ]


def _parameters(operation: Operation) -> list[Fields]:
    query = operation.hints.get("query")
    if query is None:
        return []
    (_,), components = _components([query])
    fields = components[query.__name__]["properties"]
    texts = _field_texts(query)
    return [
        {"name": name, "in": "query", "description": texts[name], "schema": schema}
        for name, schema in fields.items()
    ]


def _responses(operation: Operation, doc: str) -> Fields:
    result = operation.hints["return"]
    if result is type(None):
        found: Fields = {"204": {"description": "It is done."}}
    else:
        described = _first_line(result)
        answer: Fields = {"description": described, "content": _content(result)}
        if issubclass(result, bodies.Page):
            answer["headers"] = {
                "Link": {
                    "description": "The address of the next page, where there is one.",
                    "schema": {"type": "string"},
                }
            }
        found = {str(operation.status): answer}
    texts = {**ALWAYS}
    if "body" in operation.hints:
        texts |= WITH_BODY
    for status, text in _raised(doc):
        known = texts.get(status)
        texts[status] = f"{known} {text}" if known and status not in ALWAYS else text
    for status, text in sorted(texts.items()):
        content = _content(bodies.Errors)
        found[str(status)] = {"description": text, "content": content}
    return found


def _raised(doc: str) -> t.Iterator[tuple[int, str]]:
    """Return the statuses of what a docstring says is raised, and when."""
    for name, text in re.findall(r":raises (\w+): (.*?)(?=\n:|\Z)", doc, re.DOTALL):
        said = re.match(r"([45]\d\d), ", text)
        status = int(said[1]) if said else getattr(errors, name).status
        sentence = _plain(text[said.end() :] if said else text)
        yield status, sentence[0].upper() + sentence[1:]


def _content(kind: type[msgspec.Struct]) -> Fields:
    return {JSON: {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _schemas(operations: tuple[Operation, ...]) -> Fields:
    kinds: dict[str, type[msgspec.Struct]] = {"Errors": bodies.Errors}
    for operation in operations:
        for place in ("body", "return"):
            kind = operation.hints.get(place)
            if kind not in (None, type(None)):
                kinds[kind.__name__] = kind
    _, components = _components(list(kinds.values()))
    for name, schema in components.items():
        kind = getattr(bodies, name)
        schema["description"] = _first_line(kind)
        for field, text in _field_texts(kind).items():
            # What is a reference has its description where it leads.
            if "$ref" not in schema["properties"][field]:
                schema["properties"][field]["description"] = text
    return components


def _components(
    kinds: t.Sequence[type[msgspec.Struct]],
) -> tuple[tuple[Fields, ...], dict[str, Fields]]:
    return msgspec.json.schema_components(kinds, ref_template=_REF)


def _field_texts(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what is written below the fields of a structure."""
    written, found = _written(), {}
    for cls in reversed(kind.__mro__):
        found.update(written.get(cls.__name__, {}))
    return found


@cache
def _written() -> dict[str, dict[str, str]]:
    """Return what is written below the fields of each structure: Python forgets it."""
    found: dict[str, dict[str, str]] = {}
    for cls in ast.parse(inspect.getsource(bodies)).body:
        if not isinstance(cls, ast.ClassDef):
            continue
        texts = found.setdefault(cls.name, {})
        for line, below in pairwise(cls.body):
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(line.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                texts[line.target.id] = _plain(str(below.value.value))
    return found


def _first_line(kind: type[msgspec.Struct]) -> str:
    return _plain((kind.__doc__ or "").partition("\n\n")[0])


def _plain(text: str) -> str:
    """Return a text of a docstring as a document has it."""
    return " ".join(text.replace("``", "`").split())
