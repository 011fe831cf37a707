"""The route table of the pages."""

from __future__ import annotations

import typing as t

from flask.typing import ResponseReturnValue

from . import blocks
from . import deletion
from . import events
from . import feeds
from . import history
from . import jobs
from . import path_rules
from . import policy
from . import publishers
from . import reference
from . import retention
from . import robots
from . import settings
from . import tokens
from . import undo
from . import upstreams
from . import usage
from . import user_tokens
from . import webhooks
from .compare import compare
from .files import download
from .manifest import manifest
from .manifest import raw
from .repositories import repositories
from .repository import repository

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Route = tuple[tuple[str, ...], str, str, Callable[..., ResponseReturnValue]]

_RULES: t.Final = "/<oci_name:name>/-/rules"
_ROBOT: t.Final = "/-/robots/<robot_id>"
_WEBHOOK: t.Final = "/-/webhooks/<webhook_id>"
_NAME: t.Final = "/<oci_name:name>"
_PUBLISHERS: t.Final = f"{_NAME}/-/publishers"
_SETTINGS: t.Final = f"{_NAME}/-/settings"

#: Methods, rule, endpoint and view. No component of a name begins with a dash, so
#: "/-/" ends the name of a repository.
ROUTES: t.Final[tuple[Route, ...]] = (
    (("GET",), "/", "repositories", repositories),
    (("GET",), "/-/feed.atom", "feed", feeds.feed),
    (("GET",), "/-/storage", "storage", usage.storage),
    (("GET",), "/-/administration", "administration", usage.administration),
    (("GET",), "/-/uploads", "all_uploads", usage.all_uploads),
    (("GET",), "/-/events", "events", events.events),
    (("GET",), "/-/reference", "reference", reference.reference),
    (
        ("GET",),
        "/-/reference/<filename>",
        "reference_file",
        reference.reference_file,
    ),
    (("GET",), "/-/jobs", "jobs", jobs.jobs),
    (("GET",), "/-/upstreams", "upstreams", upstreams.upstreams),
    (("GET",), "/-/rules", "rules", path_rules.rules),
    (("POST",), "/-/rules", "set_quota", path_rules.set_quota),
    (("GET",), _RULES, "path_rules", path_rules.path_rules),
    (
        ("POST",),
        f"{_RULES}/visibility",
        "set_path_visibility",
        path_rules.set_path_visibility,
    ),
    (("GET",), f"{_RULES}/retention", "path_retention", path_rules.path_retention),
    (("POST",), f"{_RULES}/tags", "protect_path", path_rules.protect_path),
    (("GET",), f"{_RULES}/policy", "path_policy", policy.path_policy),
    (("POST",), f"{_RULES}/policy", "set_path_policy", policy.set_path_policy),
    (("POST",), f"{_RULES}/signers", "trust_path_signer", policy.trust_path_signer),
    (
        ("POST",),
        f"{_RULES}/signers/remove",
        "remove_path_signer",
        policy.remove_path_signer,
    ),
    (
        ("POST",),
        f"{_RULES}/retention",
        "set_path_retention",
        path_rules.set_path_retention,
    ),
    (("GET",), "/-/users", "token_holders", user_tokens.token_holders),
    (
        ("POST",),
        "/-/users/token",
        "revoke_user_token",
        user_tokens.revoke_user_token,
    ),
    (
        ("POST",),
        "/-/users/tokens",
        "revoke_user_tokens",
        user_tokens.revoke_user_tokens,
    ),
    (("GET",), "/-/webhooks", "webhooks", webhooks.webhooks),
    (("POST",), "/-/webhooks", "add_webhook", webhooks.add_webhook),
    (("GET",), "/-/webhooks/new", "new_webhook", webhooks.new_webhook),
    (("GET",), _WEBHOOK, "webhook", webhooks.webhook),
    (("POST",), _WEBHOOK, "change_webhook", webhooks.change_webhook),
    (("GET",), f"{_WEBHOOK}/edit", "edit_webhook", webhooks.edit_webhook),
    (("POST",), f"{_WEBHOOK}/test", "test_webhook", webhooks.test_webhook),
    (("POST",), f"{_WEBHOOK}/state", "enable_webhook", webhooks.enable_webhook),
    (("POST",), f"{_WEBHOOK}/replay", "replay_deliveries", webhooks.replay_deliveries),
    (("POST",), f"{_WEBHOOK}/delete", "delete_webhook", webhooks.delete_webhook),
    (
        ("POST",),
        f"{_WEBHOOK}/secret",
        "rotate_webhook_secret",
        webhooks.rotate_webhook_secret,
    ),
    (("GET",), "/<oci_name:name>/-/uploads", "uploads", usage.uploads),
    (("GET",), _PUBLISHERS, "publishers", publishers.publishers),
    (("POST",), _PUBLISHERS, "add_publisher", publishers.add_publisher),
    (
        ("POST",),
        f"{_PUBLISHERS}/remove",
        "remove_publisher",
        publishers.remove_publisher,
    ),
    (("GET",), "/-/tokens", "tokens", tokens.tokens),
    (("POST",), "/-/tokens", "create_token", tokens.create_token),
    (("POST",), "/-/tokens/<token_id>", "revoke_token", tokens.revoke_token),
    (("GET",), "/-/robots", "robots", robots.robots),
    (("POST",), "/-/robots", "create_robot", robots.create_robot),
    (("GET",), _ROBOT, "robot", robots.robot),
    (("POST",), f"{_ROBOT}/state", "enable_robot", robots.enable_robot),
    (("POST",), f"{_ROBOT}/secret", "rotate_robot", robots.rotate_robot),
    (
        ("POST",),
        f"{_ROBOT}/revoke",
        "revoke_robot_secret",
        robots.revoke_robot_secret,
    ),
    (("POST",), f"{_ROBOT}/delete", "delete_robot", robots.delete_robot),
    (("GET",), "/<oci_name:name>", "repository", repository),
    (("GET",), "/<oci_name:name>/-/image/<reference>", "manifest", manifest),
    (("GET",), "/<oci_name:name>/-/raw/<digest>", "raw", raw),
    (("GET",), "/<oci_name:name>/-/file/<digest>/<blob>", "file", download),
    (("GET",), "/<oci_name:name>/-/compare", "compare", compare),
    (("GET",), "/<oci_name:name>/-/history", "history", history.history),
    (
        ("GET",),
        "/<oci_name:name>/-/feed.atom",
        "repository_feed",
        feeds.repository_feed,
    ),
    (("POST",), "/<oci_name:name>/-/history", "restore", history.restore),
    (("POST",), "/<oci_name:name>/-/tags/delete", "delete_tags", history.delete_tags),
    (("POST",), "/<oci_name:name>/-/images/delete", "delete_images", deletion.delete),
    (("POST",), "/<oci_name:name>/-/undo", "undo", undo.undo),
    (("POST",), "/<oci_name:name>/-/images/restore", "undelete", deletion.restore),
    (("POST",), "/<oci_name:name>/-/images/forget", "forget_image", deletion.forget),
    (("POST",), "/<oci_name:name>/-/block", "block", blocks.block),
    (("POST",), "/<oci_name:name>/-/unblock", "unblock", blocks.unblock),
    (("GET",), "/<oci_name:name>/-/settings", "settings", settings.settings),
    (("POST",), f"{_SETTINGS}/description", "describe", settings.describe),
    (("POST",), f"{_SETTINGS}/visibility", "set_visibility", settings.set_visibility),
    (("POST",), f"{_SETTINGS}/name", "rename", settings.rename),
    (("POST",), f"{_SETTINGS}/owner", "transfer", settings.transfer),
    (("POST",), f"{_SETTINGS}/tags", "protect", settings.protect),
    (("GET",), f"{_SETTINGS}/retention", "retention", retention.retention),
    (("POST",), f"{_SETTINGS}/retention", "set_retention", retention.set_retention),
    (("GET",), f"{_SETTINGS}/policy", "policy", policy.policy),
    (("POST",), f"{_SETTINGS}/policy", "set_policy", policy.set_policy),
    (("POST",), f"{_SETTINGS}/signers", "trust_signer", policy.trust_signer),
    (("POST",), f"{_SETTINGS}/signers/remove", "remove_signer", policy.remove_signer),
    (("POST",), f"{_SETTINGS}/delete", "delete", settings.delete),
)
