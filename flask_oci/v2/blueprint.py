"""The blueprint of ``/v2``: the route table, authentication, and errors in JSON."""

from __future__ import annotations

import typing as t

from flask import Blueprint
from flask import request

from ..http import request_hooks
from ..http import sessions
from ..http.responses import Response
from ..http.routing import MountedBlueprint
from ..http.routing import register_converters
from . import base
from . import discovery
from . import management
from . import mirror
from . import pull
from . import push_blob
from . import push_manifest
from . import token

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask.blueprints import BlueprintSetupState

    Route = tuple[tuple[str, ...], str, str, Callable[..., Response]]

PREFIX: t.Final = "/v2"

#: The methods, rule, endpoint and view of each route, in the order of the endpoint
#: table of spec.md.
ROUTES: t.Final[tuple[Route, ...]] = (
    (("GET",), "/", "support", base.support),
    (("GET",), "/<oci_name:name>/blobs/<digest>", "blob", pull.blob),
    (("GET",), "/<oci_name:name>/manifests/<reference>", "manifest", pull.manifest),
    (("POST",), "/<oci_name:name>/blobs/uploads/", "uploads", push_blob.start),
    (
        ("PATCH",),
        "/<oci_name:name>/blobs/uploads/<session_id>",
        "upload_append",
        push_blob.append,
    ),
    (
        ("PUT",),
        "/<oci_name:name>/blobs/uploads/<session_id>",
        "upload_finish",
        push_blob.finish,
    ),
    (
        ("PUT",),
        "/<oci_name:name>/manifests/<reference>",
        "manifest_put",
        push_manifest.put,
    ),
    (("GET",), "/<oci_name:name>/tags/list", "tags", discovery.tags),
    (
        ("DELETE",),
        "/<oci_name:name>/manifests/<reference>",
        "manifest_delete",
        management.manifest,
    ),
    (
        ("DELETE",),
        "/<oci_name:name>/blobs/<digest>",
        "blob_delete",
        management.blob,
    ),
    (("GET",), "/<oci_name:name>/referrers/<digest>", "referrers", discovery.referrers),
    (
        ("GET",),
        "/<oci_name:name>/blobs/uploads/<session_id>",
        "upload",
        push_blob.status,
    ),
    (
        ("DELETE",),
        "/<oci_name:name>/blobs/uploads/<session_id>",
        "upload_cancel",
        push_blob.cancel,
    ),
    (("GET",), "/_catalog", "catalog", discovery.catalog),
    (("GET",), "/token", "token", token.token),
    (("POST",), "/token", "oauth", token.oauth),
)


def make_blueprint(on_register: Callable[[BlueprintSetupState], None]) -> Blueprint:
    """Return the blueprint that serves ``/v2``.

    :param on_register: called once for each application that registers the blueprint.
    """
    blueprint = MountedBlueprint("oci", __name__, url_prefix=PREFIX, cli_group="oci")
    blueprint.record_once(_check_prefix)
    blueprint.record_once(register_converters)
    blueprint.record_once(on_register)
    blueprint.record_once(sessions.install)
    for methods, rule, endpoint, view in ROUTES:
        # Rules that end in a slash also match without it, because a redirect would lose
        # the body of a POST.
        blueprint.add_url_rule(
            rule,
            endpoint,
            view,
            methods=methods,
            strict_slashes=False,
            provide_automatic_options=False,
        )
    blueprint.url_value_preprocessor(_authenticate)
    blueprint.after_request(_finish)
    request_hooks.install(blueprint, base.unknown)
    return blueprint


def _check_prefix(state: BlueprintSetupState) -> None:
    if (state.url_prefix or "").rstrip("/") != PREFIX:
        raise ValueError(
            f"Invalid prefix {state.url_prefix!r}: clients only use {PREFIX}/ at the"
            " root of a host. Register registry.blueprint without url_prefix, and not"
            " in a blueprint that has one. If the whole application is below a prefix,"
            " the server passes the prefix in SCRIPT_NAME, and needs no url_prefix."
        )


def _authenticate(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    """Authenticate the request, before any hook of the host runs."""
    # Content is named by the hash of its bytes, so hooks must not compress it.
    request.environ.pop("HTTP_ACCEPT_ENCODING", None)
    upstream = mirror.find()
    if upstream is not None:
        request_hooks.authenticate(values, mirror.principal_of(upstream))
        mirror.rewrite(upstream, endpoint, values)
        return
    request_hooks.authenticate(values)
    if endpoint == f"{request.blueprint}.oauth":
        request_hooks.sign_in(token.by_form())


def _finish(response: Response) -> Response:
    response.headers["Docker-Distribution-API-Version"] = "registry/2.0"
    return response
