"""The account status of a host's users: columns, properties and functions."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime

import pytest
import sqlalchemy as sa
from flask_login import current_user
from flask_login import login_user
from flask_login import UserMixin
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci.testing.requests import basic
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient

from .application import database
from .application import Host
from .application import StandardUser

MakeHost = t.Callable[..., Host]
SCOPE = "repository:alice/app:pull,push"
NAME = "alice/app"
MOMENT = datetime(2024, 1, 1)  # noqa: DTZ001


class Constant:
    """A copy of Flask-Login's mixin, as some applications have it."""

    @property
    def is_active(self) -> bool:
        """Return True for every user."""
        return True


class OldConstant:
    """The method of Flask-Login's documentation before it had a mixin."""

    def is_active(self) -> bool:
        """Return True for every user."""
        return True


class Attribute:
    """The same as an attribute."""

    is_active = True


def model(db: t.Any, *mixins: type[t.Any], **columns: t.Any) -> type[t.Any]:
    """Return a user model with more columns."""
    fixed = {
        "__tablename__": "user",
        "id": sa.Column(sa.Integer, primary_key=True),
        "username": sa.Column(sa.String(80), unique=True),
        "password": sa.Column(sa.String(80)),
    }
    return type("User", (*mixins, db.Model), {**fixed, **columns})


def flag(name: str | None = None, **options: t.Any) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, **options)


def moment() -> sa.Column[datetime]:
    return sa.Column(sa.DateTime, nullable=True)


#: By name: the mixins and the column of a model, and its values for an active and for a
#: deactivated user.
COLUMNS: dict[str, tuple[tuple[type, ...], dict[str, t.Any], t.Any, t.Any]] = {
    "active": ((UserMixin,), {"active": flag()}, True, False),
    "active, empty": ((UserMixin,), {"active": flag()}, True, None),
    "no mixin": ((), {"active": flag()}, True, False),
    "copied mixin": ((Constant,), {"active": flag()}, True, False),
    "constant method": ((OldConstant,), {"active": flag()}, True, False),
    "constant attribute": ((Attribute,), {"active": flag()}, True, False),
    "enabled": ((UserMixin,), {"enabled": flag()}, True, False),
    "is_enabled": ((UserMixin,), {"is_enabled": flag()}, True, False),
    "is_active": ((UserMixin,), {"is_active": flag()}, True, False),
    "disabled": ((UserMixin,), {"disabled": flag()}, False, True),
    "disabled, empty": ((UserMixin,), {"disabled": flag()}, None, True),
    "is_banned": ((UserMixin,), {"is_banned": flag()}, False, True),
    "blocked": ((UserMixin,), {"blocked": flag()}, False, True),
    "deactivated": ((UserMixin,), {"deactivated": moment()}, None, MOMENT),
    "deleted_at": ((UserMixin,), {"deleted_at": moment()}, None, MOMENT),
    "another attribute": ((UserMixin,), {"state": flag("active")}, True, False),
}


def story(host: Host, set_status: t.Callable[[bool], None]) -> None:
    """Check that each credential of alice ends and returns with her status."""
    app = host.app
    host.registry.is_admin(lambda user: True)

    @app.post("/enter")
    def enter() -> str:
        login_user(host.load("1"), force=True)
        return ""

    @app.get("/allowed")
    def allowed() -> str:
        info = host.registry.repositories.find(NAME)
        return str(host.registry.is_allowed(current_user, "pull", info))

    alice = RegistryClient.of(app, "alice")
    manifest = alice.push_image(NAME, "v1")
    assert manifest
    token = log_in(alice, SCOPE)
    bearer = RegistryClient(app, f"Bearer {token['token']}")
    upload = bearer.start_upload(NAME)
    command = "oci token create alice --action pull --action manage --repository *"
    done = app.test_cli_runner().invoke(args=command.split())
    assert done.exit_code == 0, done.output
    access = RegistryClient(app, basic("alice", done.stdout.split()[-1]))
    browser = app.test_client()
    browser.post("/enter")

    def outcomes() -> dict[str, int]:
        pull = f"/v2/{NAME}/manifests/v1"
        return {
            "password": alice.get(pull).status_code,
            "pull": bearer.get(pull).status_code,
            "push": bearer.patch(upload, b"").status_code,
            "mount": bearer.post(f"/v2/{NAME}/blobs/uploads/").status_code,
            "login": alice.get("/v2/token").status_code,
            "refresh": refresh(app, token["refresh_token"], SCOPE).status_code,
            "cli token": access.get(pull).status_code,
            "rest": RestClient(access).send("GET", f"/repositories/{NAME}").status_code,
            "page": browser.get(f"/images/{NAME}").status_code,
            "tokens": browser.get("/images/-/tokens").status_code,
            "administration": browser.get("/images/-/administration").status_code,
            "python": 200 if browser.get("/allowed").text == "True" else 403,
        }

    before = outcomes()
    assert all(status < 300 for status in before.values()), before
    set_status(False)
    after = outcomes()
    assert all(status in (401, 403, 404) for status in after.values()), after
    set_status(True)
    assert all(status < 300 for status in outcomes().values())


def with_pages(host: Host) -> Host:
    host.app.register_blueprint(host.registry.web_blueprint, url_prefix="/images")
    return host


def setter(host: Host, name: str, active: t.Any, inactive: t.Any) -> t.Any:
    """Return the function that sets alice's status in the database."""

    def set_status(is_active: bool) -> None:
        with host.app.app_context():
            user = host.db.session.get(host.User, 1)
            assert user is not None
            setattr(user, name, active if is_active else inactive)
            host.db.session.commit()

    return set_status


@pytest.mark.shape("A status in a column such as active or disabled_at")
@pytest.mark.parametrize("kind", COLUMNS)
def test_deactivated_user_is_refused_in_each_interface(
    make_host: MakeHost, kind: str
) -> None:
    """Each credential ends at the next request, without a parameter."""
    mixins, columns, active, inactive = COLUMNS[kind]
    db = database()
    User = model(db, *mixins, **columns)
    ((name, _),) = columns.items()

    def make(username: str, password: str) -> t.Any:
        return User(username=username, password=password, **{name: active})

    if not hasattr(User, "get_id"):
        User.get_id = lambda self: str(self.id)
        User.is_authenticated = True
    host = with_pages(make_host(db, User, users=make))
    story(host, setter(host, name, active, inactive))


def test_all_columns_have_to_agree(make_host: MakeHost) -> None:
    """One column is enough to deactivate a user."""
    db = database()
    User = model(db, UserMixin, active=flag(default=True), banned_at=moment())
    host = with_pages(make_host(db, User))
    story(host, setter(host, "banned_at", None, MOMENT))
    story_status = setter(host, "active", True, False)
    story_status(False)
    assert RegistryClient.of(host.app, "alice").get("/v2/").status_code == 401


@pytest.mark.shape("A status that only a function knows")
@pytest.mark.parametrize("form", ["function", "attribute", "property", "method"])
def test_active_parameter_decides(make_host: MakeHost, form: str) -> None:
    """It precedes is_active, and takes an attribute, a method or a function."""
    db = database()
    forms: dict[str, dict[str, t.Any]] = {
        "function": {},
        "attribute": {},
        "property": {"may_enter": property(lambda self: self.state == "in")},
        "method": {"may_enter": lambda self: self.state == "in"},
    }
    members = forms[form]
    column = flag() if form == "attribute" else sa.Column(sa.String(9))
    values = (True, False) if form == "attribute" else ("in", "out")
    User = model(db, UserMixin, state=column, active=flag(default=False), **members)

    def make(username: str, password: str) -> t.Any:
        return User(username=username, password=password, state=values[0])

    parameter: t.Any = {
        "function": lambda user: user.state == "in",
        "attribute": "state",
    }.get(form, "may_enter")
    host = with_pages(make_host(db, User, users=make, active=parameter))
    story(host, setter(host, "state", *values))


@pytest.mark.parametrize("value", ["inactive", "0", 2, None, object()])
@pytest.mark.parametrize("is_function", [True, False])
def test_active_returning_anything_but_true_refuses(
    make_host: MakeHost, value: t.Any, is_function: bool
) -> None:
    """The text of a status is no answer, although it is true."""
    db = database()
    User = model(db, UserMixin, state=sa.Column(sa.String(9)))
    User.answer = property(lambda self: value)
    active: t.Any = (lambda user: value) if is_function else "answer"
    host = make_host(db, User, active=active)
    assert RegistryClient.of(host.app, "alice").get("/v2/").status_code == 401


def test_own_is_active_precedes_columns(make_host: MakeHost) -> None:
    """The application has defined it, and its columns do not count."""
    db = database()

    class User(StandardUser, db.Model):
        active: Mapped[bool] = mapped_column(default=False)
        state: Mapped[str] = mapped_column(default="in")

        @property
        def is_active(self) -> bool:
            return self.state == "in"

    host = with_pages(make_host(db, User))
    story(host, setter(host, "state", "in", "out"))


async def coroutine_function(user: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("active", "message"),
    [
        ("nothing", "no attribute 'nothing'"),
        (coroutine_function, "coroutine function"),
        (True, "name of an attribute"),
    ],
)
def test_active_parameter_that_is_invalid_is_refused(
    make_host: MakeHost, active: t.Any, message: str
) -> None:
    """The error at the start says what is missing."""
    db = database()
    with pytest.raises(TypeError, match=message):
        make_host(db, model(db, UserMixin), active=active)


def findings(host: Host) -> dict[str, str]:
    """Return the findings about the status: the details by code."""
    done = host.app.test_cli_runner().invoke(args=["oci", "check", "--json"])
    if not isinstance(done.exception, SystemExit | None):
        raise done.exception
    found = json.loads(done.stdout)["findings"]
    return {f["code"]: f["detail"] for f in found if f["code"].startswith("user-")}


@pytest.mark.parametrize(
    ("columns", "active", "expected"),
    [
        ({}, None, {"user-status-unknown": "no is_active of its own, and no column"}),
        ({}, lambda user: True, {}),
        ({"is_active": flag()}, None, {}),
        ({"active": flag()}, None, {"user-status-guessed": "uses active"}),
        ({"active": flag()}, "active", {}),
        (
            {"active": flag(), "banned_at": moment()},
            None,
            {"user-status-guessed": "uses active, banned_at"},
        ),
        (
            {"active": sa.Column(sa.String(9))},
            None,
            {"user-status-unclear": "does not use active"},
        ),
        (
            {"disabled_at": sa.Column(sa.DateTime, nullable=False), "enabled": flag()},
            None,
            {
                "user-status-unclear": "does not use disabled_at",
                "user-status-guessed": "uses enabled",
            },
        ),
    ],
)
def test_check_names_the_status_of_users(
    make_host: MakeHost, columns: dict[str, t.Any], active: t.Any, expected: t.Any
) -> None:
    """It reports a guess, a column that it cannot interpret, and that there is none."""
    db = database()
    User = model(db, UserMixin, **{n: c._copy() for n, c in columns.items()})

    def make(username: str, password: str) -> t.Any:
        given = {"disabled_at": MOMENT} if "disabled_at" in columns else {}
        return User(username=username, password=password, **given)

    host = make_host(db, User, active=active, users=make)
    found = findings(host)
    assert found.keys() == expected.keys()
    for code, detail in expected.items():
        assert detail in found[code]
