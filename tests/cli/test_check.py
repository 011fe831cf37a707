"""``flask oci check`` inside of an application: each thing is really broken."""

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
    """An application with nothing wrong but the usual."""
    return make_app(SECRET_KEY=SECRET, TESTING=False)


def test_nothing_is_wrong_with_what_is_right(sound: Flask) -> None:
    """There are no findings where none should be, with a user and without."""
    for arguments in ((), ("--user", "alice")):
        assert not check(sound, *arguments).codes


def test_what_was_not_looked_at_is_said(sound: Flask) -> None:
    """Without a user nothing is pushed, and without an address nothing is sent."""
    assert len(check(sound).passed_over) == 2
    (said,) = check(sound, "--user", "alice").passed_over
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
def test_a_setting(make_app: MakeApp, code: str, config: dict[str, t.Any]) -> None:
    """A setting that cannot be, or should not."""
    app = make_app(**{"SECRET_KEY": SECRET, "TESTING": False, **config})
    found = check(app)
    assert found.codes == {code}
    assert found.status == 1


def test_debug_mode(sound: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which flask's own command turns on for all of its commands."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert check(sound).codes == {"debug-mode"}


def test_nothing_checks_passwords(
    sound: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host has not said how, and takes passwords."""
    monkeypatch.setattr(registry._hooks, "authenticate", None)
    assert check(sound).codes == {"authenticate-missing"}


def test_only_tokens_are_taken(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then there is no need to."""
    monkeypatch.setattr(registry._hooks, "authenticate", None)
    app = make_app(SECRET_KEY=SECRET, TESTING=False, OCI_PASSWORD_LOGIN=False)
    assert not check(app, "--user", "alice").codes


def mine(user: t.Any, action: str, repository: t.Any) -> bool:
    """What one writes who thinks of users only."""
    return bool(repository.name.startswith(user.username + "/"))


@pytest.mark.parametrize(
    ("code", "may"),
    [
        ("authorize-fails", mine),
        ("strangers-may-push", lambda user, action, repository: True),
        ("strangers-may-pull", lambda user, action, repository: action == "pull"),
    ],
)
def test_a_policy(make_app: MakeApp, code: str, may: t.Any) -> None:
    """A function for authorize that fails, or gives too much."""
    app = make_app(may, SECRET_KEY=SECRET, TESTING=False)
    assert code in check(app).codes


def test_a_policy_that_looks_at_the_request(make_app: MakeApp) -> None:
    """It is asked as in a request, for some look at its visitor."""

    def may(user: t.Any, action: str, repository: t.Any) -> bool:
        return bool(user and current_user == user and request.path)

    assert not check(make_app(may, SECRET_KEY=SECRET, TESTING=False)).codes


def wall(app: Flask) -> None:
    """Everybody has to sign in, on a page, also who pulls what is public."""

    @app.before_request
    def require_login() -> Answer:
        if not current_user.is_authenticated:
            return redirect("/login")
        return None


def terms(app: Flask) -> None:
    """Everybody has to agree to something first."""

    @app.before_request
    def require_consent() -> Answer:
        return redirect("/terms") if current_user.is_authenticated else None


def csrf(app: Flask) -> None:
    """A form without a token is refused, by the host's own hand."""

    @app.before_request
    def check_csrf() -> None:
        if request.method not in ("GET", "HEAD") and "csrf" not in request.args:
            abort(400)


def pages(app: Flask) -> None:
    """Errors are pages."""

    @app.after_request
    def decorate(response: Answer) -> Answer:
        if response.status_code == 404:
            return app.response_class("<h1>Oh no</h1>", 404)
        return response


def size_limit(app: Flask) -> None:
    """Nobody uploads more than a photo."""

    @app.before_request
    def limit_size() -> None:
        if (request.content_length or 0) > 20 * 1024 * 1024:
            abort(413)


def rates(app: Flask) -> None:
    """Flask-Limiter, as its quickstart has it."""
    Limiter(
        lambda: request.remote_addr or "",
        app=app,
        default_limits=["200 per day", "50 per hour"],
        storage_uri="memory://",
    )


def reads_bodies(app: Flask) -> None:
    """Every body is written to a log."""

    @app.before_request
    def log_body() -> None:
        app.logger.debug("%s bytes", len(request.get_data()))


def compresses(app: Flask) -> None:
    """Layers are compressed, whether that is asked for or not."""

    @app.after_request
    def compress(response: Answer) -> Answer:
        if request.method == "GET" and "/blobs/" in request.path:
            response.direct_passthrough = False
            response.data = gzip.compress(response.data)
            response.headers["Content-Encoding"] = "gzip"
        return response


def forces_https(app: Flask) -> None:
    """Flask-Talisman's redirect."""

    @app.before_request
    def to_https() -> Answer:
        if not request.is_secure:
            return redirect(request.url.replace("http://", "https://", 1))
        return None


def fails(app: Flask) -> None:
    """A hook that nobody has tried without a user."""

    @app.before_request
    def greet() -> None:
        app.logger.debug("Hello %s", current_user.username)


def challenges(app: Flask) -> None:
    """A password for the whole site."""

    @app.after_request
    def challenge(response: Answer) -> Answer:
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="staging"'
        return response


def names_itself(app: Flask) -> None:
    """What is nobody's business is left out."""

    @app.after_request
    def strip(response: Answer) -> Answer:
        response.headers.pop("Docker-Content-Digest", None)
        return response


def counts_nothing(app: Flask) -> None:
    """Answers are streams."""

    @app.after_request
    def stream(response: Answer) -> Answer:
        if request.method == "HEAD":
            response.headers.pop("Content-Length", None)
        return response


HOOKS: dict[str, t.Callable[[Flask], None]] = {
    "strangers-walled": wall,
    "users-walled": terms,
    "methods-blocked": csrf,
    "errors-replaced": pages,
    "body-limit": size_limit,
    "rate-limited": rates,
    "content-changed": reads_bodies,
    "compressed": compresses,
    "https-forced": forces_https,
    "registry-fails": fails,
    "challenge-missing": challenges,
    "headers-stripped": names_itself,
    "length-lost": counts_nothing,
}


@pytest.mark.parametrize("code", HOOKS)
def test_a_hook_in_the_way(sound: Flask, code: str) -> None:
    """What an application does to all of its requests, it does to docker's."""
    HOOKS[code](sound)
    found = check(sound, "--user", "alice")
    assert found.codes == {code}
    assert found.findings[code]["where"] == ""


def no_registry(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """Something else is at /v2/."""
    if environ["PATH_INFO"].startswith("/v2/"):
        environ["PATH_INFO"] = "/elsewhere"
    return inner(environ, start)


def no_credentials(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """Credentials do not reach the application, as with mod_wsgi by default."""
    environ.pop("HTTP_AUTHORIZATION", None)
    return inner(environ, start)


def no_ranges(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """Parts are not asked for."""
    environ.pop("HTTP_RANGE", None)
    return inner(environ, start)


def no_tokens(environ: t.Any, start: t.Any, inner: t.Any) -> t.Any:
    """The token endpoint is somebody else's."""
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
def test_a_middleware_in_the_way(sound: Flask, code: str) -> None:
    """What is put around an application changes what it is asked."""
    inner: t.Any = sound.wsgi_app
    outer: t.Any = partial(MIDDLEWARE[code], inner=inner)
    sound.wsgi_app = outer  # type: ignore[method-assign]
    assert check(sound, "--user", "alice").codes == {code}


def test_a_cache_inside(sound: Flask) -> None:
    """An answer to one is kept for the next."""
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
def test_another_address(make_app: MakeApp, code: str) -> None:
    """OCI_EXTERNAL_URL was forgotten when the forge moved."""
    app = make_app(
        SECRET_KEY=SECRET, TESTING=False, OCI_EXTERNAL_URL="https://old.example.org"
    )
    found = check(app, "--url", "http://127.0.0.1:1")
    assert {code, "unreachable"} <= found.codes
    assert found.findings["unreachable"]["where"] == "http://127.0.0.1:1"


def test_addresses_that_nobody_sees(sound: Flask) -> None:
    """Without ProxyFix, all failed logins are the proxy's; with it, that is no more."""
    url = ("--url", "https://127.0.0.1:1")
    assert "client-address-hidden" in check(sound, *url).codes
    fixed: t.Any = ProxyFix(sound.wsgi_app, x_for=1)
    sound.wsgi_app = fixed  # type: ignore[method-assign]
    assert "client-address-hidden" not in check(sound, *url).codes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_while_it_tidies_up(sound: Flask, number: signal.Signals) -> None:
    """What it has pushed is taken back all the same."""

    def end(app: Flask, change: Change) -> None:
        os.kill(os.getpid(), number)

    with repository_deleted.connected_to(end, sound):
        assert not check(sound, "--user", "alice").codes


def test_somebody_who_may_not_push_there(sound: Flask) -> None:
    """That is no fault, and is said."""
    found = check(sound, "--user", "alice", "--repository", "bob")
    assert not found.codes
    assert any("may not push" in said for said in found.passed_over)


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
def test_what_cannot_be_checked(sound: Flask, arguments: tuple[str, ...]) -> None:
    """The command says so, and checks nothing."""
    done = sound.test_cli_runner().invoke(args=["oci", "check", *arguments])
    assert done.exit_code in (1, 2)
    assert "Error" in done.output


def test_for_a_person(make_app: MakeApp) -> None:
    """Each finding says what is wrong, why it matters and what to write."""
    app = make_app(SECRET_KEY="dev", TESTING=False)
    done = app.test_cli_runner().invoke(args=["oci", "check"])
    assert done.exit_code == 1
    for words in ("ERRORS", "secret-key-known", "sign a token", "secrets.token_hex()"):
        assert words in done.output


def test_a_storage_folder_for_everybody(sound: Flask, tmp_path: Path) -> None:
    """Others on the machine can see it."""
    folder = tmp_path / "oci"
    folder.mkdir()
    folder.chmod(0o755)
    assert check(sound).codes == {"storage-exposed"}


def test_a_storage_folder_that_is_served(make_app: MakeApp, tmp_path: Path) -> None:
    """The application hands out what is there."""
    app = make_app(
        SECRET_KEY=SECRET, TESTING=False, OCI_STORAGE_PATH=f"{tmp_path}/static/images"
    )
    app.static_folder = f"{tmp_path}/static"
    assert check(app).codes == {"storage-served"}


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no /dev/shm")
def test_a_storage_folder_that_forgets(make_app: MakeApp) -> None:
    """What is in memory does not outlast a restart."""
    app = make_app(SECRET_KEY=SECRET, TESTING=False, OCI_STORAGE_PATH="/dev/shm/no-oci")
    assert "storage-forgetful" in check(app).codes
    assert not Path("/dev/shm/no-oci").exists()


@pytest.mark.parametrize(("seconds", "side"), [(-120, "ahead"), (120, "behind")])
def test_a_disk_with_a_clock_of_its_own(sound: Flask, seconds: int, side: str) -> None:
    """The disk is not where the time is that this process knows."""
    with time_machine.travel(utcnow() + timedelta(seconds=seconds)):
        found = check(sound)
    assert found.codes == {"storage-clock"}
    said = found.findings["storage-clock"]["what"]
    assert said.endswith(f" seconds {side}.")


@pytest.mark.skipif(
    not Path("/proc/self/mounts").exists(), reason="Linux tells of mounts there"
)
@pytest.mark.parametrize("kind", ["fuse.sshfs", "cifs", "9p", "vfat"])
def test_a_disk_that_is_made_of_something_else(
    sound: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The system says of what kind the file system of the folder is, and it counts
    where the folder is, not what else is mounted."""
    mounts = tmp_path / "mounts"
    opened = builtins.open

    def told(file: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return opened(mounts if file == "/proc/self/mounts" else file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", told)
    mounts.write_text(f"root / ext4 rw 0 0\nother {tmp_path}/other {kind} rw 0 0\n")
    assert not check(sound).codes
    mounts.write_text(f"root / ext4 rw 0 0\nother {tmp_path} {kind} rw 0 0\n")
    found = check(sound)
    assert found.codes == {"storage-foreign"}
    assert kind in found.findings["storage-foreign"]["what"]


@pytest.mark.parametrize("refused", [None, errno.ENOLCK, errno.ENOSYS])
def test_a_disk_without_locks(
    sound: Flask, monkeypatch: pytest.MonkeyPatch, refused: int | None
) -> None:
    """A lock that the system grants to everybody, or to nobody, keeps nobody out."""

    def flock(_fd: int, _operation: int) -> None:
        if refused is not None:
            raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert check(sound).codes == {"storage-without-locks"}


def test_a_small_host_is_sound(tmp_path: Path) -> None:
    """But for SQLite's settings, which it has not touched."""
    app = small_host(tmp_path)
    with app.app_context():
        app.extensions["sqlalchemy"].create_all()
    assert set(check(app).findings) == {"sqlite-not-wal"}


def test_a_tuned_database(tmp_path: Path) -> None:
    """With the lines of the remedy, nothing is found."""
    app = small_host(tmp_path)
    tell(app, "journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000")
    assert not check(app).findings


@pytest.mark.parametrize(
    ("code", "pragma"),
    [
        ("sqlite-impatient", "busy_timeout = 0"),
        ("database-not-durable", "synchronous = NORMAL"),
    ],
)
def test_a_database_that_was_made_quick(tmp_path: Path, code: str, pragma: str) -> None:
    """Settings that look like they were faster."""
    app = small_host(tmp_path)
    tell(app, "journal_mode = WAL", pragma)
    assert set(check(app).findings) == {code}


def tell(app: Flask, *pragmas: str) -> None:
    """Have each connection to SQLite set something, and make the tables."""

    def tune(connection: t.Any, record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    db = app.extensions["sqlalchemy"]
    with app.app_context():
        sa.event.listen(db.engine, "connect", tune)
        db.create_all()


def test_tables_that_nobody_made(tmp_path: Path) -> None:
    """All, or one that is new, or a column."""
    app = small_host(tmp_path)
    assert "oci_repository" in missing(app)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.create_all()
        db.session.execute(sa.text("DROP TABLE oci_tag_move"))
        db.session.execute(sa.text("ALTER TABLE oci_blob DROP COLUMN unlinked_at"))
        db.session.commit()
    said = missing(app)
    assert "oci_tag_move" in said
    assert "oci_blob.unlinked_at" in said
    assert "oci_repository" not in said


def missing(app: Flask) -> str:
    """Return what the check says about missing tables, beyond which it does not go."""
    found = check(app)
    assert found.status == 1
    assert "Everything else" in found.passed_over[0]
    return str(found.findings["tables-missing"]["what"])


def test_a_database_in_memory(tmp_path: Path) -> None:
    """Each process has its own."""
    app = small_host(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite:///:memory:")
    assert "sqlite-in-memory" in check(app).findings


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    """Nothing else is looked at then."""
    app = small_host(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite:////proc/no/forge.db")
    found = check(app)
    assert set(found.findings) == {"database-silent"}
    assert found.passed_over


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"subdomain_matching": True}, {"subdomain": "images"}),
        ({"host_matching": True, "static_host": "x"}, {"host": "images.example.org"}),
    ],
)
def test_a_registry_on_a_host_of_its_own(
    tmp_path: Path, options: dict[str, t.Any], place: dict[str, str]
) -> None:
    """It is asked there, where no address is named."""
    app = Flask("small", instance_path=str(tmp_path), **options)
    small_host(tmp_path, app=app, place=place, SERVER_NAME="example.org")
    tell(app, "journal_mode = WAL")
    assert not check(app).findings


def test_users_of_one_name(tmp_path: Path) -> None:
    """Whoever takes a name would take its images."""
    app = small_host(tmp_path, unique=False)
    tell(app, "journal_mode = WAL")
    assert set(check(app).findings) == {"names-shared"}


def test_users_whose_names_no_image_has(tmp_path: Path) -> None:
    """Addresses, or names with capital letters: good to know, and no fault."""
    app = small_host(tmp_path)
    tell(app, "journal_mode = WAL")
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        for name in ("alice", "Bob", "carol@example.org"):
            db.session.add(app.extensions["users"](username=name))
        db.session.commit()
    found = check(app)
    assert set(found.findings) == {"names-unfit"}
    assert "2 users" in found.findings["names-unfit"]["what"]
    assert found.status == 0
    app.extensions["registry"].authorize(lambda user, action, repository: True)
    assert "names-unfit" not in check(app).findings


def test_every_kind_teaches() -> None:
    """Each says what is wrong, why it matters, and what to write somewhere."""
    assert len(finding_types()) > 50
    for found in finding_types():
        assert found.title.endswith(".")
        assert len(found.why) > 40
        assert found.remedies


def test_every_kind_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has a section for each, with the lines to write in each place."""
    monkeypatch.syspath_prepend(str(DOCS))
    text = importlib.import_module("findings").findings()
    assert ".. findings\n" in (DOCS / "check.rst").read_text("utf-8")
    for found in finding_types():
        section = text.partition(f"\n{found.code}\n~~~")[2].partition("\n.. _check-")[0]
        for lines in found.remedies.values():
            assert textwrap.indent(lines, "    ") in section


def test_a_quota_that_is_full(sound: Flask) -> None:
    """A push that the registry itself refuses is not blamed on what is around it."""
    with sound.app_context():
        registry.quotas.set(owner=user_named("alice"), bytes=1000)
    found = check(sound, "--user", "alice")
    assert found.codes == {"push-refused"}
    assert "alice uses 0 B of 1.0 kB" in found.findings["push-refused"]["what"]


def test_small_blobs_only(make_app: MakeApp, serve: t.Callable[[Flask], int]) -> None:
    """No more is pushed for a try than OCI_MAX_BLOB_SIZE allows, which is said."""
    app = make_app(SECRET_KEY=SECRET, TESTING=False, OCI_MAX_BLOB_SIZE=100_000)
    url = f"http://127.0.0.1:{serve(app)}"
    found = check(app, "--user", "alice", "--url", url)
    assert found.codes == {"development-server"}
    assert ["OCI_MAX_BLOB_SIZE" in said for said in found.passed_over] == [True]


def test_through_an_address(sound: Flask, serve: t.Callable[[Flask], int]) -> None:
    """What is only seen there is told with it; what is pushed is gone in the end."""

    @sound.after_request
    def be_late(response: Answer) -> Answer:
        response.date = datetime.now(timezone.utc) - timedelta(hours=1)
        return response

    url = f"http://127.0.0.1:{serve(sound)}"
    found = check(sound, "--user", "alice", "--url", url)
    assert found.codes == {"development-server", "clocks-differ"}
    assert {found.findings[code]["where"] for code in found.codes} == {url}
    assert not found.passed_over
