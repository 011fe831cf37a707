"""Every page, for every visitor and every visibility."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from flask import Flask

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.support.access_world import NAMES
from tests.support.access_world import PASSWORD
from tests.support.access_world import POLICIES
from tests.support.access_world import RENAMED
from tests.support.access_world import rights
from tests.support.access_world import ROLES
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor

#: States that visitors who may not pull cannot distinguish.
ALIKE: t.Final = ("private", "missing", "renamed")

#: The action that each page needs, and its address. A page without a repository is for
#: signed-in visitors ("member"; hidden from others: "hidden member"), for
#: administrators, or for everyone (None).
PAGES: t.Final = {
    "repositories": (None, "/images/"),
    "feed": (None, "/images/-/feed.atom"),
    "repository_feed": ("pull", "/images/{name}/-/feed.atom"),
    "storage": ("member", "/images/-/storage"),
    "tokens": ("member", "/images/-/tokens"),
    "robots": ("member", "/images/-/robots"),
    # The application of this test has no administrators.
    "administration": ("administrator", "/images/-/administration"),
    "all_uploads": ("administrator", "/images/-/uploads"),
    "events": ("administrator", "/images/-/events"),
    "reference": (None, "/images/-/reference"),
    "reference_file": (None, "/images/-/reference/swagger-ui.css"),
    "rules": ("member", "/images/-/rules"),
    "token_holders": ("administrator", "/images/-/users"),
    "jobs": ("administrator", "/images/-/jobs"),
    "upstreams": ("administrator", "/images/-/upstreams"),
    "webhooks": ("hidden member", "/images/-/webhooks"),
    "new_webhook": ("hidden member", "/images/-/webhooks/new"),
    "webhook": ("administrator", "/images/-/webhooks/1"),
    "edit_webhook": ("administrator", "/images/-/webhooks/1/edit"),
    "repository": ("pull", "/images/{name}"),
    "manifest": ("pull", "/images/{name}/-/image/latest"),
    "raw": ("pull", "/images/{name}/-/raw/{digest}"),
    "file": ("pull", f"/images/{{name}}/-/file/{{digest}}/{digest_of(LAYER)}"),
    "compare": ("pull", "/images/{name}/-/compare?from=latest&to=latest"),
    "history": ("pull", "/images/{name}/-/history"),
    "uploads": ("push", "/images/{name}/-/uploads"),
    "settings": ("manage", "/images/{name}/-/settings"),
    "retention": ("manage", "/images/{name}/-/settings/retention"),
    "policy": ("manage", "/images/{name}/-/settings/policy"),
}

#: Files of a package, which are the same for each visitor.
STATIC: t.Final = ("reference_file",)


@dataclass(frozen=True)
class Viewer:
    """A visitor and their role."""

    label: str
    visitor: Visitor
    role: str | None


@dataclass(frozen=True)
class Forge:
    """An application with repositories of every state, and its visitors."""

    app: Flask
    digest: str
    people: list[Viewer]


@pytest.fixture(name="forge")
def _forge(app: Flask) -> Forge:
    """A forge in which the owner has a repository of each state."""
    people = (*ROLES, "stranger", "deleted")
    with app.app_context():
        for name in people:
            db.session.add(User(username=name, password=PASSWORD, is_active=True))
        db.session.commit()
    owner, manifest = RegistryClient(app, basic("owner", PASSWORD)), b""
    for name, state in NAMES.items():
        if state != "missing":
            manifest = owner.push_image(name, "latest")
    with app.app_context():
        for visibility in ("internal", "public"):
            registry.repositories.set_visibility(f"owner/{visibility}", visibility)
        registry.repositories.rename("owner/earlier", RENAMED)
    seen = [Viewer("anonymous", Visitor(app), None)]
    seen += [Viewer("inactive", Visitor(app, "carol"), None)]
    seen += [Viewer(p, Visitor(app, p), None if p == "deleted" else p) for p in people]
    Administrator(app).delete_user("deleted")
    return Forge(app, digest_of(manifest), seen)


def test_pages_all_have_a_rule(app: Flask) -> None:
    """A new page needs a rule in this file, which says who may see it."""
    pages = {
        rule.endpoint.removeprefix("oci_web.")
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("oci_web.") and "GET" in (rule.methods or ())
    }
    # Rules, robots and publishers of a path depend on no repository:
    # tests/web/test_path_rules.py, test_robots.py and publishers/test_interfaces.py.
    of_paths = {"path_rules", "path_retention", "path_policy", "publishers", "robot"}
    assert pages - {"static"} - of_paths == set(PAGES)


@pytest.mark.parametrize("policy", POLICIES)
def test_pages_match_the_policy(forge: Forge, policy: str) -> None:
    """Visitors see the pages that they may see; the others get 403 or 404."""
    set_policy(POLICIES[policy])
    wrong = [
        f"{viewer.label}: {fault}"
        for page in PAGES
        for viewer in forge.people
        for fault in faults(forge, policy, page, viewer)
    ]
    assert wrong == []


def faults(forge: Forge, policy: str, page: str, viewer: Viewer) -> t.Iterator[str]:
    """Open a page about every repository, and yield the wrong responses."""
    need, path = PAGES[page]
    hidden = {}
    for name, state in NAMES.items():
        address = path.format(name=name, digest=forge.digest)
        with viewer.visitor.client.get(address) as response:
            text = response.get_data(as_text=True)
        may = allowed(policy, viewer.role, state)
        wanted = expected(need, viewer.role, state, may)
        if response.status_code != wanted:
            yield f"{address} is {response.status_code}, and not {wanted}"
        if wanted == 307 and RENAMED not in (response.location or ""):
            yield f"{address} leads to {response.location}"
        if wanted == 404 and state in ALIKE:
            hidden[text.replace(name, "NAME")] = name
    if len(hidden) > 1:
        yield f"{page} tells {list(hidden.values())} apart"


def allowed(policy: str, role: str | None, state: str) -> frozenset[str]:
    """Return the actions that a visitor may do, according to the documentation."""
    may = rights(policy, role, state)
    if policy == "default" and role == "owner":
        return may | {"manage"}
    return may


def expected(
    need: str | None, role: str | None, state: str, may: frozenset[str]
) -> int:
    """Return the expected status of a page for a visitor."""
    if need is None or (need == "member" and role is not None):
        return 200
    if need == "member":
        return 403
    if need == "hidden member":
        return 404 if role is None else 200
    if need == "administrator":
        return 404
    if state == "missing" or "pull" not in may:
        return 404
    if state == "renamed":
        return 307
    return 200 if need in may else 403


@pytest.mark.parametrize("policy", POLICIES)
def test_repository_list_matches_the_policy(forge: Forge, policy: str) -> None:
    """The list contains the repositories that the visitor may pull from, and no others,
    in every search."""
    set_policy(POLICIES[policy])
    for viewer in forge.people:
        wanted = {
            RENAMED if state == "renamed" else name
            for name, state in NAMES.items()
            if state != "missing" and "pull" in allowed(policy, viewer.role, state)
        }
        for query in ({}, {"under": "owner"}, {"q": "owner"}, {"sort": "name"}):
            text = viewer.visitor.get("/images/", **query).html
            listed = {n for n in (*NAMES, RENAMED) if f"/images/{n}" in text}
            assert listed == wanted, (viewer.label, query)


def test_pages_forbid_framing_and_caching(forge: Forge) -> None:
    """No other site can embed a page in a frame, and no cache stores one."""
    set_policy(None)
    owner = next(s.visitor for s in forge.people if s.role == "owner")
    for page, (need, path) in PAGES.items():
        if page in STATIC:
            continue
        address = path.format(name="owner/public", digest=forge.digest)
        with owner.client.get(address) as response:
            assert response.data
        assert response.status_code == (404 if need == "administrator" else 200), path
        policy = response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy or "sandbox" in policy
        assert "unsafe" not in policy
        assert "public" not in response.headers["Cache-Control"]
        assert {"private", "no-store"} & set(
            response.headers["Cache-Control"].replace(",", " ").split()
        )
