"""The blueprint of the REST interface: the route table."""

from __future__ import annotations

import typing as t

from flask import Blueprint
from flask import current_app
from flask import request

from ..config import EXTENSION
from ..config import REST
from ..errors import NameUnknown
from ..http import request_hooks
from ..http.responses import Response
from ..http.routing import MountedBlueprint
from ..http.routing import register_converters
from . import document
from .activity import activity
from .blocks import all_blocks
from .blocks import block
from .blocks import block_in_path
from .blocks import blocks
from .blocks import unblock
from .blocks import unblock_in_path
from .deleted_images import deleted_images
from .deleted_images import forget_image
from .deleted_images import restore_image
from .dispatch import Operation
from .events import events
from .history import history
from .history import undo
from .images import delete_image
from .images import image
from .jobs import jobs
from .paths import path_protected_tags
from .paths import path_quota
from .paths import path_retention
from .paths import path_visibility
from .paths import preview_path_retention
from .paths import set_path_protected_tags
from .paths import set_path_quota
from .paths import set_path_retention
from .paths import set_path_visibility
from .paths import try_path_retention
from .policies import path_policy
from .policies import policy
from .policies import preview_policy
from .policies import set_path_policy
from .policies import set_policy
from .publishers import add_publisher
from .publishers import issuers
from .publishers import publishers
from .publishers import remove_publisher
from .quotas import quotas
from .quotas import set_quota
from .repositories import change_repository
from .repositories import delete_repository
from .repositories import repositories
from .repositories import repository
from .robots import change_robot
from .robots import create_robot
from .robots import delete_robot
from .robots import revoke_robot_secret
from .robots import robot
from .robots import robots
from .robots import rotate_robot
from .rules import preview_retention
from .rules import protected_tags
from .rules import retention
from .rules import set_protected_tags
from .rules import set_retention
from .rules import try_retention
from .signers import path_signers
from .signers import remove_path_signer
from .signers import remove_signer
from .signers import signatures
from .signers import signers
from .signers import trust_path_signer
from .signers import trust_signer
from .tags import delete_tag
from .tags import tag
from .tags import tags
from .tokens import create_token
from .tokens import revoke_token
from .tokens import tokens
from .usage import repository_usage
from .usage import usage
from .usage import usage_by_repository
from .users import revoke_user_token
from .users import revoke_user_tokens
from .users import token_holders
from .users import user_tokens
from .webhooks import add_webhook
from .webhooks import change_webhook
from .webhooks import delete_webhook
from .webhooks import replay_webhook_deliveries
from .webhooks import rotate_webhook_secret
from .webhooks import test_webhook
from .webhooks import webhook
from .webhooks import webhook_deliveries
from .webhooks import webhooks
from .welcome import welcome

PREFIX: t.Final = "/api/oci/v1"

_NAME: t.Final = "/repositories/<oci_name:name>"
_USER: t.Final = "/users/<username>"
_PATH: t.Final = "/paths/<oci_name:name>"
_ROBOT: t.Final = "/robots/<robot_id>"
_WEBHOOK: t.Final = "/webhooks/<webhook_id>"

#: All operations. No component of a name begins with a dash, so "/-/" ends the name of
#: a repository.
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
    Operation("GET", f"{_NAME}/-/deleted-images", deleted_images),
    Operation("POST", f"{_NAME}/-/deleted-images/<digest>/restore", restore_image),
    Operation("DELETE", f"{_NAME}/-/deleted-images/<digest>", forget_image),
    Operation("GET", f"{_NAME}/-/history", history),
    Operation("POST", f"{_NAME}/-/history/<move>/undo", undo),
    Operation("GET", f"{_NAME}/-/retention", retention),
    Operation("PUT", f"{_NAME}/-/retention", set_retention),
    Operation("GET", f"{_NAME}/-/retention/preview", preview_retention),
    Operation("POST", f"{_NAME}/-/retention/preview", try_retention),
    Operation("GET", f"{_NAME}/-/protected-tags", protected_tags),
    Operation("PUT", f"{_NAME}/-/protected-tags", set_protected_tags),
    Operation("GET", f"{_NAME}/-/blocks", blocks),
    Operation("PUT", f"{_NAME}/-/blocks/<digest>", block),
    Operation("DELETE", f"{_NAME}/-/blocks/<digest>", unblock),
    Operation("GET", f"{_NAME}/-/policy", policy),
    Operation("PUT", f"{_NAME}/-/policy", set_policy),
    Operation("GET", f"{_NAME}/-/policy/preview", preview_policy),
    Operation("GET", f"{_NAME}/-/signers", signers),
    Operation("PUT", f"{_NAME}/-/signers/<signer>", trust_signer),
    Operation("DELETE", f"{_NAME}/-/signers/<signer>", remove_signer),
    Operation("GET", f"{_NAME}/-/signatures/<reference>", signatures),
    Operation("GET", f"{_NAME}/-/usage", repository_usage),
    Operation("GET", f"{_NAME}/-/activity", activity),
    Operation("GET", f"{_PATH}/-/retention", path_retention),
    Operation("PUT", f"{_PATH}/-/retention", set_path_retention),
    Operation("GET", f"{_PATH}/-/retention/preview", preview_path_retention),
    Operation("POST", f"{_PATH}/-/retention/preview", try_path_retention),
    Operation("GET", f"{_PATH}/-/protected-tags", path_protected_tags),
    Operation("PUT", f"{_PATH}/-/protected-tags", set_path_protected_tags),
    Operation("GET", f"{_PATH}/-/default-visibility", path_visibility),
    Operation("PUT", f"{_PATH}/-/default-visibility", set_path_visibility),
    Operation("GET", f"{_PATH}/-/policy", path_policy),
    Operation("PUT", f"{_PATH}/-/policy", set_path_policy),
    Operation("GET", f"{_PATH}/-/signers", path_signers),
    Operation("PUT", f"{_PATH}/-/signers/<signer>", trust_path_signer),
    Operation("DELETE", f"{_PATH}/-/signers/<signer>", remove_path_signer),
    Operation("GET", f"{_PATH}/-/quota", path_quota),
    Operation("PUT", f"{_PATH}/-/quota", set_path_quota),
    Operation("GET", "/usage", usage),
    Operation("GET", "/usage/repositories", usage_by_repository),
    Operation("GET", "/tokens", tokens),
    Operation("POST", "/tokens", create_token, 201),
    Operation("DELETE", "/tokens/<token_id>", revoke_token),
    Operation("GET", "/issuers", issuers),
    Operation("GET", "/publishers", publishers),
    Operation("POST", "/publishers", add_publisher, 201),
    Operation("DELETE", "/publishers/<publisher_id>", remove_publisher),
    Operation("GET", "/robots", robots),
    Operation("POST", "/robots", create_robot, 201),
    Operation("GET", _ROBOT, robot),
    Operation("PATCH", _ROBOT, change_robot),
    Operation("DELETE", _ROBOT, delete_robot),
    Operation("POST", f"{_ROBOT}/secrets", rotate_robot, 201),
    Operation("DELETE", f"{_ROBOT}/secrets/<secret_id>", revoke_robot_secret),
    Operation("GET", "/quotas", quotas),
    Operation("PUT", "/quotas", set_quota),
    Operation("GET", "/users/tokens", token_holders),
    Operation("GET", f"{_USER}/tokens", user_tokens),
    Operation("DELETE", f"{_USER}/tokens", revoke_user_tokens),
    Operation("DELETE", f"{_USER}/tokens/<token_id>", revoke_user_token),
    Operation("GET", "/jobs", jobs),
    Operation("GET", "/events", events),
    Operation("GET", "/blocks", all_blocks),
    Operation("PUT", "/blocks/<digest>", block_in_path),
    Operation("DELETE", "/blocks/<digest>", unblock_in_path),
    Operation("GET", "/webhooks", webhooks),
    Operation("POST", "/webhooks", add_webhook, 201),
    Operation("GET", _WEBHOOK, webhook),
    Operation("PATCH", _WEBHOOK, change_webhook),
    Operation("DELETE", _WEBHOOK, delete_webhook),
    Operation("POST", f"{_WEBHOOK}/test", test_webhook),
    Operation("POST", f"{_WEBHOOK}/secret", rotate_webhook_secret),
    Operation("GET", f"{_WEBHOOK}/deliveries", webhook_deliveries),
    Operation("POST", f"{_WEBHOOK}/deliveries/replay", replay_webhook_deliveries),
)


def make_api_blueprint() -> Blueprint:
    """Make the blueprint that serves the REST interface."""
    blueprint = MountedBlueprint(REST, __name__, url_prefix=PREFIX)
    blueprint.record_once(register_converters)
    for operation in OPERATIONS:
        blueprint.add_url_rule(
            operation.rule,
            operation.name,
            operation.handle,
            methods=[operation.method],
            strict_slashes=False,
            provide_automatic_options=False,
        )
    blueprint.add_url_rule(
        "/openapi.json", "document", _document, provide_automatic_options=False
    )
    blueprint.url_value_preprocessor(_admit)
    # Flask calls the last hook first, so this one sees the final response.
    blueprint.after_request(_forbid_caching_errors)
    request_hooks.install(blueprint, _unknown)
    return blueprint


def _document() -> Response:
    """Return the OpenAPI document."""
    return document.serve(OPERATIONS)


def _admit(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    if EXTENSION not in current_app.extensions:
        raise RuntimeError(
            "The REST interface needs the registry: register registry.blueprint as"
            " well."
        )
    request_hooks.authenticate(values)


def _forbid_caching_errors(response: Response) -> Response:
    """Forbid caches to store an error, which may be temporary."""
    if response.status_code >= 400:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _unknown(rest: str) -> Response:
    raise NameUnknown(
        "No such operation; openapi.json lists all operations.",
        detail=request.path,
    )
