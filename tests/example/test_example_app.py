"""The example forge: its pages, its commands and its first start."""

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
    # A real hash is slow on purpose. Most tests only need an account.
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
    """Fill in the form of a page and send it, as a browser does."""
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
def test_sign_in_with_demonstration_account_succeeds(
    visitor: FlaskClient, username: str, password: str
) -> None:
    """The start page then shows the user's name."""
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
def test_sign_in_with_wrong_name_or_password_is_refused(
    visitor: FlaskClient, username: str, password: str
) -> None:
    """A wrong name and a wrong password get the same message."""
    response = sign_in(visitor, username, password)
    assert response.status_code == 422
    assert "Wrong name or password." in response.text
    assert not signed_in(visitor)


def test_password_check_of_unknown_user_computes_a_hash(
    make_app: t.Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of an answer does not reveal whether a name exists."""
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


def test_sign_in_to_disabled_account_is_refused(
    forge_app: Flask, visitor: FlaskClient
) -> None:
    """Only a visitor with the right password learns that the account is disabled."""
    change_user(forge_app, "alice", is_active=False)
    assert "This account is disabled." in sign_in(visitor).text
    assert "Wrong name or password." in sign_in(visitor, password="wrong").text
    assert not signed_in(visitor)


def test_session_of_disabled_account_ends(forge_app: Flask, alice: FlaskClient) -> None:
    """Disabling an account ends its sessions."""
    change_user(forge_app, "alice", is_active=False)
    assert not signed_in(alice)
    assert alice.get("/projects/new").location.startswith("/login")


def test_sign_out_ends_session(alice: FlaskClient) -> None:
    """The visitor is redirected to the start page."""
    page = alice.get("/").text
    token = t.cast("re.Match[str]", re.search(r'value="([^"]+)"', page))[1]
    assert alice.post("/logout", data={"csrf_token": token}).location == "/"
    assert not signed_in(alice)


def test_session_cookie_has_httponly_and_samesite(visitor: FlaskClient) -> None:
    """Scripts cannot read the cookie, and forms of other sites do not send it."""
    cookie = sign_in(visitor).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_sign_in_redirects_to_requested_page(visitor: FlaskClient) -> None:
    """The sign-in page redirects to the page that asked for it."""
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
def test_sign_in_redirect_stays_on_this_site(visitor: FlaskClient, target: str) -> None:
    """A `next` that leads to another site is replaced with the start page."""
    assert sign_in(visitor, url=f"/login?next={target}").location == "/"


# Forms


@pytest.mark.parametrize("url", ["/login", "/logout", "/projects/new"])
def test_form_without_csrf_token_is_refused(alice: FlaskClient, url: str) -> None:
    """A form without the token of a page of the forge changes nothing."""
    fields = {"username": "bob", "password": "builder", "name": "x", "description": ""}
    response = alice.post(url, data=fields)
    assert response.status_code == 400
    assert "The CSRF token is missing." in response.text
    assert ">alice</span>" in alice.get("/").text
    assert alice.get("/projects/alice/x").status_code == 404


@pytest.mark.parametrize("url", ["/login", "/projects/new"])
def test_form_without_fields_gets_400(alice: FlaskClient, url: str) -> None:
    """A form without its fields is an error of the client, not of the server."""
    assert submit(alice, url).status_code == 400


def test_unknown_address_gets_error_page(visitor: FlaskClient) -> None:
    """The page has the forge's layout and a link to the start page."""
    response = visitor.get("/nowhere")
    assert response.status_code == 404
    assert "Back to the start page" in response.text


# Projects


def test_new_project_has_a_page(alice: FlaskClient) -> None:
    """The start page of the owner lists it too."""
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
def test_project_with_invalid_name_is_refused(alice: FlaskClient, name: str) -> None:
    """A name that is invalid in an image name is refused, with the rule."""
    response = submit(alice, "/projects/new", name=name, description="")
    assert response.status_code == 422
    assert "Use up to 64 of a-z and 0-9" in response.text


def test_project_with_taken_name_is_refused(alice: FlaskClient) -> None:
    """Another owner may use the same name."""
    fields = {"name": "hello", "description": "mine"}
    assert submit(alice, "/projects/new", **fields).status_code == 302
    second = submit(alice, "/projects/new", **fields)
    assert second.status_code == 422
    assert "You already have a project with this name." in second.text
    assert 'value="mine"' in second.text
    sign_in(alice, "bob", "builder")
    assert submit(alice, "/projects/new", **fields).status_code == 302


def test_private_project_is_hidden_except_from_administrators(
    forge_app: Flask, alice: FlaskClient
) -> None:
    """The page of a hidden project and of an absent one are alike."""
    submit(alice, "/projects/new", name="secret", description="")
    bob = forge_app.test_client()
    sign_in(bob, "bob", "builder")
    hidden, absent = (bob.get(f"/projects/alice/{x}") for x in ("secret", "nothing"))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.text.count("secret") == absent.text.count("nothing") == 0
    assert "secret" not in bob.get("/").text
    change_user(forge_app, "bob", is_admin=True)
    assert bob.get("/projects/alice/secret").status_code == 200


def test_project_page_without_session_redirects_to_sign_in(
    visitor: FlaskClient,
) -> None:
    """The address of the sign-in page contains the requested page."""
    for url in ("/projects/new", "/projects/alice/hello"):
        assert visitor.get(url).location == "/login?next=" + url.replace("/", "%2F")


def test_start_page_shows_commands_for_the_requested_host(visitor: FlaskClient) -> None:
    """The commands contain the host of the request and the name of the user."""
    site = "http://forge.example:8080"
    page = visitor.get(f"{site}/").text
    assert "docker login forge.example:8080<" in page
    sign_in(visitor, url=f"{site}/login")
    page = visitor.get(f"{site}/").text
    assert "docker login forge.example:8080 <span>-u alice</span>" in page
    assert "docker tag hello-world forge.example:8080/alice/hello" in page
    assert "docker push forge.example:8080/alice/hello" in page


def test_page_loads_no_external_resources(visitor: FlaskClient) -> None:
    """Each linked file is on this site and exists."""
    page = visitor.get("/").text
    links = re.findall(r'<(?:link|img|script)[^>]+(?:href|src)="([^"]+)"', page)
    assert len(links) == 3
    for link in links:
        response = visitor.get(link)
        assert response.status_code == 200
        assert not re.search(r"url\(|@import", response.text)
        response.close()


# The command line


def test_create_user_makes_an_account_that_can_sign_in(
    forge_app: Flask, visitor: FlaskClient
) -> None:
    """The password is stored only as a hash, and the user is no administrator."""
    args = ["create-user", "carol-2.x", "--password", "sesame"]
    result = forge_app.test_cli_runner().invoke(args=args)
    assert (result.exit_code, result.output) == (0, "Created the account carol-2.x.\n")
    assert sign_in(visitor, "carol-2.x", "sesame").status_code == 302
    with forge_app.app_context():
        user = db.session.scalars(db.select(User).filter_by(username="carol-2.x")).one()
        assert not user.is_admin
        assert "sesame" not in user.password_hash


def test_create_user_with_admin_makes_an_administrator(forge_app: Flask) -> None:
    """The new account is the only administrator."""
    args = ["create-user", "root", "--password", "sesame", "--admin"]
    assert forge_app.test_cli_runner().invoke(args=args).exit_code == 0
    with forge_app.app_context():
        query = db.select(User.username).filter_by(is_admin=True)
        assert db.session.scalars(query).all() == ["root"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("alice", "User 'alice' already exists.", id="taken"),
        pytest.param("Alice", "Invalid user name 'Alice'.", id="capital"),
        pytest.param("a/b", "Invalid user name 'a/b'.", id="slash"),
        pytest.param("a..b", "Invalid user name 'a..b'.", id="two dots"),
        pytest.param("", "Invalid user name ''.", id="empty"),
    ],
)
def test_create_user_with_invalid_or_taken_name_is_refused(
    forge_app: Flask, name: str, reason: str
) -> None:
    """The error names the reason, and no account is created."""
    runner = forge_app.test_cli_runner()
    result = runner.invoke(args=["create-user", name, "--password", "x"])
    assert result.exit_code == 1
    assert reason in result.output
    with forge_app.app_context():
        assert db.session.scalar(db.select(db.func.count(User.id))) == 2


# The first start


def start(barrier: t.Any, answers: t.Any) -> None:
    """Start a forge at the same moment as other processes do."""
    barrier.wait()
    app = example_app.create_app()
    with app.app_context():
        names = db.session.scalars(db.select(User.username).order_by(User.id)).all()
        db.session.remove()
        db.engine.dispose()
    answers.put((app.secret_key, names))


def test_first_start_of_simultaneous_processes_happens_once(
    instance: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Processes that start together share one key, one hint and two accounts."""
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


def test_first_start_prints_push_commands_once(
    make_app: t.Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first start prints the commands; the second prints nothing."""
    make_app()
    greeting = capsys.readouterr().out
    for line in (
        "echo wonderland | docker login 127.0.0.1:5000 -u alice --password-stdin",
        "docker tag hello-world 127.0.0.1:5000/alice/hello",
        "docker push 127.0.0.1:5000/alice/hello",
        "http://127.0.0.1:5000 ",
        'lines with "code 400" are harmless',
    ):
        assert line in greeting
    make_app()
    assert capsys.readouterr().out == ""


def test_second_start_keeps_sessions_and_projects(
    make_app: t.Callable[..., Flask],
) -> None:
    """A session and a project survive a restart."""
    first = make_app().test_client()
    sign_in(first)
    submit(first, "/projects/new", name="hello", description="")
    cookie = t.cast("t.Any", first.get_cookie("session"))
    again = make_app().test_client()
    again.set_cookie("session", cookie.value)
    assert again.get("/projects/alice/hello").status_code == 200


def test_secret_key_is_created_once_and_private(
    instance: Path, make_app: t.Callable[..., Flask]
) -> None:
    """The second start uses the same key, which only the account can read."""
    key = make_app().secret_key
    assert isinstance(key, str)
    assert len(key) >= 32
    assert make_app().secret_key == key == (instance / "secret_key").read_text()
    assert stat.S_IMODE((instance / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(instance.stat().st_mode) == 0o700


def test_secret_key_in_environment_is_used(
    instance: Path,
    make_app: t.Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The forge then writes no key file."""
    monkeypatch.setenv("SECRET_KEY", "from outside")
    assert make_app().secret_key == "from outside"
    assert not (instance / "secret_key").exists()


# Configuration


def test_oci_variables_in_environment_become_settings(
    make_app: t.Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments of `create_app` take precedence over the environment."""
    monkeypatch.setenv("OCI_ALLOW_SPARSE", "true")
    monkeypatch.setenv("OCI_STORAGE_PATH", "/srv/blobs")
    monkeypatch.setenv("OCI_SERVICE_NAME", "from the environment")
    config = make_app(OCI_SERVICE_NAME="from the caller").config
    assert config["OCI_ALLOW_SPARSE"] is True
    assert config["OCI_STORAGE_PATH"] == "/srv/blobs"
    assert config["OCI_SERVICE_NAME"] == "from the caller"


def test_relative_instance_folder_starts_at_working_directory(
    tmp_path: Path, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative EXAMPLE_INSTANCE is relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXAMPLE_INSTANCE", "here")
    app = example_app.create_app()
    with app.app_context():
        db.engine.dispose()
    assert app.instance_path == str(tmp_path / "here")


def test_database_url_replaces_default_database(
    tmp_path: Path,
    instance: Path,
    make_app: t.Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The forge then creates no database file in the instance folder."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    make_app()
    assert (tmp_path / "other.db").exists()
    assert not (instance / "forge.db").exists()


def test_sqlite_connection_has_expected_pragmas(forge_app: Flask) -> None:
    """SQLite waits for locks, flushes each commit, and checks foreign keys."""
    wanted = {
        "journal_mode": "wal",
        "busy_timeout": 10000,
        "synchronous": 2,
        "foreign_keys": 1,
    }
    with forge_app.app_context(), db.engine.connect() as connection:
        for pragma, value in wanted.items():
            assert connection.scalar(text(f"PRAGMA {pragma}")) == value


def test_deletion_of_user_deletes_their_projects(
    forge_app: Flask, alice: FlaskClient
) -> None:
    """The foreign key deletes the projects of a deleted user."""
    submit(alice, "/projects/new", name="hello", description="")
    with forge_app.app_context():
        db.session.execute(db.delete(User).filter_by(username="alice"))
        db.session.commit()
        assert db.session.scalar(db.select(db.func.count(Project.id))) == 0


# The registry


def test_registry_root_without_credentials_gets_401(visitor: FlaskClient) -> None:
    """The status makes a client log in."""
    assert visitor.get("/v2/").status_code == 401


def test_health_of_working_forge_is_ok(visitor: FlaskClient, tmp_path: Path) -> None:
    """A monitor needs no account."""
    response = visitor.get("/healthz")
    assert response.status_code == 200
    assert response.get_json()["status"] == "ok"


def test_example_app_has_fewer_than_300_lines() -> None:
    """The example stays short. Blank lines, comments, docstrings and imports do not
    count."""
    folder = Path(example_app.__file__).parent
    assert sum(map(lines_of_code, folder.glob("*.py"))) < 300


def lines_of_code(path: Path) -> int:
    """Count the lines of code."""
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
    """Return True for a statement that is a string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
