"""The test tools for hosts, and the page about them."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import jsonify
from flask import Response

from flask_oci import testing
from flask_oci.testing import basic
from flask_oci.testing import DockerClient
from flask_oci.testing import Faults
from flask_oci.testing import make_artifact
from flask_oci.testing import make_image
from flask_oci.testing import make_index
from flask_oci.testing import make_layer
from flask_oci.testing import MakeClient
from flask_oci.testing import plugin
from flask_oci.testing import refusal
from flask_oci.testing import Refused
from tests.support.credentials import issue
from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.doc_blocks import BLOCKS
from tests.support.doc_blocks import DOCS
from tests.support.forge import tool
from tests.support.host import Administrator
from tests.support.host import be_quick
from tests.support.host import PASSWORDS
from tests.support.host import registry
from tests.support.upkeep import Upkeep

#: The files of a reader: the application of the quickstart, and the tests.
FILES = [
    block
    for block in BLOCKS
    if block.caption and block.page in ("docs/quickstart.rst", "docs/testing.rst")
]
CONFTEST, TESTS = "tests/conftest.py", "tests/test_registry.py"
REAL = "tests/test_real_clients.py"


@pytest.fixture(name="host")
def _host(pytester: pytest.Pytester) -> t.Iterator[pytest.Pytester]:
    """An application with the tests of the page."""
    for block in FILES:
        path = pytester.path / (block.caption or "")
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{block.code}\n\n")
    # Other tests have a module of this name.
    for name in [n for n in sys.modules if n.split(".")[0] == "forge"]:
        del sys.modules[name]
    pytester.makeini("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    sa.event.listen(sa.Engine, "connect", be_quick)
    yield pytester
    sa.event.remove(sa.Engine, "connect", be_quick)


def run(host: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the host's tests in this process."""
    own = ("-p", "no:cacheprovider", f"--basetemp={host.path / 'tmp'}")
    return host.runpytest_inprocess(*own, *arguments)


def test_documented_tests_pass(host: pytest.Pytester) -> None:
    """They leave nothing open, and nothing outside their folders."""
    run(host, TESTS).assert_outcomes(passed=7)
    left = {path.name for path in host.path.iterdir()}
    assert left == {"forge", "tests", "tmp", "tox.ini"}
    assert [*host.path.glob("tmp/test_push_and_pull0/oci/blobs/*/*/*")]


def test_documented_tests_find_a_missing_permission_check(
    host: pytest.Pytester,
) -> None:
    """If every user may do everything, only the tests about other users fail."""
    with (host.path / "forge/registry.py").open("a", encoding="utf-8") as file:
        file.write("registry.authorize(lambda user, action, repository: True)\n")
    result = run(host, TESTS, "-k", "others or login or pull")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(
        ["FAILED *::test_others_may_not_pull*", "FAILED *::test_others_may_not_push*"]
    )


def test_failed_push_shows_the_error_of_the_registry(host: pytest.Pytester) -> None:
    """pytest shows the client, the request and the error at the line of the test, as on
    the page."""
    host.path.joinpath(TESTS).write_text(
        """
def test_bob(bob):
    bob.push("alice/app", "v1")

def test_nobody(oci_client):
    oci_client().pull("alice/app", "v1")
""",
        "utf-8",
    )
    result = run(host, TESTS)
    result.assert_outcomes(failed=2)
    [shown] = [
        block.code
        for block in ALL_BLOCKS
        if block.page == "docs/testing.rst" and block.kind == "text"
    ]
    lines = [line.split(maxsplit=1) for line in shown.strip().splitlines()]
    result.stdout.fnmatch_lines(
        [
            *(f"{mark} *{said}" for mark, said in lines),
            "*Refused: GET /v2/alice/app/manifests/v1 as anonymous: 401 UNAUTHORIZED",
            "E *UNAUTHORIZED: Authentication is required*",
        ],
    )
    result.stdout.no_fnmatch_line("*testing/*.py:*")


VISITS = """
import pytest
from flask_login import current_user, login_required

def test_visits(app):
    @app.get("/me")
    @login_required
    def me():
        return current_user.username

    @app.login_manager.request_loader
    def load(request):
        from forge.models import db, User
        name = request.args.get("name", "")
        return db.session.scalar(db.select(User).filter_by(username=name))

    assert app.test_client().get("/me?name=alice").text == "alice"
    assert app.test_client().get("/me").status_code == 401
"""


def test_documented_fixture_separates_users_with_pytest_flask(
    host: pytest.Pytester,
) -> None:
    """An anonymous client is not answered as alice."""
    [cure] = [
        block.code
        for block in BLOCKS
        if block.page == "docs/testing.rst" and "_push_request_context" in block.code
    ]
    host.path.joinpath(TESTS).write_text(VISITS, "utf-8")
    with host.path.joinpath(CONFTEST).open("a", encoding="utf-8") as file:
        file.write(cure)
    run(host, TESTS).assert_outcomes(passed=1)


def test_fixtures_without_app_name_the_missing_fixture(
    pytester: pytest.Pytester,
) -> None:
    """pytest prints its name."""
    pytester.makeconftest('pytest_plugins = ["flask_oci.testing.plugin"]')
    pytester.makepyfile("def test_it(oci_client): pass")
    result = run(pytester, "-p", "no:flask")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'app' not found*"])


@pytest.mark.real
def test_documented_real_client_pushes_to_the_server(host: pytest.Pytester) -> None:
    """skopeo pushes, and the test client pulls."""
    tool("skopeo", "Debian's skopeo")
    run(host, REAL).assert_outcomes(passed=1)


def test_test_tools_are_not_imported_by_the_extension() -> None:
    """All of them except the plugin work without pytest."""
    code = (
        "import sys, flask_oci, flask_oci.cli, flask_oci.cli.check, flask_oci.web;"
        "assert 'flask_oci.testing' not in sys.modules;"
        "sys.modules['pytest'] = None;"
        "import flask_oci.testing"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_of_the_test_tools_is_documented(name: str) -> None:
    """The API page has all public names."""
    section = (DOCS / "api.rst").read_text("utf-8").partition("\nTesting\n-------")[2]
    assert re.search(rf"(?m)^\.\. auto\w+:: {name}$", section)
    assert getattr(testing, name).__doc__


def test_every_fixture_is_documented() -> None:
    """The table on the page has those of the plugin."""
    source = Path(plugin.__file__).read_text("utf-8")
    fixtures = re.findall(r"@pytest.fixture\ndef (\w+)", source)
    page = (DOCS / "testing.rst").read_text("utf-8")
    assert re.findall(r"    \* - ``(\w+)``", page) == fixtures


# The client


@pytest.fixture(name="docker")
def _docker(app: Flask, oci_client: MakeClient) -> DockerClient:
    """Docker as alice."""
    return oci_client("alice", PASSWORDS["alice"])


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_pushed_images_are_pulled_unchanged(
    docker: DockerClient, algorithm: str
) -> None:
    """Each client pulls by tag and by digest."""
    image = make_image(b"one", b"two", algorithm=algorithm, config={"Cmd": ["/one"]})
    index = make_index(image, make_index(make_image(), annotations={"a": "b"}))
    for made in (image, index, make_artifact(b"signed", "application/x", image)):
        assert docker.push("alice/app", "v1", made) is made
        assert len({made, docker.pull("alice/app", "v1")}) == 1
        assert docker.pull("alice/app", "v1") == made
        assert docker.pull("alice/app", made.digest) == made
        other = testing.RegistryClient(docker.app, basic("alice", PASSWORDS["alice"]))
        assert other.pull("alice/app", "v1") == made
        assert other.push("alice/other", "v1", made) == made
    assert docker.pull("alice/other", image.digest) == image
    docker.delete_manifest("alice/other", "v1")
    assert docker.tags("alice/other") == []


def test_docker_client_with_an_access_token_logs_in(
    app: Flask, docker: DockerClient, oci_client: MakeClient
) -> None:
    """The token replaces the password."""
    pushed = docker.push("alice/app", "v1")
    limited = oci_client("alice", issue(app, "alice", actions={"pull"}).secret)
    assert limited.pull("alice/app", "v1") == pushed
    with pytest.raises(Refused, match="DENIED"):
        limited.push("alice/app", "v2")
    assert oci_client("alice", "wrong").login() == 401


def test_docker_client_requests_a_token_for_a_new_scope(
    app: Flask, docker: DockerClient, oci_client: MakeClient, admin: Administrator
) -> None:
    """Docker does so for each command."""
    docker.push("alice/app", "v1")
    bob = oci_client("bob", PASSWORDS["bob"])
    with pytest.raises(Refused, match="NAME_UNKNOWN"):
        bob.pull("alice/app", "v1")
    admin.publish("alice/app")
    assert bob.pull("alice/app", "v1")


def test_pull_of_wrong_bytes_fails() -> None:
    """The bytes do not match the digest, or an error is a page."""
    app = Flask("liar")
    digest = make_image().digest

    @app.get("/v2/app/manifests/<reference>")
    def manifest(reference: str) -> Response:
        return Response("{}", headers={"Docker-Content-Digest": digest})

    @app.get("/v2/app/blobs/<reference>")
    def blob(reference: str) -> tuple[str, int]:
        return "<h1>Please log in</h1>", 403

    client = testing.RegistryClient(app)
    with pytest.raises(AssertionError, match=f"Expected {digest}, got sha256:44"):
        client.pull("app", "v1")
    with pytest.raises(Refused, match="Please log in") as refused:
        client.blob("app", digest)
    assert (refused.value.status, refused.value.code) == (403, None)
    with pytest.raises(AssertionError, match=r"text/html.* and not JSON"):
        testing.refusal(refused.value.response)
    with pytest.raises(AssertionError, match="was answered 200 OK"):
        testing.refusal(client.get("/v2/app/manifests/v1"))


GOOD = {"code": "DENIED", "message": "No."}


@pytest.mark.parametrize(
    "body",
    [
        [GOOD],
        {},
        {"errors": []},
        {"errors": GOOD},
        {"errors": [GOOD, "DENIED"]},
        {"errors": [GOOD], "more": 1},
        {"errors": [{"code": "DENIED"}]},
        {"errors": [{**GOOD, "message": ""}]},
        {"errors": [{**GOOD, "detail": 1}]},
        {"errors": [{**GOOD, "code": "FORBIDDEN"}]},
        {"errors": [{**GOOD, "reason": "x"}]},
    ],
)
def test_malformed_error_fails_the_test(body: object) -> None:
    """The message shows the response."""
    app = Flask("other")
    app.add_url_rule("/v2/", view_func=lambda: (jsonify(body), 403))
    with pytest.raises(AssertionError, match="GET /v2/ got a malformed error: b'"):
        testing.errors(testing.RegistryClient(app).get("/v2/"))


def test_challenge_without_bearer_realm_fails_the_test() -> None:
    """Docker could not log in."""
    app = Flask("closed")

    @app.get("/v2/")
    def ping() -> Response:
        return Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})

    with pytest.raises(AssertionError, match="no Bearer realm: Basic"):
        DockerClient(app).login()


def test_server_fixture_serves_clients(oci_server: str) -> None:
    """The challenge has the address of the server."""
    with pytest.raises(HTTPError, match="401") as refused:
        urlopen(f"http://{oci_server}/v2/")
    with refused.value as answer:
        realm = f'Bearer realm="http://{oci_server}/v2/token"'
        assert answer.headers["WWW-Authenticate"].startswith(realm)


# Images


def test_make_layer_is_reproducible() -> None:
    """The layer has the given files."""
    files = {"etc/motd": b"Welcome", "/bin/true": b""}
    layer = make_layer(files)
    assert layer == make_layer(files)
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        found = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    assert found == {"etc/motd": b"Welcome", "bin/true": b""}


def test_written_layout_can_be_imported(
    app: Flask, docker: DockerClient, tmp_path: Path
) -> None:
    """A client pulls the imported image."""
    index = make_index(make_image(), make_image(architecture="arm64"))
    folder = index.write(tmp_path / "layout", "v1")
    with app.app_context():
        registry.images.import_from(folder, "alice/app")
    assert docker.pull("alice/app", "v1") == index


# Faults


def test_fault_affects_its_application_and_thread_only(
    docker: DockerClient, oci_faults: Faults, tmp_path: Path
) -> None:
    """Other files and a server are not affected."""
    digest = docker.push_blob("alice/app", b"something")
    with oci_faults.disk() as fault, ThreadPoolExecutor(1) as others:
        (tmp_path / "beside").mkdir()
        pulled = others.submit(docker.blob, "alice/app", digest).result()
        assert (pulled, fault.happened) == (b"something", None)
        with pytest.raises(Refused, match="disk reports errors"):
            docker.blob("alice/app", digest)
        assert fault.happened


def test_full_disk_allows_reads(
    app: Flask, docker: DockerClient, oci_faults: Faults
) -> None:
    """Existing files can be opened and locked; writes fail."""
    found = Upkeep(app).blob(docker.push_blob("alice/app", b"something"))
    with oci_faults.full_disk() as fault:
        os.close(os.open(found, os.O_RDWR | os.O_CREAT))
        assert fault.happened is None
        with pytest.raises(OSError, match="No space left"):
            os.open(found.with_name("another"), os.O_RDWR | os.O_CREAT)
    assert fault.happened == "open"


@pytest.mark.parametrize("at", [0, 1])
def test_lasting_fault_fails_every_attempt(
    docker: DockerClient, oci_faults: Faults, at: int
) -> None:
    """Another fault fails one attempt only."""
    with oci_faults.database(at, lasting=True) as fault:
        for _ in range(2):
            assert refusal(docker.get("/v2/alice/app/tags/list"))[0] == 503
    assert fault.happened
    with oci_faults.database(at):
        assert refusal(docker.get("/v2/alice/app/tags/list"))[0] == 503
        assert refusal(docker.get("/v2/alice/app/tags/list"))[0] == 404
