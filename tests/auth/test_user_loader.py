"""The function that loads the user of a token: the registry's own, Flask-Login's, or
the look-up by primary key."""

from __future__ import annotations

import typing as t
from functools import partial
from functools import wraps

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.local import LocalProxy

from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.check_world import check
from tests.support.check_world import SECRET
from tests.support.credentials import by_access_token
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import login_manager
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient

MakeApp = t.Callable[..., Flask]
SCOPE = "repository:alice/app:pull,push"


@pytest.fixture(autouse=True)
def _restored_hook() -> t.Iterator[None]:
    """Remove the hook of the shared registry after each test."""
    yield
    registry._hooks.user_loader = None


def by_key(user_id: str) -> t.Any:
    return db.session.get(User, int(user_id))


def with_session(user_id: str, random: str, session_key: str) -> t.Any:
    """A loader in the form of Calibre-Web, whose sessions have keys of their own."""
    raise AssertionError("the registry has no session")


def with_required_keyword(user_id: str, *, session_key: str) -> t.Any:
    raise AssertionError("the registry has no session")


def without_arguments() -> t.Any:
    raise AssertionError("the registry has an identifier")


def with_default(user_id: str, session_key: str | None = None) -> t.Any:
    assert session_key is None
    return by_key(user_id)


def with_any(*args: str) -> t.Any:
    return by_key(*args)


def bound_first(database: t.Any, user_id: str) -> t.Any:
    return database.session.get(User, int(user_id))


@wraps(with_session)
def wrapped(user_id: str) -> t.Any:
    """A decorator adds the other arguments, and shows the signature of the inside."""
    return by_key(user_id)


def set_loader(monkeypatch: pytest.MonkeyPatch, loader: t.Any) -> None:
    """Set Flask-Login's loader, as a host does."""
    monkeypatch.setattr(login_manager, "_user_callback", loader)


def every_credential(app: Flask) -> list[tuple[str, int]]:
    """Return the outcome of each kind of credential, for alice."""
    alice = RegistryClient.of(app, "alice")
    token = log_in(alice, SCOPE)
    return [
        ("password", alice.get("/v2/").status_code),
        (
            "bearer",
            RegistryClient(app, f"Bearer {token['token']}").get("/v2/").status_code,
        ),
        ("refresh", refresh(app, token["refresh_token"], SCOPE).status_code),
        ("access", by_access_token(app, "alice").get("/v2/").status_code),
        ("rest", rest(app)),
    ]


def rest(app: Flask) -> int:
    """Return the status of the REST interface for an access token."""
    secret = issue(app, "alice", actions=["manage"]).secret
    client = RestClient(RegistryClient(app, basic("alice", secret)))
    return client.send("GET", "/repositories").status_code


ACCEPTED = [(kind, 200) for kind in ("password", "bearer", "refresh", "access", "rest")]


@pytest.mark.parametrize(
    "loader", [with_session, with_required_keyword, without_arguments]
)
def test_loader_with_other_arguments_is_replaced_by_primary_key(
    app: Flask,
    loader: t.Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every credential works, and the log names the hook."""
    set_loader(monkeypatch, loader)
    assert every_credential(app) == ACCEPTED
    assert loader.__qualname__ in caplog.text
    assert "@registry.user_loader" in caplog.text


@pytest.mark.parametrize(
    "loader",
    [
        by_key,
        with_default,
        with_any,
        wrapped,
        partial(bound_first, db),
        LocalProxy(lambda: by_key),
        LocalProxy(lambda: partial(with_default, session_key=None)),
    ],
)
def test_loader_with_one_argument_is_called(
    app: Flask, loader: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optional arguments, wrappers, partial functions and proxies do not matter."""
    set_loader(monkeypatch, loader)
    assert every_credential(app) == ACCEPTED


def test_loader_that_returns_a_proxy_works(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry uses the user behind it."""
    set_loader(monkeypatch, lambda key: LocalProxy(lambda: by_key(key)))
    assert every_credential(app) == ACCEPTED


def test_user_loader_of_registry_replaces_that_of_flask_login(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flask-Login's loader is not called."""
    set_loader(monkeypatch, with_session)
    loaded: list[str] = []

    @registry.user_loader
    def load(identifier: str) -> t.Any:
        loaded.append(identifier)
        return by_key(identifier)

    assert every_credential(app) == ACCEPTED
    with app.app_context():
        assert set(loaded) == {str(user_named("alice").id)}


def test_user_loader_returning_none_refuses_every_token(app: Flask) -> None:
    """The host's function decides, whatever the database contains."""
    token = issue(app, "alice").secret
    bearer = RegistryClient.of(app, "alice").bearer(SCOPE)
    registry.user_loader(lambda identifier: None)
    client = RegistryClient(app, basic("alice", token))
    assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")
    assert refusal(bearer.get("/v2/")) == (401, "UNAUTHORIZED")


@pytest.fixture(name="alternative")
def _alternative(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the users identifiers that are not their keys: names by identifier."""
    names = {f"session-{name}": name for name in ("alice", "bob")}
    monkeypatch.setattr(User, "get_id", lambda self: f"session-{self.username}")
    return names


def by_alternative(names: dict[str, str]) -> t.Callable[[str], t.Any]:
    def load(identifier: str) -> t.Any:
        name = names[identifier]
        return db.session.scalars(sa.select(User).filter_by(username=name)).one()

    return load


@pytest.mark.parametrize("own", [True, False])
def test_loader_receives_the_identifier_of_get_id(
    app: Flask,
    alternative: dict[str, str],
    own: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The identifier in the token has the form that the function expects."""
    load = by_alternative(alternative)
    if own:
        registry.user_loader(load)
    else:
        set_loader(monkeypatch, load)
    assert every_credential(app) == ACCEPTED


@pytest.mark.parametrize("loader", [with_session, None])
@pytest.mark.usefixtures("alternative")
def test_primary_key_is_the_identifier_without_a_usable_loader(
    app: Flask, loader: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alternative identifier is not the key by which the registry loads users."""
    set_loader(monkeypatch, loader)
    assert every_credential(app) == ACCEPTED


@pytest.mark.parametrize(
    "error", [KeyError, ValueError, sa.exc.NoResultFound, NotFound]
)
def test_loader_that_raises_for_identifier_refuses_the_token(
    app: Flask, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaders raise for identifiers of another form, and for deleted users."""
    app.testing = False
    client = RegistryClient.of(app, "alice")
    token = log_in(client, SCOPE)
    bearer = RegistryClient(app, f"Bearer {token['token']}")

    def load(user_id: str) -> t.Any:
        raise error("unknown")

    set_loader(monkeypatch, load)
    assert refusal(bearer.get("/v2/")) == (401, "UNAUTHORIZED")
    assert refusal(refresh(app, token["refresh_token"])) == (401, "UNAUTHORIZED")


def test_change_of_identifiers_refuses_old_tokens(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of another form reaches the loader, and clients log in again."""
    app.testing = False
    old = RegistryClient.of(app, "alice").bearer(SCOPE)
    monkeypatch.setattr(User, "get_id", lambda self: f"session-{self.username}")
    set_loader(monkeypatch, by_alternative({"session-alice": "alice"}))
    new = RegistryClient.of(app, "alice").bearer(SCOPE)
    assert refusal(old.get("/v2/")) == (401, "UNAUTHORIZED")
    set_loader(monkeypatch, by_key)
    assert refusal(new.get("/v2/")) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("loader", ["alternative", "key"])
def test_tokens_of_deleted_user_end_for_each_form_of_identifier(
    app: Flask,
    admin: Administrator,
    alternative: dict[str, str],
    loader: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A later user of the same name and identifier does not inherit them."""
    load = by_alternative(alternative)
    set_loader(monkeypatch, load if loader == "alternative" else with_session)
    old = RegistryClient.of(app, "alice").bearer(SCOPE)
    with app.app_context():
        key = user_named("alice").id
    admin.delete_user("alice")
    with app.app_context():
        db.session.add(User(id=key, username="alice", password="x", is_active=True))
        db.session.commit()
    assert refusal(old.get("/v2/")) == (401, "UNAUTHORIZED")


@pytest.fixture(name="sound")
def _sound(make_app: MakeApp) -> Flask:
    """An application without faults except those of every test application."""
    return make_app(SECRET_KEY=SECRET, TESTING=False)


def test_check_with_loader_of_other_arguments_finds_it(
    sound: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushing works, and the hook is the remedy."""
    set_loader(monkeypatch, with_session)
    found = check(sound, "--user", "alice")
    assert found.codes == {"user-loader-skipped"}
    assert "with_session" in found.findings["user-loader-skipped"]["detail"]
    registry.user_loader(by_key)
    assert not check(sound, "--user", "alice").codes


@pytest.mark.parametrize(
    ("load", "detail"),
    [
        (lambda identifier: None, "returns no user"),
        (lambda identifier: user_named("bob"), "returns another user"),
        (lambda identifier: 1 / 0, "raises ZeroDivisionError"),
    ],
)
def test_check_with_loader_that_finds_no_user_finds_it(
    sound: Flask, load: t.Any, detail: str
) -> None:
    """The identifier of a user has to lead back to the user."""
    registry.user_loader(load)
    found = check(sound)
    assert found.codes == {"user-loader-fails"}
    assert detail in found.findings["user-loader-fails"]["detail"]
