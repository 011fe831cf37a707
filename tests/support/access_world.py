"""A host with every kind of caller and every kind of repository."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from flask_oci import RepositoryInfo
from flask_oci import Robot
from flask_oci.clock import utcnow
from flask_oci.testing.requests import basic
from tests.support.credentials import bearing
from tests.support.credentials import grant
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.host import Administrator
from tests.support.host import create_app
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.host import User
from tests.support.identity_issuer import AUDIENCE
from tests.support.identity_issuer import IdentityIssuer
from tests.support.job_claims import for_issuer
from tests.support.job_claims import GITHUB
from tests.support.registry_client import RegistryClient
from tests.support.robots import make_robot

NOTHING: t.Final[frozenset[str]] = frozenset()
PULL: t.Final = frozenset({"pull"})
PUSH: t.Final = frozenset({"pull", "push"})
ALL: t.Final = frozenset({"pull", "push", "delete"})

#: The name of a repository in each state. Hidden repositories have names of equal
#: length, so two answers can differ only by the name.
NAMES: t.Final = {
    "owner/private": "private",
    "owner/missing": "missing",
    "owner/earlier": "renamed",
    "owner/internal": "internal",
    "owner/public": "public",
}
#: The present name of "owner/earlier".
RENAMED: t.Final = "owner/present"

SCOPES: t.Final = (
    "registry:catalog:*",
    *(f"repository:{name}:pull,push,delete" for name in (*NAMES, RENAMED)),
)

#: The actions that the host allows each role, for every visibility.
ROLES: t.Final = {"reader": PULL, "writer": PUSH, "owner": ALL, "admin": ALL}

PASSWORD: t.Final = "open sesame"


def host_policy(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
    """Return True if the user's role allows the action, as in a forge with teams."""
    if user is not None and action in ROLES.get(user.username, NOTHING):
        return True
    seen = {"public"} if user is None else {"public", "internal"}
    return action == "pull" and repository.visibility in seen


POLICIES: t.Final = {"host": host_policy, "default": None}

#: The same, as parameters of tests. Only the default policy decides in SQL.
POLICY_PARAMETERS: t.Final = [
    pytest.param("host", marks=pytest.mark.sqlite_only),
    "default",
]


def rights(policy: str, role: str | None, state: str) -> frozenset[str]:
    """Return the allowed actions of a role, as documented for the policy."""
    by_role = ROLES if policy == "host" else {"owner": ALL}
    if role in by_role:
        return by_role[role]
    if state == "public" or (state == "internal" and role is not None):
        return PULL
    return NOTHING


@dataclass(frozen=True)
class Caller:
    """A caller and the limits of its credentials."""

    label: str
    authorization: str | None
    role: str | None = None
    """The role of the authenticated user; None is an anonymous client."""

    limit: frozenset[str] = ALL
    """The actions that the credential allows."""

    listed: bool = True
    """Whether a bearer token's access list has all repositories and actions."""

    refused: bool = False
    """Whether the credentials are invalid, which is a 401 everywhere."""

    reach: frozenset[str] | None = None
    """The states of the repositories that a robot reaches, or None for a user."""

    def may(self, policy: str, state: str) -> frozenset[str]:
        """Return the actions that the caller may do to a repository."""
        if self.reach is not None and not self.refused:
            return self.limit if state in self.reach else NOTHING
        return (
            NOTHING if self.refused else rights(policy, self.role, state) & self.limit
        )

    @property
    def sends_bearer(self) -> bool:
        """Whether the caller sends a bearer token."""
        return (self.authorization or "").startswith("Bearer")


@dataclass
class World:
    """The application and its callers."""

    app: Flask
    callers: list[Caller] = field(default_factory=list)
    digest: str = ""
    """The digest of a layer that is in every repository."""

    def close(self) -> None:
        """Restore the policy and close the connections."""
        set_policy(None)
        Administrator(self.app).close(delete_rows=False)


def build(folder: Path, **config: object) -> World:
    """Create the world once, because no request of the matrix changes it.

    :param config: further settings of the application.
    """
    issuer = IdentityIssuer()
    issuer.close()
    config.update(
        OCI_OIDC_ISSUERS=issuer.known(GITHUB.kind), OCI_OIDC_AUDIENCE=AUDIENCE
    )
    app = create_app(folder, OCI_LOGIN_ATTEMPTS=None, **config)
    Administrator(app).start_afresh()
    world = World(app)
    Administrator(app).start_afresh()
    with app.app_context():
        for name in (*ROLES, "stranger", "inactive", "deleted"):
            db.session.add(User(username=name, password=PASSWORD, is_active=True))
        db.session.commit()
    _push(world)
    # Tokens are issued while every user may do everything. In the matrix then the
    # policy refuses, not a token's access list.
    set_policy(lambda user, action, repository: True)
    elsewhere = create_app(
        folder, **{**config, "OCI_SERVICE": "elsewhere", "OCI_LOGIN_ATTEMPTS": None}
    )
    world.callers = [
        *_strangers(app),
        *_people(app),
        *_limited(app),
        *_refused(app, elsewhere),
        *_robots(app),
        *_refused_robots(app),
        *_jobs(app, issuer),
    ]
    set_policy(None)
    Administrator(elsewhere).close(delete_rows=False)
    administrator = Administrator(app)
    administrator.change_user("inactive", is_active=False)
    administrator.delete_user("deleted")
    return world


def _push(world: World) -> None:
    owner = RegistryClient(world.app, basic("owner", PASSWORD))
    for name, state in NAMES.items():
        if state != "missing":
            owner.push_image(name, "latest")
            world.digest = owner.push_blob(name, b"a layer")
    with world.app.app_context():
        for visibility in ("internal", "public"):
            registry.repositories.set_visibility(f"owner/{visibility}", visibility)
        registry.repositories.rename("owner/earlier", RENAMED)


def _bearer(app: Flask, authorization: str | None, *scopes: str) -> str:
    bearer = RegistryClient(app, authorization).bearer(*scopes)
    assert bearer.authorization is not None
    return bearer.authorization


def _each_way(
    app: Flask, label: str, secret: str | None, **fields: t.Any
) -> t.Iterator[Caller]:
    """Yield callers with a secret, with a token for everything, and for nothing."""
    yield Caller(label, secret, **fields)
    everything = _bearer(app, secret, *SCOPES)
    yield Caller(f"{label}, bearer", everything, **fields)
    nothing = _bearer(app, secret)
    yield Caller(f"{label}, bearer of nothing", nothing, listed=False, **fields)


def _strangers(app: Flask) -> t.Iterator[Caller]:
    yield from _each_way(app, "anonymous", None)
    yield Caller("anonymous, empty pair", basic("", ""))


def _people(app: Flask) -> t.Iterator[Caller]:
    for role in (*ROLES, "stranger"):
        yield from _each_way(app, role, basic(role, PASSWORD), role=role)
    kept = log_in(RegistryClient(app, basic("owner", PASSWORD)))["refresh_token"]
    refreshed = bearing(app, refresh(app, kept, *SCOPES)).authorization
    yield Caller("owner, refreshed bearer", refreshed, role="owner")


def _limited(app: Flask) -> t.Iterator[Caller]:
    limits: list[tuple[dict[str, list[str]], frozenset[str]]] = [
        ({"actions": ["pull"]}, PULL),
        ({"actions": ["push"]}, PUSH),
        ({"actions": ["delete"]}, frozenset({"delete"})),
        ({"actions": ["pull", "delete"]}, frozenset({"pull", "delete"})),
        ({"repositories": ["elsewhere/*", "owner", "owner/p"]}, NOTHING),
    ]
    for given, limit in limits:
        secret = basic("owner", issue(app, "owner", **given).secret)
        label = f"owner with {given}"
        yield from _each_way(app, label, secret, role="owner", limit=limit)


def _robots(app: Flask) -> t.Iterator[Caller]:
    """Yield robots of the owner's namespace, of another one, and of one repository."""
    everywhere = frozenset(NAMES.values())
    robots: list[tuple[dict[str, t.Any], frozenset[str], frozenset[str]]] = [
        ({"path": "owner", "actions": ALL}, ALL, everywhere),
        ({"path": "owner", "actions": ["push"]}, PUSH, everywhere),
        (
            {"path": "owner", "repositories": ["owner/public"]},
            PUSH,
            frozenset({"public"}),
        ),
        ({"path": "owner/p", "actions": ALL}, ALL, NOTHING),
        ({"path": "stranger", "actions": ALL}, ALL, NOTHING),
        ({"repository": "owner/internal"}, PUSH, frozenset({"internal"})),
    ]
    set_policy(None)
    made = [
        make_robot(app, **{"path": None, "name": f"r{number}", **given})
        for number, (given, *_) in enumerate(robots)
    ]
    set_policy(lambda user, action, repository: True)
    for number, (given, limit, reach) in enumerate(robots):
        robot, secret = made[number]
        fields: dict[str, t.Any] = {"role": "robot", "limit": limit, "reach": reach}
        label = f"robot with {given}"
        sent = basic(robot.login, secret)
        if number == 0:
            yield from _each_way(app, label, sent, **fields)
            continue
        yield Caller(label, sent, **fields)
        yield Caller(f"{label}, bearer", _bearer(app, sent, *SCOPES), **fields)


def _jobs(app: Flask, issuer: IdentityIssuer) -> t.Iterator[Caller]:
    """Yield jobs, which have the limits of a robot, by each of their credentials."""
    url = issuer.address(GITHUB.kind)
    set_policy(None)
    robots = [
        make_robot(app, path="owner", name=name, actions=["push"])[0]
        for name in ("job", "ended")
    ]
    set_policy(lambda user, action, repository: True)
    with app.app_context():
        added = [registry.publishers.add(r, url, GITHUB.fields) for r in robots]

    def token() -> str:
        """Return an identity token that outlives the matrix."""
        claims = for_issuer(GITHUB.claims, url)
        end = int(utcnow().timestamp()) + 3600
        return issuer.token({"iss": url, **claims}, exp=end)

    def exchanged(robot: Robot, spent: str) -> str:
        answer = grant(
            RegistryClient(app),
            grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
            subject_token_type="urn:ietf:params:oauth:token-type:id_token",
            subject_token=spent,
            robot=robot.login,
        )
        return str(answer.get_json()["access_token"])

    job, ended = robots
    spent = token()
    secret, of_ended = exchanged(job, spent), exchanged(ended, token())
    fields: dict[str, t.Any] = {
        "role": "robot",
        "limit": PUSH,
        "reach": frozenset(NAMES.values()),
    }
    sent = basic(job.login, secret)
    yield Caller("job", sent, **fields)
    yield Caller("job, bearer", _bearer(app, sent, *SCOPES), **fields)
    yield Caller("job, identity token", basic(job.login, token()), **fields)
    by_ended = _bearer(app, basic(ended.login, of_ended), *SCOPES)
    with app.app_context():
        registry.publishers.remove(ended, added[1].id)
    yield Caller("ended job", basic(ended.login, of_ended), refused=True)
    yield Caller("ended job, bearer", by_ended, refused=True)
    yield Caller("job, spent token", basic(job.login, spent), refused=True)
    yield Caller("job, other robot", basic("owner+r0", token()), refused=True)


def _refused_robots(app: Flask) -> t.Iterator[Caller]:
    made = {
        name: make_robot(app, name=name, path=path, **values)
        for name, path, values in (
            ("disabled", "owner", {}),
            ("rotated", "owner", {}),
            ("deleted", "owner", {}),
            ("expired", "owner", {"expires": timedelta(minutes=1)}),
            ("suspended", "inactive", {}),
            ("orphaned", "deleted", {}),
        )
    }
    for name, (robot, secret) in made.items():
        sent = basic(robot.login, secret)
        bearer = _bearer(app, sent, *SCOPES)
        yield Caller(f"{name} robot", sent, refused=True)
        yield Caller(f"{name} robot, bearer", bearer, refused=True)
    yield Caller("robot by the name of a user", basic("owner", secret), refused=True)
    with app.app_context():
        registry.robots.disable(made["disabled"][0])
        registry.robots.rotate(made["rotated"][0])
        registry.robots.delete(made["deleted"][0])
        past = utcnow() - timedelta(minutes=1)
        registry.robots.change(made["expired"][0], expires=past)


def _refused(app: Flask, elsewhere: Flask) -> t.Iterator[Caller]:
    owner = basic("owner", PASSWORD)
    with time_machine.travel(utcnow() - timedelta(hours=1), tick=False):
        expired = _bearer(app, owner, *SCOPES)
        outlived = issue(app, "owner", expires=timedelta(minutes=1))
    revoked, good = issue(app, "owner"), issue(app, "owner")
    by_revoked = _bearer(app, basic("owner", revoked.secret), *SCOPES)
    with app.app_context():
        assert registry.access_tokens.revoke(revoked.id)
    sent = {
        "expired token": expired,
        "expired access token": basic("owner", outlived.secret),
        "token for another service": _bearer(elsewhere, owner, *SCOPES),
        "revoked access token": basic("owner", revoked.secret),
        "token of a revoked access token": by_revoked,
        "access token of a job that is over": basic(
            "owner", issue(app, "owner", validator=is_running).secret
        ),
        "access token of another user": basic("admin", good.secret),
        "access token as bearer": f"Bearer {good.secret}",
        "wrong password": basic("owner", "wrong"),
        "password of an unknown user": basic("nobody", PASSWORD),
        "no token": "Bearer",
        "malformed pair": "Basic !",
        "unknown scheme": "Negotiate YQ==",
    }
    for name in ("inactive", "deleted"):
        token = basic(name, issue(app, name).secret)
        sent[f"{name}, password"] = basic(name, PASSWORD)
        sent[f"{name}, access token"] = token
        sent[f"{name}, bearer"] = _bearer(app, basic(name, PASSWORD), *SCOPES)
        sent[f"{name}, bearer of an access token"] = _bearer(app, token, *SCOPES)
    for label, authorization in sent.items():
        yield Caller(label, authorization, refused=True)


@registry.token_validator
def is_running(about: str) -> bool:
    """Return False: every job has ended."""
    return False
