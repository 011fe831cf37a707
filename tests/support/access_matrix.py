"""The expected answer of each route, for each caller and each repository.

Run as a program, it prints every cell of the named routes with a wrong answer.
"""

from __future__ import annotations

import argparse
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import Query
from tests.support.access_world import build
from tests.support.access_world import Caller
from tests.support.access_world import NAMES
from tests.support.access_world import POLICIES
from tests.support.access_world import RENAMED
from tests.support.access_world import World
from tests.support.host import set_policy
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient

#: A status, and the error code if the status is an error.
Answer = tuple[int, str | None]
Route = tuple[str, str]

OK: t.Final = (200, None)
UNAUTHORIZED: t.Final = (401, "UNAUTHORIZED")
DENIED: t.Final = (403, "DENIED")
HIDDEN: t.Final = (404, "NAME_UNKNOWN")
NO_UPLOAD: t.Final = (404, "BLOB_UPLOAD_UNKNOWN")
REFUSED_DIGEST: t.Final = (400, "DIGEST_INVALID")
REFUSED_MANIFEST: t.Final = (400, "MANIFEST_INVALID")

#: The states that look alike to a caller who may not pull.
ALIKE: t.Final = ("private", "missing", "renamed")


@dataclass(frozen=True)
class Rule:
    """The action that a route has to authorize, and its answer after that.

    The requests to routes that write are refused for another reason after their
    authorization, so the matrix changes nothing.
    """

    path: str
    action: str | None = None
    """The action to authorize; None is for routes without a repository."""

    admitted: Answer = OK
    missing: Answer = HIDDEN
    """The answer to an authorized caller about a repository that does not exist."""

    query: Query | None = None


_BLOB = "/v2/{name}/blobs/{digest}"
_TAG = "/v2/{name}/manifests/latest"
_UNKNOWN_TAG = "/v2/{name}/manifests/unknown"
_TAGS = "/v2/{name}/tags/list"
_REFERRERS = "/v2/{name}/referrers/{digest}"
_SESSION = f"/v2/{{name}}/blobs/uploads/{NO_SESSION}"
_NO_BLOB = (404, "BLOB_UNKNOWN")

#: A rule for each endpoint and method of the registry.
RULES: t.Final[dict[Route, Rule]] = {
    ("oci.support", "GET"): Rule("/v2/"),
    ("oci.support", "HEAD"): Rule("/v2/"),
    ("oci.blob", "GET"): Rule(_BLOB, "pull", missing=_NO_BLOB),
    ("oci.blob", "HEAD"): Rule(_BLOB, "pull", missing=_NO_BLOB),
    ("oci.manifest", "GET"): Rule(_TAG, "pull"),
    ("oci.manifest", "HEAD"): Rule(_TAG, "pull"),
    ("oci.uploads", "POST"): Rule(
        "/v2/{name}/blobs/uploads/",
        "push",
        REFUSED_DIGEST,
        REFUSED_DIGEST,
        {"digest": UNKNOWN},
    ),
    ("oci.upload_append", "PATCH"): Rule(_SESSION, "push", NO_UPLOAD, NO_UPLOAD),
    ("oci.upload_finish", "PUT"): Rule(_SESSION, "push", NO_UPLOAD, NO_UPLOAD),
    ("oci.manifest_put", "PUT"): Rule(_TAG, "push", REFUSED_MANIFEST, REFUSED_MANIFEST),
    ("oci.tags", "GET"): Rule(_TAGS, "pull"),
    ("oci.tags", "HEAD"): Rule(_TAGS, "pull"),
    ("oci.manifest_delete", "DELETE"): Rule(
        _UNKNOWN_TAG, "delete", (404, "MANIFEST_UNKNOWN")
    ),
    ("oci.blob_delete", "DELETE"): Rule(
        f"/v2/{{name}}/blobs/{UNKNOWN}", "delete", _NO_BLOB
    ),
    ("oci.referrers", "GET"): Rule(_REFERRERS, "pull", missing=OK),
    ("oci.referrers", "HEAD"): Rule(_REFERRERS, "pull", missing=OK),
    ("oci.upload", "GET"): Rule(_SESSION, "push", NO_UPLOAD, NO_UPLOAD),
    ("oci.upload", "HEAD"): Rule(_SESSION, "push", NO_UPLOAD, NO_UPLOAD),
    ("oci.upload_cancel", "DELETE"): Rule(_SESSION, "push", NO_UPLOAD, NO_UPLOAD),
    ("oci.catalog", "GET"): Rule("/v2/_catalog"),
    ("oci.catalog", "HEAD"): Rule("/v2/_catalog"),
    ("oci.token", "GET"): Rule(
        "/v2/token", query={"scope": "repository:{name}:pull,push,delete"}
    ),
    ("oci.token", "HEAD"): Rule("/v2/token"),
    ("oci.oauth", "POST"): Rule("/v2/token", admitted=(400, "UNSUPPORTED")),
    ("oci.unknown", "GET"): Rule("/v2/{name}/unknown", admitted=HIDDEN),
}


def routes(app: Flask) -> set[Route]:
    """Return every endpoint and method of the protocol that the registry serves."""
    return {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v2")
        # The last rule answers every other address with the same error.
        for method in (
            {"GET"} if rule.endpoint == "oci.unknown" else rule.methods or ()
        )
    }


def violations(world: World, policy: str, route: Route) -> list[str]:
    """Send the route's request for each caller and each state; return wrong answers."""
    set_policy(POLICIES[policy])
    rule, method = RULES[route], route[1]
    found = []
    for caller in world.callers:
        alike = {}
        for name, state in NAMES.items():
            response = _ask(world, caller, rule, method, name)
            answer = _answer(response, method)
            wanted = expected(rule, caller, policy, state)
            if method == "HEAD":
                wanted = wanted[0], None
            cell = f"{policy} policy, {caller.label}: {method} {rule.path} of {name}"
            if answer != wanted:
                found.append(f"{cell} is {answer}, and not {wanted}")
            if message := _content_fault(route, caller, policy, state, response):
                found.append(f"{cell} {message}")
            if state in ALIKE and not caller.may(policy, state):
                alike[_without(response, rule, name)] = name
        if len(alike) > 1:
            found.append(f"{caller.label} tells {list(alike.values())} apart")
    return found


def expected(rule: Rule, caller: Caller, policy: str, state: str) -> Answer:
    """Return the expected answer of a cell of the matrix."""
    if caller.refused:
        return UNAUTHORIZED
    if rule.action is None:
        return _expected_anywhere(rule, caller)
    if rule.action not in caller.may(policy, state):
        if caller.role is None:
            return UNAUTHORIZED
        return HIDDEN if rule.action == "pull" else DENIED
    if not caller.listed:
        return UNAUTHORIZED
    # A pull by an old name works. A push to it creates a new repository.
    there = state != "missing" and (state != "renamed" or rule.action == "pull")
    return rule.admitted if there else rule.missing


def _expected_anywhere(rule: Rule, caller: Caller) -> Answer:
    nobody = caller.role is None and not caller.sends_bearer
    if rule.path == "/v2/" and nobody:
        return UNAUTHORIZED
    if rule.path == "/v2/_catalog" and (nobody or not caller.listed):
        return UNAUTHORIZED
    if rule.path == "/v2/token" and rule.admitted == OK and caller.sends_bearer:
        # Otherwise a client could renew a bearer token without limit.
        return UNAUTHORIZED
    return rule.admitted


def _content_fault(
    route: Route, caller: Caller, policy: str, state: str, response: TestResponse
) -> str | None:
    """Return a description of the fault in an answer's content, or None."""
    if response.status_code != 200 or route[1] == "HEAD":
        return None
    if route[0] == "oci.catalog":
        names = sorted(
            RENAMED if there == "renamed" else name
            for name, there in NAMES.items()
            if there != "missing" and "pull" in caller.may(policy, there)
        )
        listed = response.get_json()["repositories"]
        return None if listed == names else f"lists {listed}, and not {names}"
    if route[0] == "oci.token":
        granted = response.get_json()["scope"].rpartition(":")[2]
        may = caller.may(policy, state)
        wanted = ",".join(a for a in ("pull", "push", "delete") if a in may)
        return None if granted == wanted else f"grants {granted!r}, not {wanted!r}"
    if state == "renamed" and route[0] in _PULLED:
        warning = response.headers.get("Warning", "")
        return None if RENAMED in warning else "does not state the new name"
    return None


_PULLED = {endpoint for (endpoint, _), rule in RULES.items() if rule.action == "pull"}


def _ask(
    world: World, caller: Caller, rule: Rule, method: str, name: str
) -> TestResponse:
    client = RegistryClient(world.app, caller.authorization)
    path = rule.path.format(name=name, digest=world.digest)
    query = {k: str(v).format(name=name) for k, v in (rule.query or {}).items()}
    return client.request(method, path, query=query)


def _answer(response: TestResponse, method: str) -> Answer:
    if response.status_code < 400 or method == "HEAD":
        return response.status_code, None
    return response.status_code, response.get_json()["errors"][0]["code"]


def _without(response: TestResponse, rule: Rule, name: str) -> tuple[t.Any, ...]:
    """Return an answer without the repository's name and the time."""
    body, left_out = response.data.replace(name.encode(), b"NAME"), {"Date"}
    if rule.path == "/v2/token" and body and response.status_code == 200:
        # A token contains the time of its issue.
        answer = response.get_json()
        body = repr((answer.keys(), answer["scope"], answer["expires_in"])).encode()
    if rule.path == "/v2/token":
        left_out.add("Content-Length")
    headers = tuple(
        (key, value.replace(name, "NAME"))
        for key, value in response.headers
        if key not in left_out
    )
    return response.status_code, headers, body


def main() -> None:
    """Print the wrong answers of the named endpoints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoints", nargs="+")
    parser.add_argument("--policy", choices=POLICIES, default="host")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = build(Path(folder))
        for route in RULES:
            if route[0] in arguments.endpoints:
                for violation in violations(world, arguments.policy, route):
                    print(violation)
        world.close()


if __name__ == "__main__":
    main()
