"""Every REST operation, for every caller and every visibility."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import UNKNOWN
from tests.support import access_world
from tests.support.access_world import Caller
from tests.support.access_world import NAMES
from tests.support.access_world import POLICIES
from tests.support.access_world import World
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient

#: States that callers who may not pull cannot distinguish.
ALIKE: t.Final = ("private", "missing", "renamed")

_NAME = "/repositories/{name}"


class Rule(t.NamedTuple):
    """The action that an operation needs, its request, and its status if allowed.

    Requests for changes name missing resources, or change nothing.
    """

    need: str
    path: str
    admitted: int = 200
    body: object = None


#: A rule for each operation on a repository, except its deletion.
RULES: t.Final[dict[str, Rule]] = {
    "repository": Rule("pull", _NAME),
    "change_repository": Rule("manage", _NAME, 200, {}),
    "tags": Rule("pull", f"{_NAME}/-/tags"),
    "tag": Rule("pull", f"{_NAME}/-/tags/latest"),
    "delete_tag": Rule("delete", f"{_NAME}/-/tags/unknown", 404),
    "image": Rule("pull", f"{_NAME}/-/images/latest"),
    "delete_image": Rule("delete", f"{_NAME}/-/images/{UNKNOWN}", 404),
    "deleted_images": Rule("pull", f"{_NAME}/-/deleted-images"),
    "restore_image": Rule("push", f"{_NAME}/-/deleted-images/{UNKNOWN}/restore", 404),
    "forget_image": Rule("delete", f"{_NAME}/-/deleted-images/{UNKNOWN}", 404),
    "repository_usage": Rule("push", f"{_NAME}/-/usage"),
    "activity": Rule("pull", f"{_NAME}/-/activity"),
    "history": Rule("pull", f"{_NAME}/-/history"),
    "undo": Rule("push", f"{_NAME}/-/history/0/undo", 404),
    "retention": Rule("manage", f"{_NAME}/-/retention"),
    "set_retention": Rule("manage", f"{_NAME}/-/retention", 422, {"rules": ["x"]}),
    "preview_retention": Rule("manage", f"{_NAME}/-/retention/preview"),
    "try_retention": Rule(
        "manage", f"{_NAME}/-/retention/preview", 422, {"rules": ["x"]}
    ),
    "blocks": Rule("manage", f"{_NAME}/-/blocks"),
    "block": Rule("manage", f"{_NAME}/-/blocks/{UNKNOWN}", 422, {"reason": " "}),
    "unblock": Rule("manage", f"{_NAME}/-/blocks/{UNKNOWN}", 404),
    "policy": Rule("manage", f"{_NAME}/-/policy"),
    "set_policy": Rule("manage", f"{_NAME}/-/policy", 422, {"rules": ["x"]}),
    "preview_policy": Rule("manage", f"{_NAME}/-/policy/preview"),
    "signers": Rule("manage", f"{_NAME}/-/signers"),
    "trust_signer": Rule("manage", f"{_NAME}/-/signers/x", 422, {"key": "x"}),
    "remove_signer": Rule("manage", f"{_NAME}/-/signers/x", 404),
    "signatures": Rule("pull", f"{_NAME}/-/signatures/latest"),
    "protected_tags": Rule("manage", f"{_NAME}/-/protected-tags"),
    "set_protected_tags": Rule(
        "manage",
        f"{_NAME}/-/protected-tags",
        422,
        {"protected": [" "], "immutable": []},
    ),
}

#: Policies and operations to test. Only the default policy allows management, and only
#: it decides in SQL.
CASES: t.Final = [
    *(
        pytest.param("host", name, marks=[pytest.mark.slow, pytest.mark.sqlite_only])
        for name in RULES
        if RULES[name].need != "manage" or name == "change_repository"
    ),
    *(("default", name) for name in RULES if RULES[name].need == "manage"),
    *(("default", name) for name in ("repository", "delete_tag")),
]

METHODS: t.Final = {
    "block": "PUT",
    "change": "PATCH",
    "delete": "DELETE",
    "forget": "DELETE",
    "remove": "DELETE",
    "restore": "POST",
    "set": "PUT",
    "trust": "PUT",
    "try": "POST",
    "unblock": "DELETE",
    "undo": "POST",
}


@pytest.fixture(name="world", scope="module")
def _world(
    tmp_path_factory: pytest.TempPathFactory, database_url: str
) -> t.Iterator[World]:
    world = access_world.build(
        tmp_path_factory.mktemp("world"), SQLALCHEMY_DATABASE_URI=database_url
    )
    yield world
    world.close()


def test_operations_all_have_a_rule(app: Flask) -> None:
    """A new operation on a repository needs a rule in this file, which says who may use
    it. tests/rules/test_path_rules.py has the operations on a path."""
    served = {
        rule.endpoint.removeprefix("oci_api.")
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("oci_api.")
        and "/repositories/<oci_name:name>" in rule.rule
    }
    assert served == {*RULES, "delete_repository"}


@pytest.mark.parametrize(("policy", "operation"), CASES)
def test_responses_match_the_policy(world: World, policy: str, operation: str) -> None:
    """Callers with permission succeed; the others get 401, 403 or 404."""
    set_policy(POLICIES[policy])
    wrong = [
        fault
        for caller in world.callers
        for fault in faults(world, caller, policy, operation)
    ]
    assert wrong == []


def faults(
    world: World, caller: Caller, policy: str, operation: str
) -> t.Iterator[str]:
    """Send an operation about every repository, and yield the wrong responses."""
    rule, alike = RULES[operation], {}
    method = METHODS.get(operation.partition("_")[0], "GET")
    client = RestClient(RegistryClient(world.app, caller.authorization))
    for name, state in NAMES.items():
        response = client.send(method, rule.path.format(name=name), rule.body)
        wanted = expected(rule, caller, policy, state)
        if response.status_code != wanted:
            found = f"{response.status_code}, and not {wanted}"
            yield f"{caller.label}: {operation} of {name} is {found}"
        caching = response.headers["Cache-Control"]
        if response.status_code >= 400 and caching != "no-store":
            yield f"{caller.label}: {operation} of {name} may be kept"
        if state in ALIKE and not may_know(rule, caller, policy, state):
            alike[_without(response, name)] = name
    if len(alike) > 1:
        yield f"{caller.label} tells {list(alike.values())} apart"


def allowed(caller: Caller, policy: str, state: str) -> frozenset[str]:
    """Return the actions that a caller may do. Only the owner's own password may
    manage."""
    may = caller.may(policy, state)
    if policy == "default" and caller.label == "owner":
        return may | {"manage"}
    return may


def reaches(rule: Rule, caller: Caller, state: str) -> bool:
    """Return True if the caller's credentials cover an operation. The bearer token of a
    robot lists only the repositories that the robot reaches."""
    if not caller.sends_bearer:
        return True
    is_listed = caller.listed and (caller.reach is None or state in caller.reach)
    return is_listed and rule.need in caller.limit


def may_know(rule: Rule, caller: Caller, policy: str, state: str) -> bool:
    """Return True if the response may depend on the state of the repository."""
    return reaches(rule, caller, state) and bool(allowed(caller, policy, state))


def expected(rule: Rule, caller: Caller, policy: str, state: str) -> int:
    """Return the expected status of a response."""
    may = allowed(caller, policy, state)
    hidden = 401 if caller.role is None else 404
    if caller.refused:
        return 401
    if rule.need == "pull":
        if "pull" not in may:
            return hidden
        return 401 if not caller.listed else 404 if state == "missing" else 200
    if not reaches(rule, caller, state):
        return 403 if rule.need == "manage" and caller.role is not None else 401
    if state in ("missing", "renamed") or not may & {"pull", rule.need}:
        return hidden
    if rule.need not in may:
        return 401 if caller.role is None else 403
    return rule.admitted


def _without(response: TestResponse, name: str) -> object:
    """Return a response without the name of the repository and the date."""
    headers = tuple(
        (key, value.replace(name, "NAME"))
        for key, value in response.headers
        if key != "Date"
    )
    return response.status_code, headers, response.text.replace(name, "NAME")
