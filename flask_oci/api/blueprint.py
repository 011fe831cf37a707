"""The blueprint of the REST interface: the route table."""

from __future__ import annotations

import typing as t

from flask import Blueprint
from flask import current_app
from flask import request

from .. import reception
from ..config import EXTENSION
from ..converters import register_converters
from ..endpoints.responses import Response
from ..errors import NameUnknown
from ..mounting import MountedBlueprint
from . import document
from .dispatch import MAX_BODY
from .dispatch import Operation
from .images import delete_image
from .images import image
from .repositories import change_repository
from .repositories import delete_repository
from .repositories import repositories
from .repositories import repository
from .tags import delete_tag
from .tags import tag
from .tags import tags
from .usage import repository_usage
from .usage import usage
from .usage import usage_by_repository
from .welcome import welcome

PREFIX: t.Final = "/api/oci/v1"

_NAME: t.Final = "/repositories/<oci_name:name>"

#: Everything that can be done. No component of a name begins with a dash, so "/-/" is
#: where the name of a repository ends.
OPERATIONS: t.Final[tuple[Operation, ...]] = (
    Operation("GET", "/", welcome),
    Operation("GET", "/repositories", repositories),
    Operation("GET", _NAME, repository),
    Operation("PATCH", _NAME, change_repository),
    Operation("DELETE", _NAME, delete_repository),
    Operation("GET", f"{_NAME}/-/tags", tags),
    Operation("GET", f"{_NAME}/-/tags/<tag>", tag),
    Operation("DELETE", f"{_NAME}/-/tags/<tag>", delete_tag),
    Operation("GET", f"{_NAME}/-/images/<reference>", image),
    Operation("DELETE", f"{_NAME}/-/images/<digest>", delete_image),
    Operation("GET", f"{_NAME}/-/usage", repository_usage),
    Operation("GET", "/usage", usage),
    Operation("GET", "/usage/repositories", usage_by_repository),
)


def make_api_blueprint() -> Blueprint:
    """Make the blueprint that serves the REST interface."""
    blueprint = MountedBlueprint("oci_api", __name__, url_prefix=PREFIX)
    blueprint.record_once(register_converters)
    for operation in OPERATIONS:
        blueprint.add_url_rule(
            operation.rule,
            operation.name,
            operation.answer,
            methods=[operation.method],
            strict_slashes=False,
            provide_automatic_options=False,
        )
    blueprint.add_url_rule(
        "/openapi.json", "document", _document, provide_automatic_options=False
    )
    blueprint.url_value_preprocessor(_admit)
    reception.install(blueprint, _unknown)
    return blueprint


def _document() -> Response:
    """Answer with the OpenAPI document."""
    return document.answer(OPERATIONS)


def _admit(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    if EXTENSION not in current_app.extensions:
        raise RuntimeError(
            "The REST interface is there and the registry is not: register"
            " registry.blueprint as well."
        )
    reception.admit(values, MAX_BODY)


def _unknown(rest: str) -> Response:
    raise NameUnknown(
        "There is no such address here; openapi.json lists those that there are.",
        detail=request.path,
    )
