"""What a host tests with: the page about it, and what that does not show."""

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

#: What a reader of the page has: the application of the quickstart, and the tests.
FILES = [
    block
    for block in BLOCKS
    if block.caption and block.page in ("docs/quickstart.rst", "docs/testing.rst")
]
CONFTEST, TESTS = "tests/conftest.py", "tests/test_registry.py"
REAL = "tests/test_real_clients.py"


@pytest.fixture(name="host")
def _host(pytester: pytest.Pytester) -> t.Iterator[pytest.Pytester]:
    """The application of somebody who has read the page, with its tests."""
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
    """Run the host's tests, in this process."""
    own = ("-p", "no:cacheprovider", f"--basetemp={host.path / 'tmp'}")
    return host.runpytest_inprocess(*own, *arguments)


def test_the_tests_of_the_page(host: pytest.Pytester) -> None:
    """They pass, leave nothing open, and nothing outside of their folders."""
    run(host, TESTS).assert_outcomes(passed=7)
    left = {path.name for path in host.path.iterdir()}
    assert left == {"forge", "tests", "tmp", "tox.ini"}
    assert [*host.path.glob("tmp/test_push_and_pull0/oci/blobs/*/*/*")]


def test_the_tests_of_the_page_find_a_hole(host: pytest.Pytester) -> None:
    """An application in which everybody may do everything fails those that are about
    others, and only those."""
    with (host.path / "forge/registry.py").open("a", encoding="utf-8") as file:
        file.write("registry.authorize(lambda user, action, repository: True)\n")
    result = run(host, TESTS, "-k", "others or login or pull")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(
        ["FAILED *::test_others_may_not_pull*", "FAILED *::test_others_may_not_push*"]
    )


def test_a_failure_says_what_docker_would(host: pytest.Pytester) -> None:
    """Who sent what, and the registry's own sentence, at the line of the test, as the
    page shows it."""
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


def test_the_context_of_pytest_flask(host: pytest.Pytester) -> None:
    """With the fixture of the page, no stranger is answered as alice."""
    [cure] = [
        block.code
        for block in BLOCKS
        if block.page == "docs/testing.rst" and "_push_request_context" in block.code
    ]
    host.path.joinpath(TESTS).write_text(VISITS, "utf-8")
    with host.path.joinpath(CONFTEST).open("a", encoding="utf-8") as file:
        file.write(cure)
    run(host, TESTS).assert_outcomes(passed=1)


def test_a_host_without_an_application(pytester: pytest.Pytester) -> None:
    """pytest names the fixture that is missing."""
    pytester.makeconftest('pytest_plugins = ["flask_oci.testing.plugin"]')
    pytester.makepyfile("def test_it(oci_client): pass")
    result = run(pytester, "-p", "no:flask")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'app' not found*"])


@pytest.mark.real
def test_the_real_client_of_the_page(host: pytest.Pytester) -> None:
    """skopeo pushes to the server, and the kit's client finds it."""
    tool("skopeo", "Debian's skopeo")
    run(host, REAL).assert_outcomes(passed=1)


def test_it_is_for_tests_alone() -> None:
    """An application never loads it; and all but its plugin do without pytest."""
    code = (
        "import sys, flask_oci, flask_oci.cli, flask_oci.cli.check, flask_oci.web;"
        "assert 'flask_oci.testing' not in sys.modules;"
        "sys.modules['pytest'] = None;"
        "import flask_oci.testing"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_is_described(name: str) -> None:
    """The page on the API has all that can be imported from it."""
    section = (DOCS / "api.rst").read_text("utf-8").partition("\nTesting\n-------")[2]
    assert re.search(rf"(?m)^\.\. auto\w+:: {name}$", section)
    assert getattr(testing, name).__doc__


def test_every_fixture_is_described() -> None:
    """The table on the page has those of the plugin."""
    source = Path(plugin.__file__).read_text("utf-8")
    fixtures = re.findall(r"@pytest.fixture\ndef (\w+)", source)
    page = (DOCS / "testing.rst").read_text("utf-8")
    assert re.findall(r"    \* - ``(\w+)``", page) == fixtures


# The client


@pytest.fixture(name="docker")
def _docker(app: Flask, oci_client: MakeClient) -> DockerClient:
    """Alice's docker."""
    return oci_client("alice", PASSWORDS["alice"])


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_every_kind_of_image_comes_back(docker: DockerClient, algorithm: str) -> None:
    """By tag and by digest, with everything below it, whichever client pulls."""
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


def test_access_tokens(
    app: Flask, docker: DockerClient, oci_client: MakeClient
) -> None:
    """One will do in the place of a password."""
    pushed = docker.push("alice/app", "v1")
    limited = oci_client("alice", issue(app, "alice", actions={"pull"}).secret)
    assert limited.pull("alice/app", "v1") == pushed
    with pytest.raises(Refused, match="DENIED"):
        limited.push("alice/app", "v2")
    assert oci_client("alice", "wrong").login() == 401


def test_a_token_that_is_no_longer_enough(
    app: Flask, docker: DockerClient, oci_client: MakeClient, admin: Administrator
) -> None:
    """The client gets another one, as docker does for each command."""
    docker.push("alice/app", "v1")
    bob = oci_client("bob", PASSWORDS["bob"])
    with pytest.raises(Refused, match="NAME_UNKNOWN"):
        bob.pull("alice/app", "v1")
    admin.publish("alice/app")
    assert bob.pull("alice/app", "v1")


def test_a_registry_that_sends_something_else() -> None:
    """What is not what its digest says is no image, and a page no error."""
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
def test_an_error_of_another_form(body: object) -> None:
    """The test is told what was sent, where no client would make sense of it."""
    app = Flask("other")
    app.add_url_rule("/v2/", view_func=lambda: (jsonify(body), 403))
    with pytest.raises(AssertionError, match="GET /v2/ got a malformed error: b'"):
        testing.errors(testing.RegistryClient(app).get("/v2/"))


def test_a_challenge_that_leads_nowhere() -> None:
    """Docker has to be told where to log in."""
    app = Flask("closed")

    @app.get("/v2/")
    def ping() -> Response:
        return Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})

    with pytest.raises(AssertionError, match="no Bearer realm: Basic"):
        DockerClient(app).login()


def test_a_server_for_real_clients(oci_server: str) -> None:
    """It is where it says, and sends clients to itself to log in."""
    with pytest.raises(HTTPError, match="401") as refused:
        urlopen(f"http://{oci_server}/v2/")
    with refused.value as answer:
        realm = f'Bearer realm="http://{oci_server}/v2/token"'
        assert answer.headers["WWW-Authenticate"].startswith(realm)


# Images


def test_a_layer_is_a_layer() -> None:
    """With the files that it is made of, and the same bytes each time."""
    files = {"etc/motd": b"Welcome", "/bin/true": b""}
    layer = make_layer(files)
    assert layer == make_layer(files)
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        found = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    assert found == {"etc/motd": b"Welcome", "bin/true": b""}


def test_a_layout_can_be_imported(
    app: Flask, docker: DockerClient, tmp_path: Path
) -> None:
    """What is written is what the registry reads, and what a client then pulls."""
    index = make_index(make_image(), make_image(architecture="arm64"))
    folder = index.write(tmp_path / "layout", "v1")
    with app.app_context():
        registry.images.import_from(folder, "alice/app")
    assert docker.pull("alice/app", "v1") == index


# Faults


def test_a_fault_is_of_its_application_and_thread(
    docker: DockerClient, oci_faults: Faults, tmp_path: Path
) -> None:
    """Files beside the registry's are no concern of it, nor what a server does."""
    digest = docker.push_blob("alice/app", b"something")
    with oci_faults.disk() as fault, ThreadPoolExecutor(1) as others:
        (tmp_path / "beside").mkdir()
        pulled = others.submit(docker.blob, "alice/app", digest).result()
        assert (pulled, fault.happened) == (b"something", None)
        with pytest.raises(Refused, match="disk fails"):
            docker.blob("alice/app", digest)
        assert fault.happened


def test_a_full_disk_gives_what_it_has(
    app: Flask, docker: DockerClient, oci_faults: Faults
) -> None:
    """What is there can be opened, to be locked as well; there is no room for more."""
    found = Upkeep(app).blob(docker.push_blob("alice/app", b"something"))
    with oci_faults.full_disk() as fault:
        os.close(os.open(found, os.O_RDWR | os.O_CREAT))
        assert fault.happened is None
        with pytest.raises(OSError, match="No space left"):
            os.open(found.with_name("another"), os.O_RDWR | os.O_CREAT)
    assert fault.happened == "open"


@pytest.mark.parametrize("at", [0, 1])
def test_a_fault_passes_or_lasts(
    docker: DockerClient, oci_faults: Faults, at: int
) -> None:
    """One that lasts fails every try, and the other only one."""
    with oci_faults.database(at, lasting=True) as fault:
        for _ in range(2):
            assert refusal(docker.get("/v2/alice/app/tags/list"))[0] == 503
    assert fault.happened
    with oci_faults.database(at):
        assert refusal(docker.get("/v2/alice/app/tags/list"))[0] == 503
        assert refusal(docker.get("/v2/alice/app/tags/list"))[0] == 404
