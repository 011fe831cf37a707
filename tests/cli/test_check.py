"""``flask oci check`` within an application, with real faults."""

from __future__ import annotations

import builtins
import errno
import fcntl
import gzip
import importlib
import os
import signal
import textwrap
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from flask import abort
from flask import Flask
from flask import redirect
from flask import request
from flask_limiter import Limiter
from flask_login import current_user
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_oci.changes import Change
from flask_oci.cli.check import finding_types
from flask_oci.cli.check import PLACES
from flask_oci.clock import utcnow
from flask_oci.signals import repository_deleted
from tests.support.check_world import check
from tests.support.check_world import SECRET
from tests.support.check_world import small_host
from tests.support.credentials import user_named
from tests.support.doc_blocks import DOCS
from tests.support.host import registry

MakeApp = t.Callable[..., Flask]
Answer = t.Any


@pytest.fixture(name="sound")
def _sound(make_app: MakeApp) -> Flask:
    """An application without faults except those of every test application."""
    return make_app(SECRET_KEY=SECRET, TESTING=False)


def test_check_of_a_sound_application_finds_nothing(sound: Flask) -> None:
    """With and without a user."""
    for arguments in ((), ("--user", "alice")):
        assert not check(sound, *arguments).codes


def test_check_without_user_and_url_reports_skipped_checks(sound: Flask) -> None:
    """Without a user nothing is pushed, and without a URL nothing is sent."""
    assert len(check(sound).skipped) == 2
    (said,) = check(sound, "--user", "alice").skipped
    assert "--url" in said


@pytest.mark.parametrize(
    ("code", "config"),
    [
        ("secret-key-missing", {"SECRET_KEY": None}),
        ("secret-key-known", {"SECRET_KEY": "dev"}),
        ("secret-key-known", {"SECRET_KEY": "Your-Secret-Key"}),
        ("secret-key-known", {"SECRET_KEY": b"short but odd"}),
        ("secret-key-known", {"SECRET_KEY": "x" * 64}),
        ("testing-mode", {"TESTING": True}),
        ("storage-unwritable", {"OCI_STORAGE_PATH": "/proc/oci"}),
    ],
)
def test_check_with_an_unsafe_setting_finds_it(
    make_app: MakeApp, code: str, config: dict[str, t.Any]
) -> None:
    """A setting that is invalid or unsafe."""
    app = make_app(**{"SECRET_KEY": SECRET, "TESTING": False, **config})
    found = check(app)
    assert found.codes == {code}
    assert found.status == 1


def test_check_in_debug_mode_finds_it(
    sound: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option --debug of flask enables debug mode for all of its commands."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert check(sound).codes == {"debug-mode"}


def test_check_without_authenticate_finds_it(
    sound: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host accepts passwords, but has no function to verify them."""
    monkeypatch.setattr(registry._hooks, "authenticate", None)
    assert check(sound).codes == {"authenticate-missing"}


def test_check_without_password_login_needs_no_authenticate(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Access tokens need no such function."""
    monkeypatch.setattr(registry._hooks, "authenticate", None)
    app = make_app(SECRET_KEY=SECRET, TESTING=False, OCI_PASSWORD_LOGIN=False)
    assert not check(app, "--user", "alice").codes


def mine(user: t.Any, action: str, repository: t.Any) -> bool:
    """A policy that does not expect anonymous clients."""
    return bool(repository.name.startswith(user.username + "/"))


@pytest.mark.parametrize(
    ("code", "may"),
    [
        ("authorize-fails", mine),
        ("anonymous-may-push", lambda user, action, repository: True),
        ("anonymous-may-pull", lambda user, action, repository: action == "pull"),
    ],
)
def test_check_with_a_faulty_policy_finds_it(
    make_app: MakeApp, code: str, may: t.Any
) -> None:
    """An authorize function that raises an exception or allows too much."""
    app = make_app(may, SECRET_KEY=SECRET, TESTING=False)
    assert code in check(app).codes


def test_check_calls_the_policy_within_a_request_context(make_app: MakeApp) -> None:
    """Some policies use the current user."""

    def may(user: t.Any, action: str, repository: t.Any) -> bool:
        return bool(user and current_user == user and request.path)

    assert not check(make_app(may, SECRET_KEY=SECRET, TESTING=False)).codes


def wall(app: Flask) -> None:
    """Require a login on a page, even for public images."""

    @app.before_request
    def require_login() -> Answer:
        if not current_user.is_authenticated:
            return redirect("/login")
        return None


def terms(app: Flask) -> None:
    """Require every user to accept terms first."""

    @app.before_request
    def require_consent() -> Answer:
        return redirect("/terms") if current_user.is_authenticated else None


def csrf(app: Flask) -> None:
    """Refuse requests without a CSRF token."""

    @app.before_request
    def check_csrf() -> None:
        if request.method not in ("GET", "HEAD") and "csrf" not in request.args:
            abort(400)


def pages(app: Flask) -> None:
    """Replace errors by pages."""

    @app.after_request
    def decorate(response: Answer) -> Answer:
        if response.status_code == 404:
            return app.response_class("<h1>Oh no</h1>", 404)
        return response


def size_limit(app: Flask) -> None:
    """Refuse large uploads."""

    @app.before_request
    def limit_size() -> None:
        if (request.content_length or 0) > 20 * 1024 * 1024:
            abort(413)


def rates(app: Flask) -> None:
    """Use Flask-Limiter as its quickstart does."""
    Limiter(
        lambda: request.remote_addr or "",
        app=app,
        default_limits=["200 per day", "50 per hour"],
        storage_uri="memory://",
    )


def reads_bodies(app: Flask) -> None:
    """Log every body."""

    @app.before_request
    def log_body() -> None:
        app.logger.debug("%s bytes", len(request.get_data()))


def consumes_bodies(app: Flask) -> None:
    """Read every body in pieces."""

    @app.before_request
    def log_body() -> None:
        app.logger.debug("%s bytes", len(request.stream.read()))


def consumes_json(app: Flask) -> None:
    """Read JSON bodies, and keep nothing for later."""

    @app.before_request
    def log_json() -> None:
        if request.is_json:
            app.logger.debug("%s bytes", len(request.get_data(cache=False)))


def compresses(app: Flask) -> None:
    """Compress layers whether or not the client accepts it."""

    @app.after_request
    def compress(response: Answer) -> Answer:
        if request.method == "GET" and "/blobs/" in request.path:
            response.direct_passthrough = False
            response.data = gzip.compress(response.data)
            response.headers["Content-Encoding"] = "gzip"
        return response


def forces_https(app: Flask) -> None:
    """Redirect like Flask-Talisman."""

    @app.before_request
    def to_https() -> Answer:
        if not request.is_secure:
            return redirect(request.url.replace("http://", "https://", 1))
        return None


def fails(app: Flask) -> None:
    """Add a hook that fails without a user."""

    @app.before_request
    def greet() -> None:
        app.logger.debug("Hello %s", current_user.username)


def challenges(app: Flask) -> None:
    """Require a password for the whole site."""

    @app.after_request
    def challenge(response: Answer) -> Answer:
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="staging"'
        return response


def names_itself(app: Flask) -> None:
    """Remove a header of the registry."""

    @app.after_request
    def strip(response: Answer) -> Answer:
        response.headers.pop("Docker-Content-Digest", None)
        return response


def counts_nothing(app: Flask) -> None:
    """Stream responses."""

    @app.after_request
    def stream(response: Answer) -> Answer:
        if request.method == "HEAD":
            response.headers.pop("Content-Length", None)
        return response


HOOKS: dict[str, t.Callable[[Flask], None]] = {
    "anonymous-blocked": wall,
    "users-blocked": terms,
    "methods-blocked": csrf,
    "errors-replaced": pages,
    "body-limit": size_limit,
    "rate-limited": rates,
    "bodies-in-memory": reads_bodies,
    "content-changed": consumes_bodies,
    "compressed": compresses,
    "https-forced": forces_https,
    "registry-fails": fails,
    "challenge-missing": challenges,
    "headers-stripped": names_itself,
    "length-lost": counts_nothing,
}


@pytest.mark.parametrize("code", HOOKS)
def test_check_with_an_interfering_hook_finds_it(sound: Flask, code: str) -> None:
    """A hook of the application also handles the requests of docker."""
    HOOKS[code](sound)
    found = check(sound, "--user", "alice")
    assert found.codes == {code}
    assert found.findings[code]["url"] == ""


def test_missing_challenge_has_a_remedy_for_the_application(sound: Flask) -> None:
    """A hook or a middleware of the application may be the cause, not only a proxy."""
    challenges(sound)
    remedies = check(sound, "--user", "alice").findings["challenge-missing"]["remedies"]
    assert "before_request" in remedies["python"]
    assert "/v2/" in remedies["python"]


def test_check_with_a_hook_that_consumes_json_finds_it(sound: Flask) -> None:
    """Docker sends manifests as JSON, and layers as bytes. The check leaves nothing."""
    consumes_json(sound)
    found = check(sound, "--user", "alice")
    assert found.codes == {"content-changed"}
    assert "manifest" in found.findings["content-changed"]["detail"]
    assert sound.test_cli_runner().invoke(args=["oci", "repositories"]).stdout == ""


def no_registry(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """Put another application at /v2/."""
    if environ["PATH_INFO"].startswith("/v2/"):
        environ["PATH_INFO"] = "/elsewhere"
    return inner(environ, start)


def no_credentials(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """Drop credentials, as mod_wsgi does by default."""
    environ.pop("HTTP_AUTHORIZATION", None)
    return inner(environ, start)


def no_ranges(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """Drop range requests."""
    environ.pop("HTTP_RANGE", None)
    return inner(environ, start)


def no_tokens(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """Put another application at the token endpoint."""
    if environ["PATH_INFO"] == "/v2/token":
        environ["PATH_INFO"] = "/elsewhere"
    return inner(environ, start)


MIDDLEWARE = {
    "token-endpoint-fails": no_tokens,
    "not-at-root": no_registry,
    "authorization-stripped": no_credentials,
    "ranges-ignored": no_ranges,
}


@pytest.mark.parametrize("code", MIDDLEWARE)
def test_check_with_an_interfering_middleware_finds_it(sound: Flask, code: str) -> None:
    """A middleware changes the requests."""
    inner: t.Any = sound.wsgi_app
    outer: t.Any = partial(MIDDLEWARE[code], inner=inner)
    sound.wsgi_app = outer  # type: ignore[method-assign]
    assert check(sound, "--user", "alice").codes == {code}


@pytest.mark.parametrize("require_login", [False, True])
def test_check_of_a_server_that_removes_credentials_finds_it(
    make_app: MakeApp, serve: t.Callable[[t.Any], int], require_login: bool
) -> None:
    """The remedy names the setting of mod_wsgi, also if the token endpoint answers 401
    to anonymous clients."""
    app = make_app(SECRET_KEY=SECRET, TESTING=False, OCI_REQUIRE_LOGIN=require_login)
    url = f"http://127.0.0.1:{serve(partial(no_credentials, inner=app))}"
    found = check(app, "--user", "alice", "--url", url)
    assert found.codes - {"development-server"} == {"authorization-stripped"}
    remedies = found.findings["authorization-stripped"]["remedies"]
    assert "WSGIPassAuthorization On" in remedies["apache"]


def test_check_with_a_cache_of_private_images_finds_it(sound: Flask) -> None:
    """A response for one user is stored and sent to the next client."""
    kept: dict[str, t.Any] = {}

    @sound.before_request
    def look() -> Answer:
        return kept.get(request.path)

    @sound.after_request
    def keep(response: Answer) -> Answer:
        if request.method == "GET" and response.status_code == 200:
            response.direct_passthrough = False
            body = sound.response_class(
                response.get_data(), 200, dict(response.headers)
            )
            if "/blobs/" in request.path:
                kept[request.path] = body
        return response

    assert "private-cached" in check(sound, "--user", "alice").codes


@pytest.mark.parametrize("code", ["external-url-differs", "realm-wrong"])
def test_check_with_an_outdated_external_url_finds_it(
    make_app: MakeApp, code: str
) -> None:
    """The forge has moved to another address."""
    app = make_app(
        SECRET_KEY=SECRET, TESTING=False, OCI_EXTERNAL_URL="https://old.example.org"
    )
    found = check(app, "--url", "http://127.0.0.1:1")
    assert {code, "unreachable"} <= found.codes
    assert found.findings["unreachable"]["url"] == "http://127.0.0.1:1"


def test_check_without_proxy_fix_finds_hidden_client_addresses(sound: Flask) -> None:
    """Without ProxyFix, all failed logins count for the proxy's address."""
    url = ("--url", "https://127.0.0.1:1")
    assert "client-address-hidden" in check(sound, *url).codes
    fixed: t.Any = ProxyFix(sound.wsgi_app, x_for=1)
    sound.wsgi_app = fixed  # type: ignore[method-assign]
    assert "client-address-hidden" not in check(sound, *url).codes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_check_interrupted_during_cleanup_deletes_everything(
    sound: Flask, number: signal.Signals
) -> None:
    """The cleanup ignores the signal."""

    def end(app: Flask, change: Change) -> None:
        os.kill(os.getpid(), number)

    with repository_deleted.connected_to(end, sound):
        assert not check(sound, "--user", "alice").codes


def test_check_without_permission_to_push_skips_pushing(sound: Flask) -> None:
    """The missing permission is no fault, and is reported as skipped."""
    found = check(sound, "--user", "alice", "--repository", "bob")
    assert not found.codes
    assert any("may not push" in said for said in found.skipped)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--user", "mallory"),
        ("--user", "carol"),
        ("--url", "forge.example.org"),
        ("--url", "https://forge.example.org/forge"),
        ("--repository", "NO"),
    ],
)
def test_check_with_invalid_options_fails(
    sound: Flask, arguments: tuple[str, ...]
) -> None:
    """The command prints the reason and checks nothing."""
    done = sound.test_cli_runner().invoke(args=["oci", "check", *arguments])
    assert done.exit_code in (1, 2)
    assert "Error" in done.output


def test_check_prints_readable_findings(make_app: MakeApp) -> None:
    """Each finding has the problem, its effect and the remedy."""
    app = make_app(SECRET_KEY="dev", TESTING=False)
    done = app.test_cli_runner().invoke(args=["oci", "check"])
    assert done.exit_code == 1
    for words in ("ERRORS", "secret-key-known", "sign a token", "secrets.token_hex()"):
        assert words in done.output


def test_check_with_a_world_readable_storage_folder_finds_it(
    sound: Flask, tmp_path: Path
) -> None:
    """Other users of the machine can list it."""
    folder = tmp_path / "oci"
    folder.mkdir()
    folder.chmod(0o755)
    assert check(sound).codes == {"storage-permissions"}


def test_check_with_storage_in_the_static_folder_finds_it(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """Flask serves the files in it."""
    app = make_app(
        SECRET_KEY=SECRET, TESTING=False, OCI_STORAGE_PATH=f"{tmp_path}/static/images"
    )
    app.static_folder = f"{tmp_path}/static"
    assert check(app).codes == {"storage-public"}


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no /dev/shm")
def test_check_with_storage_in_memory_finds_it(make_app: MakeApp) -> None:
    """It does not survive a restart."""
    app = make_app(SECRET_KEY=SECRET, TESTING=False, OCI_STORAGE_PATH="/dev/shm/no-oci")
    assert "storage-ephemeral" in check(app).codes
    assert not Path("/dev/shm/no-oci").exists()


@pytest.mark.parametrize(("seconds", "side"), [(-120, "ahead"), (120, "behind")])
def test_check_with_a_differing_disk_clock_finds_it(
    sound: Flask, seconds: int, side: str
) -> None:
    """The disk and the process disagree about the time."""
    with time_machine.travel(utcnow() + timedelta(seconds=seconds)):
        found = check(sound)
    assert found.codes == {"storage-clock"}
    said = found.findings["storage-clock"]["detail"]
    assert said.endswith(f" s {side}.")


@pytest.mark.skipif(
    not Path("/proc/self/mounts").exists(), reason="Linux tells of mounts there"
)
@pytest.mark.parametrize("kind", ["fuse.sshfs", "cifs", "9p", "vfat"])
def test_check_with_an_unreliable_file_system_finds_it(
    sound: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Only the file system of the storage folder counts, not other mounted ones."""
    mounts = tmp_path / "mounts"
    opened = builtins.open

    def told(file: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return opened(mounts if file == "/proc/self/mounts" else file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", told)
    mounts.write_text(f"root / ext4 rw 0 0\nother {tmp_path}/other {kind} rw 0 0\n")
    assert not check(sound).codes
    mounts.write_text(f"root / ext4 rw 0 0\nother {tmp_path} {kind} rw 0 0\n")
    found = check(sound)
    assert found.codes == {"storage-unreliable"}
    assert kind in found.findings["storage-unreliable"]["detail"]


@pytest.mark.parametrize("refused", [None, errno.ENOLCK, errno.ENOSYS])
def test_check_with_a_disk_without_locks_finds_it(
    sound: Flask, monkeypatch: pytest.MonkeyPatch, refused: int | None
) -> None:
    """A lock that every caller gets, or no caller gets, excludes no other."""

    def flock(_fd: int, _operation: int) -> None:
        if refused is not None:
            raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert check(sound).codes == {"storage-without-locks"}


def test_check_of_a_small_host_finds_only_sqlite_settings(tmp_path: Path) -> None:
    """The host has not changed SQLite's defaults."""
    app = small_host(tmp_path)
    with app.app_context():
        app.extensions["sqlalchemy"].create_all()
    assert set(check(app).findings) == {"sqlite-not-wal", "sqlite-foreign-keys"}


def test_check_with_one_connection_finds_nothing_more(tmp_path: Path) -> None:
    """The check never needs a second connection while it holds one."""
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
    app = small_host(tmp_path, SQLALCHEMY_ENGINE_OPTIONS=options)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.create_all()
        db.session.add(app.extensions["users"](username="alice"))
        db.session.commit()
    for arguments in ((), ("--user", "alice")):
        found = check(app, *arguments).findings
        assert set(found) == {"sqlite-not-wal", "sqlite-foreign-keys"}


def test_check_with_the_suggested_sqlite_settings_finds_nothing(tmp_path: Path) -> None:
    """The lines of the remedy fix the findings."""
    app = small_host(tmp_path)
    execute_on_connect(
        app,
        "journal_mode = WAL",
        "synchronous = FULL",
        "busy_timeout = 10000",
        "foreign_keys = ON",
    )
    assert not check(app).findings


@pytest.mark.parametrize(
    ("code", "pragma"),
    [
        ("sqlite-busy-timeout", "busy_timeout = 0"),
        ("database-not-durable", "synchronous = NORMAL"),
        ("sqlite-foreign-keys", "foreign_keys = OFF"),
    ],
)
def test_check_with_unsafe_sqlite_settings_finds_them(
    tmp_path: Path, code: str, pragma: str
) -> None:
    """Settings that trade durability for speed."""
    app = small_host(tmp_path)
    execute_on_connect(app, "journal_mode = WAL", "foreign_keys = ON", pragma)
    found = check(app).findings
    assert set(found) == {code}
    remedies = found[code]["remedies"]
    assert "PRAGMA" in "".join(remedies.values())
    assert not {"postgresql", "mariadb"} & {*remedies}


def execute_on_connect(app: Flask, *pragmas: str) -> None:
    """Execute SQL on each new connection, and create the tables."""

    def tune(connection: t.Any, record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    db = app.extensions["sqlalchemy"]
    with app.app_context():
        sa.event.listen(db.engine, "connect", tune)
        db.create_all()


def test_check_with_missing_tables_finds_them(tmp_path: Path) -> None:
    """All tables, a new one, or a column."""
    app = small_host(tmp_path)
    assert "oci_repository" in missing(app)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.create_all()
        db.session.execute(sa.text("DROP TABLE oci_tag_move"))
        db.session.execute(sa.text("ALTER TABLE oci_blob DROP COLUMN created_at"))
        db.session.commit()
    said = missing(app)
    remedies = check(app).findings["tables-missing"]["remedies"]
    assert "flask oci tables --create" in remedies["command"]
    assert "create_all" not in "".join(remedies.values())
    assert "oci_tag_move" in said
    assert "oci_blob.created_at" in said
    assert "oci_repository" not in said


def missing(app: Flask) -> str:
    """Return the detail of the finding about missing tables, which skips other
    checks."""
    found = check(app)
    assert found.status == 1
    assert "All other checks" in found.skipped[0]
    return str(found.findings["tables-missing"]["detail"])


def test_check_with_a_database_in_memory_finds_it(tmp_path: Path) -> None:
    """Each process has its own."""
    app = small_host(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite:///:memory:")
    assert "sqlite-in-memory" in check(app).findings


def test_check_with_an_unreachable_database_skips_the_rest(tmp_path: Path) -> None:
    """No other check is possible."""
    app = small_host(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite:////proc/no/forge.db")
    found = check(app)
    assert set(found.findings) == {"database-unreachable"}
    assert found.skipped


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"subdomain_matching": True}, {"subdomain": "images"}),
        ({"host_matching": True, "static_host": "x"}, {"host": "images.example.org"}),
    ],
)
def test_check_of_a_registry_with_its_own_host_finds_it(
    tmp_path: Path, options: dict[str, t.Any], place: dict[str, str]
) -> None:
    """Without --url, the requests are for that host."""
    app = Flask("small", instance_path=str(tmp_path), **options)
    small_host(tmp_path, app=app, place=place, SERVER_NAME="example.org")
    execute_on_connect(app, "journal_mode = WAL", "foreign_keys = ON")
    assert not check(app).findings


def test_check_with_duplicate_usernames_finds_them(tmp_path: Path) -> None:
    """A user could take over the images of another one."""
    app = small_host(tmp_path, unique=False)
    execute_on_connect(app, "journal_mode = WAL", "foreign_keys = ON")
    assert set(check(app).findings) == {"usernames-not-unique"}


def test_check_with_invalid_usernames_notes_them(tmp_path: Path) -> None:
    """E-mail addresses and capital letters are only a note."""
    app = small_host(tmp_path)
    execute_on_connect(app, "journal_mode = WAL", "foreign_keys = ON")
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        for name in ("alice", "Bob", "carol@example.org"):
            db.session.add(app.extensions["users"](username=name))
        db.session.commit()
    found = check(app)
    assert set(found.findings) == {"usernames-invalid"}
    assert "2 users" in found.findings["usernames-invalid"]["detail"]
    assert found.status == 0
    app.extensions["registry"].authorize(lambda user, action, repository: True)
    assert "usernames-invalid" not in check(app).findings


def test_every_finding_type_has_a_title_a_reason_and_a_remedy() -> None:
    """Codes are unique, and the remedies have known places."""
    types = finding_types()
    assert len({found.code for found in types}) == len(types) > 50
    for found in types:
        assert found.title.endswith(".")
        assert len(found.why) > 40
        assert found.remedies.keys() <= PLACES.keys()
        assert found.remedies


def test_every_finding_type_has_a_section_in_the_documentation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The section has the lines to write in each place."""
    monkeypatch.syspath_prepend(str(DOCS))
    text = importlib.import_module("findings").findings()
    assert ".. findings\n" in (DOCS / "check.rst").read_text("utf-8")
    for found in finding_types():
        section = text.partition(f"\n{found.code}\n~~~")[2].partition("\n.. _check-")[0]
        for lines in found.remedies.values():
            assert textwrap.indent(lines, "    ") in section


def test_check_with_a_full_quota_finds_a_refused_push(sound: Flask) -> None:
    """It does not blame the proxy."""
    with sound.app_context():
        registry.quotas.set(owner=user_named("alice"), bytes=1000)
    found = check(sound, "--user", "alice")
    assert found.codes == {"push-refused"}
    assert "alice uses 0 B of 1.0 kB" in found.findings["push-refused"]["detail"]


def test_check_with_a_blob_size_limit_pushes_smaller_layers(
    make_app: MakeApp, serve: t.Callable[[Flask], int]
) -> None:
    """It pushes no more than OCI_MAX_BLOB_SIZE, and reports that."""
    app = make_app(SECRET_KEY=SECRET, TESTING=False, OCI_MAX_BLOB_SIZE=100_000)
    url = f"http://127.0.0.1:{serve(app)}"
    found = check(app, "--user", "alice", "--url", url)
    assert found.codes == {"development-server"}
    assert ["OCI_MAX_BLOB_SIZE" in said for said in found.skipped] == [True]


def test_check_of_an_address_reports_only_its_own_findings(
    sound: Flask, serve: t.Callable[[Flask], int]
) -> None:
    """The check deletes what it has pushed there."""

    @sound.after_request
    def be_late(response: Answer) -> Answer:
        response.date = datetime.now(timezone.utc) - timedelta(hours=1)
        return response

    url = f"http://127.0.0.1:{serve(sound)}"
    found = check(sound, "--user", "alice", "--url", url)
    assert found.codes == {"development-server", "clocks-differ"}
    assert {found.findings[code]["url"] for code in found.codes} == {url}
    assert not found.skipped
