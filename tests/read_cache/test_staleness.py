"""Any history of changes: cached answers are those of a registry without a cache."""

from __future__ import annotations

import contextlib
import functools
import typing as t

import sqlalchemy as sa
from flask import Flask
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import rule
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import run_state_machine_as_test

from flask_oci import RepositoryInfo
from flask_oci.errors import NameUnknown
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.support.credentials import issue
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]

NAMES = ("alice/app", "alice/moved")
PATHS = (
    "manifests/v1",
    f"blobs/{digest_of(LAYER)}",
    "tags/list",
)

apps = st.sampled_from(["first", "second"])
flags = st.booleans()
names = st.sampled_from(NAMES)
visibilities = st.sampled_from(["public", "internal", "private"])


def may(user: t.Any, action: str, image: RepositoryInfo) -> bool:
    """Let users with a certain password do everything, and others by default."""
    is_admin = user is not None and user.password == "an administrator's"
    return is_admin or registry.default_policy(user, action, image)


class Changes(RuleBasedStateMachine):
    """Changes by two processes and by statements from outside, in any order.

    Two applications with engines of their own stand for the processes.
    """

    def __init__(self, make_app: MakeApp) -> None:
        super().__init__()
        make = functools.partial(make_app, may)
        self.apps = {
            "first": make(
                OCI_CACHE_POLICY="statements",
                SQLALCHEMY_ENGINE_OPTIONS={"pool_recycle": 1001},
            ),
            "second": make(
                OCI_CACHE_POLICY=True,
                SQLALCHEMY_ENGINE_OPTIONS={"pool_recycle": 1002},
            ),
        }
        self.plain = make(OCI_READ_CACHE=False)
        url = self.plain.config["SQLALCHEMY_DATABASE_URI"]
        self.outside = sa.create_engine(url, poolclass=sa.NullPool)
        self.token_id = "0" * 32
        self.authorizations: list[str | None] = [None]

    @initialize()
    def begin(self) -> None:
        """Start with one image, and a token of bob."""
        self.update(User, User.username == "bob", is_active=True, password="builder")
        self.push("first", 1)
        self.issue_token("first")

    def update(self, model: t.Any, condition: t.Any, **values: t.Any) -> None:
        """Change rows by a statement from outside the registry."""
        with self.outside.begin() as connection:
            connection.execute(
                sa.update(model.__table__).where(condition).values(**values)
            )

    @rule(visibility=visibilities)
    def show(self, visibility: str) -> None:
        """Change the visibility of all repositories."""
        self.update(registry.models.Repository, sa.true(), visibility=visibility)

    @rule(is_active=flags)
    def switch(self, is_active: bool) -> None:
        """Deactivate or activate bob."""
        self.update(User, User.username == "bob", is_active=is_active)

    @rule(is_admin=flags)
    def promote(self, is_admin: bool) -> None:
        """Give bob the right to everything, or take it."""
        password = "an administrator's" if is_admin else "builder"
        self.update(User, User.username == "bob", password=password)

    @rule(app=apps, number=st.integers(1, 3))
    def push(self, app: str, number: int) -> None:
        """Move a tag to another image."""
        alice = RegistryClient.of(self.apps[app], "alice")
        alice.push_image(NAMES[0], "v1", annotations={"number": str(number)})

    @rule(app=apps)
    def delete(self, app: str) -> None:
        """Delete a tag."""
        RegistryClient.of(self.apps[app], "alice").delete(
            f"/v2/{NAMES[0]}/manifests/v1"
        )

    @rule(app=apps, back=flags)
    def rename(self, app: str, back: bool) -> None:
        """Rename the repository, or rename it back."""
        old, new = NAMES[::-1] if back else NAMES
        refused = contextlib.suppress(NameUnknown, ValueError)
        with self.apps[app].app_context(), refused:
            registry.repositories.rename(old, new)

    @rule(app=apps)
    def issue_token(self, app: str) -> None:
        """Replace bob's tokens."""
        self.update(User, User.username == "bob", is_active=True)
        self.revoke(app)
        token = issue(self.apps[app], "bob")
        client = RegistryClient(self.apps[app], basic("bob", token.secret))
        scopes = [f"repository:{name}:pull" for name in NAMES]
        bearer = client.bearer(*scopes)
        self.token_id = token.id
        self.authorizations = [None, client.authorization, bearer.authorization]

    @rule(app=apps)
    def revoke(self, app: str) -> None:
        """Revoke bob's access token."""
        with self.apps[app].app_context():
            registry.access_tokens.revoke(self.token_id)

    @invariant()
    def answers_are_current(self) -> None:
        """Each application answers as the one without a cache does."""
        for authorization in self.authorizations:
            for name in NAMES:
                for path in PATHS:
                    target = f"/v2/{name}/{path}"
                    wanted = answer(self.plain, target, authorization)
                    for name_of_app, app in self.apps.items():
                        found = answer(app, target, authorization)
                        assert found == wanted, (name_of_app, target, authorization)


def answer(app: Flask, target: str, authorization: str | None) -> tuple[int, bytes]:
    """Return the status and the body of a GET."""
    response = RegistryClient(app, authorization).get(target)
    return response.status_code, response.data


def test_any_history_of_changes_gets_current_answers(make_app: MakeApp) -> None:
    """Nothing outdated is served after changes of any process."""
    run_state_machine_as_test(
        t.cast(t.Any, functools.partial(Changes, make_app)),
        settings=settings(
            derandomize=True,
            deadline=None,
            max_examples=8,
            stateful_step_count=12,
            phases=[Phase.generate],
        ),
    )
