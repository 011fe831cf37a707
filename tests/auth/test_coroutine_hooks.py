"""Hooks that are coroutine functions, or that return something other than True."""

from __future__ import annotations

import functools
import logging
import typing as t

import pytest
from flask import Flask
from flask_login import current_user

from flask_oci import signals
from flask_oci.testing.requests import basic
from tests.support.host import db
from tests.support.host import login_manager
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

pytestmark = pytest.mark.sqlite_only

NAME = "alice/app"
DECORATORS = (
    "is_admin",
    "authenticate",
    "authorize",
    "before_login",
    "list_filter",
    "page_renderer",
    "retention_exempt",
    "token_validator",
    "user_loader",
    "visibility_of",
    "current_user_loader",
)


async def coroutine_function(*args: object) -> bool:
    return False


async def generator_function(*args: object) -> t.AsyncIterator[bool]:
    yield False


class CallableObject:
    async def __call__(self, *args: object) -> bool:
        return False


def hidden(*args: object) -> t.Any:
    """Return an ordinary function that returns a coroutine, as a decorator does."""
    return coroutine_function(*args)


@pytest.fixture(autouse=True)
def _restored_hooks() -> t.Iterator[None]:
    """Restore the hooks of the shared registry after each test."""
    before = dict(vars(registry._hooks))
    validators = dict(registry._hooks.validators)
    yield
    vars(registry._hooks).update(before, validators=validators)


@pytest.mark.parametrize("name", DECORATORS)
@pytest.mark.parametrize(
    "function",
    [
        coroutine_function,
        generator_function,
        functools.partial(coroutine_function, 1),
        CallableObject(),
    ],
    ids=["function", "generator", "partial", "object"],
)
def test_decorator_given_coroutine_function_raises(name: str, function: t.Any) -> None:
    """The registry never registers a hook that it would have to await."""
    with pytest.raises(TypeError, match="coroutine function"):
        getattr(registry, name)(function)


@pytest.mark.parametrize("name", DECORATORS)
def test_hook_decorator_returns_function_itself(name: str) -> None:
    """The host's own code can still call the function."""

    def function(*args: object) -> None:
        return None

    assert getattr(registry, name)(function) is function


@pytest.mark.usefixtures("app")
def test_authorize_returning_coroutine_grants_nothing(
    app: Flask, alice: RegistryClient
) -> None:
    """The request is refused, whatever the coroutine would decide."""
    alice.push_image(NAME, "1.0")
    app.testing = False
    registry.authorize(hidden)
    for client in (RegistryClient(app), alice):
        assert client.get(f"/v2/{NAME}/manifests/1.0").status_code == 500
        assert client.post(f"/v2/{NAME}/blobs/uploads/").status_code == 500


@pytest.mark.parametrize("answer", [1, "yes", object(), [False], NotImplemented])
def test_authorize_returning_anything_but_true_denies(
    app: Flask,
    alice: RegistryClient,
    answer: t.Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another true value denies, and the log names the function."""
    registry.authorize(lambda *args: answer)
    with caplog.at_level(logging.WARNING, "flask_oci.hooks"):
        assert alice.post(f"/v2/{NAME}/blobs/uploads/").status_code in (403, 404)
    assert "is not True, so it counts as no" in caplog.text


def test_is_admin_returning_anything_but_true_denies(app: Flask) -> None:
    """Neither REST nor the pages accept another true value."""
    registry.is_admin(lambda user: 1)  # type: ignore[type-var]
    assert RestClient.of(app, "alice").send("GET", "/events").status_code in (403, 404)
    visitor = Visitor(app, "alice")
    assert visitor.client.get("/images/-/administration").status_code == 404


def test_before_login_returning_coroutine_refuses_login(
    app: Flask, alice: RegistryClient
) -> None:
    """A rate limit that never ran accepts no password."""
    app.testing = False
    registry.before_login(hidden)
    assert alice.get("/v2/").status_code == 500


def test_token_validator_returning_coroutine_refuses_token(
    app: Flask, alice: RegistryClient
) -> None:
    """A validator that never ran accepts no token."""
    app.testing = False
    registry.token_validator(hidden)
    with app.app_context():
        user = db.session.scalars(db.select(User).filter_by(username="alice")).one()
        issued = registry.access_tokens.issue(user, validator=hidden, context="job")
    client = RegistryClient(app, basic("alice", issued.secret))
    assert client.get("/v2/").status_code == 500


def test_user_loader_coroutine_function_accepts_no_token(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who was never loaded has no access."""
    client = alice.bearer(f"repository:{NAME}:pull,push")
    app.testing = False
    monkeypatch.setattr(login_manager, "_user_callback", coroutine_function)
    assert client.post(f"/v2/{NAME}/blobs/uploads/").status_code == 500


@pytest.mark.parametrize("inactive", [lambda self: False, coroutine_function])
def test_is_active_as_method_is_called(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch, inactive: t.Any
) -> None:
    """The registry calls the method instead of taking it for a true value."""
    app.testing = False
    registry.authenticate(lambda username, secret: Account(inactive))
    assert alice.get("/v2/").status_code in (401, 500)


class Account:
    """A user of a host that made ``is_active`` a method."""

    id = 1
    username = "alice"

    def __init__(self, inactive: t.Any) -> None:
        self._inactive = inactive

    def is_active(self) -> t.Any:
        return self._inactive(self)


@pytest.mark.parametrize("receiver", [coroutine_function, hidden, CallableObject()])
def test_veto_receiver_coroutine_function_refuses_change(
    app: Flask, alice: RegistryClient, receiver: t.Any
) -> None:
    """A receiver that would have to be awaited prevents the push of the tag."""
    app.testing = False
    manifest = alice.push_image(NAME)
    with signals.tag_moving.connected_to(receiver, app):
        response = alice.put_manifest(NAME, "1.0", manifest)
    assert response.status_code == 500
    assert alice.get(f"/v2/{NAME}/manifests/1.0").status_code == 404


@pytest.mark.parametrize("function", [coroutine_function, hidden, CallableObject()])
def test_rename_with_coroutine_function_renames_nothing(
    app: Flask, alice: RegistryClient, function: t.Any
) -> None:
    """The host's own rows would keep the old name."""
    alice.push_image(NAME, "1.0")
    with app.app_context():
        with pytest.raises(TypeError):
            registry.repositories.rename(NAME, "alice/new", within_transaction=function)
        assert registry.repositories.find(NAME).exists


def test_receiver_returning_coroutine_is_logged(
    app: Flask, alice: RegistryClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The push is complete, and the log says that the receiver did not run."""
    with signals.manifest_pushed.connected_to(coroutine_function, app):
        alice.push_image(NAME, "1.0")
    assert "A receiver of oci-manifest-pushed failed." in caplog.text


def test_current_user_loader_may_return_a_proxy(app: Flask) -> None:
    """Flask-Login's ``current_user`` is a proxy, which looks like an awaitable."""
    registry.current_user_loader(lambda: current_user)
    assert Visitor(app).status("/images/") == 200
    assert Visitor(app, "alice").status("/images/") == 200


@pytest.mark.parametrize("nothing", [False, 0, ""])
def test_authenticate_returning_false_refuses_login(
    app: Flask, nothing: object
) -> None:
    """A wrong password that the host answers with False is a failed login."""
    registry.authenticate(lambda username, secret: nothing)
    assert RegistryClient.of(app, "alice").get("/v2/").status_code == 401


@pytest.mark.parametrize("nothing", [False, 0, ""])
def test_user_loader_returning_false_refuses_token(
    app: Flask, alice: RegistryClient, nothing: object
) -> None:
    """A user that the host does not find is no user, whatever it returns."""
    client = alice.bearer()
    registry.user_loader(lambda subject: nothing)
    assert client.get("/v2/").status_code == 401


@pytest.mark.parametrize("nothing", [False, 0, ""])
def test_current_user_loader_returning_false_is_an_anonymous_visitor(
    app: Flask, alice: RegistryClient, nothing: object
) -> None:
    """The policy of the host may compare the user with None."""
    alice.push_image(NAME, "1.0")
    set_policy(lambda user, action, repository: user is not None)
    try:
        registry.current_user_loader(lambda: nothing)
        assert Visitor(app).status(f"/images/{NAME}") == 404
    finally:
        set_policy(None)


def test_authenticate_returning_true_is_an_error(app: Flask) -> None:
    """True names no user, so it signs in no client."""
    app.testing = False
    registry.authenticate(lambda username, secret: True)
    assert RegistryClient.of(app, "alice").get("/v2/").status_code == 500
