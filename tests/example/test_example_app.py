"""The example forge, as a person at a browser and at a terminal meets it."""

from __future__ import annotations

import ast
import functools
import importlib
import io
import multiprocessing
import re
import stat
import tokenize
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.security import check_password_hash
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

import example_app
from example_app.models import db
from example_app.models import Project
from example_app.models import User
from example_app.registry import check_password


@pytest.fixture(name="instance")
def _instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATABASE_URL", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EXAMPLE_INSTANCE", str(tmp_path / "instance"))
    return tmp_path / "instance"


@pytest.fixture(name="make_app")
def _make_app(instance: Path) -> t.Iterator[t.Callable[..., Flask]]:
    apps = []

    def make_app(**config: object) -> Flask:
        apps.append(example_app.create_app({"TESTING": True, **config}))
        return apps[-1]

    yield make_app
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(name="forge_app")
def _forge_app(
    make_app: t.Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> Flask:
    # A real hash takes long on purpose. Most tests only need an account.
    quick = functools.partial(generate_password_hash, method="pbkdf2:sha256:1")
    monkeypatch.setattr("example_app.first_start.generate_password_hash", quick)
    return make_app()


@pytest.fixture(name="visitor")
def _visitor(forge_app: Flask) -> FlaskClient:
    return forge_app.test_client()


@pytest.fixture(name="alice")
def _alice(visitor: FlaskClient) -> FlaskClient:
    assert sign_in(visitor).status_code == 302
    return visitor


def submit(client: FlaskClient, url: str, **fields: str) -> TestResponse:
    """Fill in the form of a page and send it, as a browser would."""
    page = client.get(url).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    return client.post(
        url, data={**fields, **({"csrf_token": token[1]} if token else {})}
    )


def sign_in(
    client: FlaskClient,
    username: str = "alice",
    password: str = "wonderland",
    url: str = "/login",
) -> TestResponse:
    return submit(client, url, username=username, password=password)


def signed_in(client: FlaskClient) -> bool:
    return "Sign out" in client.get("/").text


def change_user(app: Flask, username: str, **values: object) -> None:
    with app.app_context():
        user = db.session.scalars(db.select(User).filter_by(username=username)).one()
        for name, value in values.items():
            setattr(user, name, value)
        db.session.commit()


# Signing in


@pytest.mark.parametrize(
    ("username", "password"), [("alice", "wonderland"), ("bob", "builder")]
)
def test_demonstration_accounts(
    visitor: FlaskClient, username: str, password: str
) -> None:
    """Both demonstration accounts can sign in."""
    response = sign_in(visitor, username, password)
    assert (response.status_code, response.location) == (302, "/")
    assert f">{username}</span>" in visitor.get("/").text


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("alice", "Wonderland", id="wrong password"),
        pytest.param("alice", "", id="no password"),
        pytest.param("mallory", "wonderland", id="unknown user"),
        pytest.param("mallory", "", id="password of the dummy hash"),
        pytest.param("ali\0ce", "wonderland", id="no possible name"),
        pytest.param("a" * 9000, "x" * 9000, id="very long"),
    ],
)
def test_wrong_password(visitor: FlaskClient, username: str, password: str) -> None:
    """A wrong name and a wrong password get the same answer, and no session."""
    response = sign_in(visitor, username, password)
    assert response.status_code == 422
    assert "Wrong name or password." in response.text
    assert not signed_in(visitor)


def test_unknown_user_costs_a_hash(
    make_app: t.Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown name is hashed as a known one is, so the time tells nothing."""
    hashes = []

    def spy(pwhash: str, password: str) -> bool:
        hashes.append(pwhash)
        return check_password_hash(pwhash, password)

    # The package's attribute `registry` is the Registry in it, not the module.
    module = importlib.import_module("example_app.registry")
    monkeypatch.setattr(module, "check_password_hash", spy)
    with make_app().app_context():
        for name in ("alice", "mallory", "No Name"):
            assert check_password(name, "wrong") is None
    costs = [pwhash.split("$")[0] for pwhash in hashes]
    assert costs == [costs[0]] * 3


def test_inactive_user(forge_app: Flask, visitor: FlaskClient) -> None:
    """An account that is switched off cannot sign in."""
    change_user(forge_app, "alice", is_active=False)
    assert "This account is switched off." in sign_in(visitor).text
    assert "Wrong name or password." in sign_in(visitor, password="wrong").text
    assert not signed_in(visitor)


def test_inactive_session(forge_app: Flask, alice: FlaskClient) -> None:
    """Switching an account off ends the sessions it has."""
    change_user(forge_app, "alice", is_active=False)
    assert not signed_in(alice)
    assert alice.get("/projects/new").location.startswith("/login")


def test_sign_out(alice: FlaskClient) -> None:
    """Signing out ends the session."""
    page = alice.get("/").text
    token = t.cast("re.Match[str]", re.search(r'value="([^"]+)"', page))[1]
    assert alice.post("/logout", data={"csrf_token": token}).location == "/"
    assert not signed_in(alice)


def test_session_cookie(visitor: FlaskClient) -> None:
    """The session cookie stays away from scripts and from other sites' forms."""
    cookie = sign_in(visitor).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_return_to_page(visitor: FlaskClient) -> None:
    """After signing in, visitors arrive where they were going."""
    login = visitor.get("/projects/new").location
    assert sign_in(visitor, url=login).location == "/projects/new"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        r"/\evil.example/",
        r"\\evil.example/",
        "/%09/evil.example/",
        "/%0d%0a/evil.example/",
        "/%5cevil.example/",
        "%20//evil.example/",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
def test_open_redirect(visitor: FlaskClient, target: str) -> None:
    """Signing in never sends anybody to another site."""
    assert sign_in(visitor, url=f"/login?next={target}").location == "/"


# Forms


@pytest.mark.parametrize("url", ["/login", "/logout", "/projects/new"])
def test_csrf(alice: FlaskClient, url: str) -> None:
    """A form that does not come from the forge's own page is refused."""
    fields = {"username": "bob", "password": "builder", "name": "x", "description": ""}
    response = alice.post(url, data=fields)
    assert response.status_code == 400
    assert "The CSRF token is missing." in response.text
    assert ">alice</span>" in alice.get("/").text
    assert alice.get("/projects/alice/x").status_code == 404


@pytest.mark.parametrize("url", ["/login", "/projects/new"])
def test_missing_fields(alice: FlaskClient, url: str) -> None:
    """A form without its fields is the sender's mistake, not ours."""
    assert submit(alice, url).status_code == 400


def test_error_page(visitor: FlaskClient) -> None:
    """A wrong address gets a page of the forge, with a way back."""
    response = visitor.get("/nowhere")
    assert response.status_code == 404
    assert "Back to the first page" in response.text


# Projects


def test_create_project(alice: FlaskClient) -> None:
    """A new project has a page and stands on its owner's first page."""
    response = submit(alice, "/projects/new", name="web.app", description="<b>Hi</b>")
    assert response.location == "/projects/alice/web.app"
    page = alice.get(response.location).text
    assert "docker push localhost/alice/web.app" in page
    assert "&lt;b&gt;Hi" in page
    assert 'href="/projects/alice/web.app"' in alice.get("/").text


@pytest.mark.parametrize(
    "name",
    ["", "Hello", "a b", "-a", "a-", "a--b", "../x", "a/b", "é", "a\n", "a" * 65],
)
def test_invalid_project_name(alice: FlaskClient, name: str) -> None:
    """A name that no image could have is refused, with the rule."""
    response = submit(alice, "/projects/new", name=name, description="")
    assert response.status_code == 422
    assert "Use up to 64 of a-z and 0-9" in response.text


def test_taken_project_name(alice: FlaskClient) -> None:
    """An owner has one project of a name; another owner may have one too."""
    fields = {"name": "hello", "description": "mine"}
    assert submit(alice, "/projects/new", **fields).status_code == 302
    second = submit(alice, "/projects/new", **fields)
    assert second.status_code == 422
    assert "You have a project of this name already." in second.text
    assert 'value="mine"' in second.text
    sign_in(alice, "bob", "builder")
    assert submit(alice, "/projects/new", **fields).status_code == 302


def test_other_peoples_projects(forge_app: Flask, alice: FlaskClient) -> None:
    """Others cannot tell a project from none; administrators see it."""
    submit(alice, "/projects/new", name="secret", description="")
    bob = forge_app.test_client()
    sign_in(bob, "bob", "builder")
    hidden, absent = (bob.get(f"/projects/alice/{x}") for x in ("secret", "nothing"))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.text.count("secret") == absent.text.count("nothing") == 0
    assert "secret" not in bob.get("/").text
    change_user(forge_app, "bob", is_admin=True)
    assert bob.get("/projects/alice/secret").status_code == 200


def test_projects_need_a_session(visitor: FlaskClient) -> None:
    """Visitors without a session are asked to sign in."""
    for url in ("/projects/new", "/projects/alice/hello"):
        assert visitor.get(url).location == "/login?next=" + url.replace("/", "%2F")


def test_first_page(visitor: FlaskClient) -> None:
    """The first page says what to type, with the host one sees it under."""
    site = "http://forge.example:8080"
    page = visitor.get(f"{site}/").text
    assert "docker login forge.example:8080<" in page
    sign_in(visitor, url=f"{site}/login")
    page = visitor.get(f"{site}/").text
    assert "docker login forge.example:8080 <span>-u alice</span>" in page
    assert "docker tag hello-world forge.example:8080/alice/hello" in page
    assert "docker push forge.example:8080/alice/hello" in page


def test_no_external_resources(visitor: FlaskClient) -> None:
    """The pages load nothing from elsewhere, and what they load is there."""
    page = visitor.get("/").text
    links = re.findall(r'<(?:link|img|script)[^>]+(?:href|src)="([^"]+)"', page)
    assert len(links) == 3
    for link in links:
        response = visitor.get(link)
        assert response.status_code == 200
        assert not re.search(r"url\(|@import", response.text)
        response.close()


# The command line


def test_create_user(forge_app: Flask, visitor: FlaskClient) -> None:
    """`flask create-user` makes an account that can sign in."""
    args = ["create-user", "carol-2.x", "--password", "sesame"]
    result = forge_app.test_cli_runner().invoke(args=args)
    assert (result.exit_code, result.output) == (0, "Made the account carol-2.x.\n")
    assert sign_in(visitor, "carol-2.x", "sesame").status_code == 302
    with forge_app.app_context():
        user = db.session.scalars(db.select(User).filter_by(username="carol-2.x")).one()
        assert not user.is_admin
        assert "sesame" not in user.password_hash


def test_create_admin(forge_app: Flask) -> None:
    """`--admin` makes an administrator."""
    args = ["create-user", "root", "--password", "sesame", "--admin"]
    assert forge_app.test_cli_runner().invoke(args=args).exit_code == 0
    with forge_app.app_context():
        query = db.select(User.username).filter_by(is_admin=True)
        assert db.session.scalars(query).all() == ["root"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("alice", "There is a user 'alice' already.", id="taken"),
        pytest.param("Alice", "'Alice' cannot name a user.", id="capital"),
        pytest.param("a/b", "'a/b' cannot name a user.", id="slash"),
        pytest.param("a..b", "'a..b' cannot name a user.", id="two dots"),
        pytest.param("", "'' cannot name a user.", id="empty"),
    ],
)
def test_create_user_refuses(forge_app: Flask, name: str, reason: str) -> None:
    """`flask create-user` says what is wrong with a name, and makes nothing."""
    runner = forge_app.test_cli_runner()
    result = runner.invoke(args=["create-user", name, "--password", "x"])
    assert result.exit_code == 1
    assert reason in result.output
    with forge_app.app_context():
        assert db.session.scalar(db.select(db.func.count(User.id))) == 2


# The first start


def start(barrier: t.Any, answers: t.Any) -> None:
    """Start a forge at the same moment as others do, in a process of its own."""
    barrier.wait()
    app = example_app.create_app()
    with app.app_context():
        names = db.session.scalars(db.select(User.username).order_by(User.id)).all()
        db.session.remove()
        db.engine.dispose()
    answers.put((app.secret_key, names))


def test_simultaneous_first_start(
    instance: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Processes that start together share one key, one greeting, two accounts."""
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(4), spawn.Queue()
    workers = [spawn.Process(target=start, args=(barrier, answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
        worker.close()
    answers.close()
    answers.join_thread()
    assert found == [found[0]] * 4
    assert found[0][1] == ["alice", "bob"]
    assert capfd.readouterr().out.count("docker login") == 1
    assert {path.name for path in instance.iterdir()} >= {"forge.db", "secret_key"}
    assert not list(instance.glob("tmp*"))


def test_greeting(
    make_app: t.Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first start says exactly what to type; the second says nothing."""
    make_app()
    greeting = capsys.readouterr().out
    for line in (
        "docker login 127.0.0.1:5000 -u alice -p wonderland",
        "docker tag hello-world 127.0.0.1:5000/alice/hello",
        "docker push 127.0.0.1:5000/alice/hello",
        "http://127.0.0.1:5000 ",
    ):
        assert line in greeting
    make_app()
    assert capsys.readouterr().out == ""


def test_second_start_keeps_everything(make_app: t.Callable[..., Flask]) -> None:
    """A session and a project outlive a restart."""
    first = make_app().test_client()
    sign_in(first)
    submit(first, "/projects/new", name="hello", description="")
    cookie = t.cast("t.Any", first.get_cookie("session"))
    again = make_app().test_client()
    again.set_cookie("session", cookie.value)
    assert again.get("/projects/alice/hello").status_code == 200


def test_secret_key(instance: Path, make_app: t.Callable[..., Flask]) -> None:
    """The key is random, long, only its owner's to read, and made once."""
    key = make_app().secret_key
    assert isinstance(key, str)
    assert len(key) >= 32
    assert make_app().secret_key == key == (instance / "secret_key").read_text()
    assert stat.S_IMODE((instance / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(instance.stat().st_mode) == 0o700


def test_secret_key_from_environment(
    instance: Path,
    make_app: t.Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key in the environment is used, and none is written."""
    monkeypatch.setenv("SECRET_KEY", "from outside")
    assert make_app().secret_key == "from outside"
    assert not (instance / "secret_key").exists()


# Configuration


def test_environment(
    make_app: t.Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OCI_ variables keep their names, are read as JSON, and yield to arguments."""
    monkeypatch.setenv("OCI_ALLOW_SPARSE", "true")
    monkeypatch.setenv("OCI_STORAGE_PATH", "/srv/blobs")
    monkeypatch.setenv("OCI_SERVICE_NAME", "from the environment")
    config = make_app(OCI_SERVICE_NAME="from the caller").config
    assert config["OCI_ALLOW_SPARSE"] is True
    assert config["OCI_STORAGE_PATH"] == "/srv/blobs"
    assert config["OCI_SERVICE_NAME"] == "from the caller"


def test_default_instance(
    tmp_path: Path, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative EXAMPLE_INSTANCE is taken from where the forge was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXAMPLE_INSTANCE", "here")
    app = example_app.create_app()
    with app.app_context():
        db.engine.dispose()
    assert app.instance_path == str(tmp_path / "here")


def test_database_url(
    tmp_path: Path,
    instance: Path,
    make_app: t.Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DATABASE_URL takes the place of the file in the instance folder."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    make_app()
    assert (tmp_path / "other.db").exists()
    assert not (instance / "forge.db").exists()


def test_sqlite_pragmas(forge_app: Flask) -> None:
    """SQLite waits, keeps what it acknowledged, and checks foreign keys."""
    wanted = {
        "journal_mode": "wal",
        "busy_timeout": 10000,
        "synchronous": 2,
        "foreign_keys": 1,
    }
    with forge_app.app_context(), db.engine.connect() as connection:
        for pragma, value in wanted.items():
            assert connection.scalar(text(f"PRAGMA {pragma}")) == value


def test_user_goes_with_projects(forge_app: Flask, alice: FlaskClient) -> None:
    """The database removes the projects of a user who is removed."""
    submit(alice, "/projects/new", name="hello", description="")
    with forge_app.app_context():
        db.session.execute(db.delete(User).filter_by(username="alice"))
        db.session.commit()
        assert db.session.scalar(db.select(db.func.count(Project.id))) == 0


# The registry


def test_registry_is_there(visitor: FlaskClient) -> None:
    """The registry answers below /v2 and asks docker to sign in."""
    assert visitor.get("/v2/").status_code == 401


def test_health(visitor: FlaskClient, tmp_path: Path) -> None:
    """A monitor is told whether the forge can do its work, and need not sign in."""
    response = visitor.get("/healthz")
    assert response.status_code == 200
    assert response.get_json()["status"] == "ok"


def test_size() -> None:
    """The whole example stays a page or five: 300 lines, not counting blank lines,
    comments, docstrings, and imports, which are one a line here."""
    folder = Path(example_app.__file__).parent
    assert sum(map(lines_of_code, folder.glob("*.py"))) < 300


def lines_of_code(path: Path) -> int:
    """Count the lines that a reader has to understand."""
    text = path.read_text()
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.string.strip() and token.type != tokenize.COMMENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom) or is_docstring(node):
            lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)


def is_docstring(node: ast.AST) -> t.TypeGuard[ast.Expr]:
    """Tell whether this is a text that stands for itself."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
