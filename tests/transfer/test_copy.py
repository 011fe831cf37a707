"""Images from, to and between registries."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
import typing as t
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from flask import request
from flask import Response

from flask_oci.changes import Change
from flask_oci.signals import manifest_pushed
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.transfer import Images
from flask_oci.transfer import TransferError
from flask_oci.transfer.remote import retry
from flask_oci.transfer.remote.address import parse_address
from tests.support.archives import config_of
from tests.support.command_line import Terminal
from tests.support.credentials import log_in as login_of
from tests.support.host import registry
from tests.support.other_registry import LOGIN
from tests.support.other_registry import OtherRegistry
from tests.support.registry_client import RegistryClient
from tests.transfer.test_import_export import pulled

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIEnvironment

pytestmark = pytest.mark.sqlite_only

Serve = Callable[[Flask], int]
OTHER = b"another layer"
IMAGE = image(LAYER)
ARM = image(OTHER, LAYER)
INDEX = index(
    descriptor(IMAGE, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
    descriptor(ARM, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}),
)
SIGNATURE = image(
    OTHER, artifactType="application/x-signature", subject=descriptor(ARM, OCI_MANIFEST)
)
BLOBS = (CONFIG, LAYER, OTHER)


@pytest.fixture(name="docker_config", autouse=True)
def _docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Docker configuration, and short pauses between attempts."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    return folder / "config.json"


def log_in(file: Path, host: str, login: str) -> None:
    """Write the configuration that ``docker login`` writes."""
    auth = login.removeprefix("Basic ")
    file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))


@pytest.fixture(name="images")
def _images(app: Flask) -> t.Iterator[Images]:
    """The Python API, within an application context."""
    with app.app_context():
        yield registry.images


@pytest.fixture(name="other")
def _other() -> OtherRegistry:
    """Another registry with an image, an index and a signature."""
    other = OtherRegistry()
    other.push("app", "1.0", manifest=IMAGE, blobs=BLOBS)
    other.push("app", manifest=ARM, blobs=())
    other.push("app", "latest", manifest=INDEX, blobs=())
    other.push("app", manifest=SIGNATURE, blobs=())
    listed = descriptor(SIGNATURE, OCI_MANIFEST, artifactType="application/x-signature")
    fallback = digest_of(ARM).replace(":", "-")
    other.push("app", fallback, manifest=index(listed), blobs=())
    return other


@pytest.fixture(name="host")
def _host(other: OtherRegistry, serve: Serve) -> str:
    """The host of that registry."""
    return f"127.0.0.1:{serve(other.app)}"


def test_copy_from_another_registry_copies_index_and_signatures(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """Everything arrives byte for byte, from a registry with the fallback tag instead
    of a referrers API."""
    images.copy(f"{host}/app", "alice/app", referrers=True)
    assert alice.tags("alice/app") == ["latest"]
    assert pulled(alice, "alice/app", "latest") == INDEX
    path = f"/v2/alice/app/referrers/{digest_of(ARM)}"
    (listed,) = alice.get(path).get_json()["manifests"]
    assert pulled(alice, "alice/app", listed["digest"]) == SIGNATURE
    before = len(other.seen)
    again = images.copy(f"{host}/app", "alice/app", referrers=True)
    assert (again.blobs, again.manifests, len(other.seen)) == (0, 0, before)


def test_copy_to_another_registry_updates_the_fallback_tag(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """The registry has no referrers API."""
    for blob in BLOBS:
        alice.push_blob("alice/app", blob)
    alice.push_manifest("alice/app", IMAGE)
    alice.push_manifest("alice/app", ARM)
    alice.push_manifest("alice/app", INDEX, "1.0")
    alice.push_manifest("alice/app", SIGNATURE)
    other.blobs.clear()
    other.manifests.clear()
    done = images.copy("alice/app:1.0", f"{host}/team/app", referrers=True)
    assert (done.blobs, done.manifests) == (3, 4)
    assert set(other.blobs.values()) == set(BLOBS)
    assert other.manifests["team/app", "1.0"] == INDEX
    fallback = other.manifests["team/app", digest_of(ARM).replace(":", "-")]
    (listed,) = json.loads(fallback)["manifests"]
    assert listed["digest"] == digest_of(SIGNATURE)
    assert listed["artifactType"] == "application/x-signature"


def test_copy_between_flask_oci_registries_uses_tokens_and_referrers(
    app: Flask, images: Images, alice: RegistryClient, serve: Serve, docker_config: Path
) -> None:
    """Nothing is sent if both repositories are in one registry."""
    here = f"127.0.0.1:{serve(app)}"
    log_in(docker_config, here, t.cast(str, alice.authorization))
    for blob in BLOBS:
        alice.push_blob("alice/app", blob)
    alice.push_manifest("alice/app", IMAGE)
    alice.push_manifest("alice/app", ARM, "1.0")
    alice.push_manifest("alice/app", SIGNATURE)
    images.copy(f"{here}/alice/app:1.0", "alice/one", referrers=True)
    assert pulled(alice, "alice/one", "1.0") == ARM
    images.copy("alice/one:1.0", f"{here}/alice/two:2.0", referrers=True)
    assert pulled(alice, "alice/two", "2.0") == ARM
    done = images.copy(
        f"{here}/alice/two:2.0", f"{here}/alice/three:3.0", referrers=True
    )
    assert (done.blobs, done.mounted) == (0, 3)
    for name in ("one", "two", "three"):
        path = f"/v2/alice/{name}/referrers/{digest_of(ARM)}"
        (listed,) = alice.get(path).get_json()["manifests"]
        assert pulled(alice, f"alice/{name}", listed["digest"]) == SIGNATURE


def test_copy_within_this_registry_links_blobs(
    images: Images, alice: RegistryClient
) -> None:
    """No bytes are read."""
    manifest = alice.push_image("alice/app", "1.0")
    done = images.copy("alice/app:1.0", "alice/copy")
    assert (done.blobs, done.mounted) == (0, 2)
    assert pulled(alice, "alice/copy", "1.0") == manifest
    images.copy(f"alice/app@{digest_of(manifest)}", "alice/copy:2.0")
    assert alice.tags("alice/copy") == ["1.0", "2.0"]
    alice.push_image("alice/app", "1.0", OTHER)
    back = images.copy(f"alice/app@{digest_of(manifest)}", "alice/app:1.0")
    assert (back.blobs, back.mounted) == (0, 0)
    assert pulled(alice, "alice/app", "1.0") == manifest


def test_copy_of_one_platform_copies_its_image(
    images: Images, alice: RegistryClient, host: str
) -> None:
    """The rest of the index is not copied."""
    images.copy(f"{host}/app:latest", "alice/app", platforms=["linux/arm64"])
    assert pulled(alice, "alice/app", "latest") == ARM


# Failures


def test_copy_from_a_busy_registry_retries(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """If the registry stays busy, the error names its status."""
    other.broken = [503, 429, 500]
    images.copy(f"{host}/app:1.0", "alice/app")
    assert pulled(alice, "alice/app", "1.0") == IMAGE
    other.broken = [503] * 20
    with pytest.raises(TransferError, match=f"{host} answers 503 to GET"):
        images.copy(f"{host}/app:latest", "alice/app")


def test_upload_after_a_failure_starts_again(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """A blob can only be sent from its beginning."""
    alice.push_image("alice/app", "3.0", b"a new layer")

    class Failing(list[int]):
        """Fails the first time that bytes come."""

        def __bool__(self) -> bool:
            method, path = other.asked[-1]
            return method == "PUT" and "/upload/" in path and super().__len__() > 0

    other.broken = Failing([503])
    images.copy("alice/app:3.0", f"{host}/app", jobs=1)
    assert digest_of(b"a new layer") in other.blobs
    assert not len(other.broken)


@pytest.mark.parametrize(
    ("source", "target"), [("app:1.0", "app"), (f"app@{digest_of(SIGNATURE)}", "app:s")]
)
def test_copy_after_a_failed_listing_lists_the_signature(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    source: str,
    target: str,
) -> None:
    """A signature that the fallback tag does not list is not found."""
    for blob in BLOBS:
        alice.push_blob("alice/app", blob)
    alice.push_manifest("alice/app", ARM, "1.0")
    alice.push_manifest("alice/app", SIGNATURE)
    fallback = digest_of(ARM).replace(":", "-")

    class Failing(list[int]):
        """Fails when the list is to be changed."""

        def __bool__(self) -> bool:
            return other.asked[-1] == ("PUT", f"/v2/team/app/manifests/{fallback}?")

    other.broken = Failing([503] * 50)
    with pytest.raises(TransferError, match=f"answers 503 to PUT.*{fallback}"):
        images.copy(f"alice/{source}", f"{host}/team/{target}", referrers=True)
    assert ("team/app", digest_of(SIGNATURE)) in other.manifests
    other.broken = []
    for changed in (True, False):
        other.asked.clear()
        images.copy(f"alice/{source}", f"{host}/team/{target}", referrers=True)
        (listed,) = json.loads(other.manifests["team/app", fallback])["manifests"]
        assert listed["digest"] == digest_of(SIGNATURE)
        assert bool(other.count("PUT", fallback)) is changed


def test_parallel_copies_list_all_referrers(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """No transfer overwrites the entries of another."""
    signatures = [
        image(
            OTHER,
            artifactType=f"application/{n}",
            subject=descriptor(ARM, OCI_MANIFEST),
        )
        for n in range(2)
    ]
    for blob in BLOBS:
        alice.push_blob("alice/app", blob)
    for tag, manifest in enumerate(signatures):
        alice.push_manifest("alice/app", manifest, str(tag))
    fallback = digest_of(ARM).replace(":", "-")
    both = threading.Barrier(2, timeout=0.3)

    @other.app.before_request
    def _meet() -> None:
        if (request.method, request.path) == ("GET", f"/v2/me/manifests/{fallback}"):
            with suppress(threading.BrokenBarrierError):
                both.wait()

    images.mirror("alice/app", f"{host}/me", jobs=2)
    listed = json.loads(other.manifests["me", fallback])["manifests"]
    assert {entry["digest"] for entry in listed} == {*map(digest_of, signatures)}


def test_interrupted_download_resumes(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """Received bytes are not requested again."""
    layer = bytes(range(256)) * 40
    manifest = image(layer)
    other.push("app", "big", manifest=manifest, blobs=[layer])
    other.cut = 4000
    images.copy(f"{host}/app:big", "alice/app")
    assert pulled(alice, "alice/app", "big") == manifest
    assert other.count("GET", digest_of(layer)) == 3


@pytest.mark.parametrize("part", ["manifests/", "tags/list", "token"])
def test_interrupted_answer_is_requested_again(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    docker_config: Path,
    part: str,
) -> None:
    """A manifest, a list or a token that breaks off is temporary, like a busy
    registry."""
    log_in(docker_config, host, LOGIN)
    other.uses = 100
    cuts = [1, 2, 3]

    @other.app.after_request
    def _cut(response: Response) -> Response:
        wanted = request.method == "GET" and part in request.path
        if wanted and cuts and response.status_code == 200:
            content = response.get_data()
            response.response = [content[: len(content) // (1 + cuts.pop())]]
            response.headers["Content-Length"] = str(len(content))
        return response

    done = images.mirror(f"{host}/app", "alice/app", tags=["1.0"])
    assert not done.failed
    assert not cuts
    assert pulled(alice, "alice/app", "1.0") == IMAGE


def test_answer_that_is_always_interrupted_fails_with_its_reason(
    images: Images, host: str, other: OtherRegistry
) -> None:
    """The number of attempts is limited."""

    @other.app.after_request
    def _cut(response: Response) -> Response:
        if "/manifests/" in request.path and request.method == "GET":
            content = response.get_data()
            response.response = [content[:10]]
            response.headers["Content-Length"] = str(len(content))
        return response

    with pytest.raises(
        TransferError,
        match=r"does not respond: Connection broken: [^'(]*\([^()]* more expected\)\.$",
    ):
        images.copy(f"{host}/app:1.0", "alice/app")
    assert other.count("GET", "/manifests/1.0") == retry.ATTEMPTS


def test_copy_with_wrong_bytes_fails(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """The bytes do not match the digest."""
    other.blobs[digest_of(LAYER)] = b"A LAYER"
    with pytest.raises(Exception, match="another digest"):
        images.copy(f"{host}/app:1.0", "alice/app")
    other.manifests["app", digest_of(ARM)] = IMAGE
    with pytest.raises(TransferError, match="does not match its digest"):
        images.copy(f"{host}/app@{digest_of(ARM)}", "alice/app:2.0")
    assert alice.get("/v2/alice/app/tags/list").get_json()["tags"] == []


@pytest.mark.parametrize("answer", [b"[" * 100_000, b'{"token": 1', b"{}", b"[]"])
def test_invalid_token_response_raises_an_error(
    images: Images, host: str, other: OtherRegistry, answer: bytes
) -> None:
    """Every invalid response has a readable error."""
    other.uses, other.answer = 1, answer
    with pytest.raises(TransferError, match="returned no token"):
        images.copy(f"{host}/app:1.0", "alice/app")


def test_copy_of_a_missing_source_names_it(images: Images, host: str) -> None:
    """A tag, a repository or a registry is missing."""
    with pytest.raises(TransferError, match=r"no 2\.0 in 127\.0\.0\.1:\d+/app"):
        images.copy(f"{host}/app:2.0", "alice/app")
    with pytest.raises(
        TransferError, match=r"does not respond: Failed [^'()]* refused"
    ):
        images.copy("127.0.0.1:1/app:2.0", "alice/app")
    with pytest.raises(TransferError, match="no repository alice/none"):
        images.copy("alice/none:1.0", "alice/app")


# Credentials


def test_copy_with_a_password_sends_it(
    images: Images, host: str, other: OtherRegistry, docker_config: Path
) -> None:
    """Without a password, the error explains how to log in."""
    other.closed = True
    with pytest.raises(TransferError, match=f"'docker login {host}'"):
        images.copy(f"{host}/app:1.0", "alice/app")
    log_in(docker_config, host, LOGIN)
    images.copy(f"{host}/app:1.0", "alice/app")
    assert set(other.seen) == {LOGIN}


def test_expired_token_is_replaced(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    docker_config: Path,
) -> None:
    """This also works during an upload."""
    log_in(docker_config, host, LOGIN)
    other.uses = 2
    images.copy(f"{host}/app:latest", "alice/app", jobs=1)
    assert pulled(alice, "alice/app", "latest") == INDEX
    alice.push_image("alice/app", "3.0", b"a new layer")
    for other.uses in (3, 4, 5):
        other.blobs.clear()
        images.copy("alice/app:3.0", f"{host}/app:{other.uses}", jobs=1)
        assert digest_of(b"a new layer") in other.blobs
    assert other.count("GET", "/token?") > 3


def test_unavailable_token_service_fails_one_image(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """The other images are copied."""
    alice.push_image("alice/app", "1.0")
    alice.push_image("alice/app", "2.0", b"a new layer")

    @other.app.before_request
    def _end() -> Response | None:
        if request.method != "PUT" or not request.path.startswith("/upload/"):
            return None
        challenge = {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:1/token"'}
        return Response(status=401, headers=challenge)

    done = images.mirror("alice/app", f"{host}/app")
    assert list(done.failed) == ["2.0"]
    assert "does not respond" in done.failed["2.0"]
    assert ("app", "1.0") in other.manifests


@pytest.mark.parametrize("where", ["https://h:99999/", "https://[/", "https://"])
def test_invalid_location_raises_an_error(
    images: Images, host: str, other: OtherRegistry, docker_config: Path, where: str
) -> None:
    """The location of a blob or of a token service is invalid."""

    def leading(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> t.Iterable[bytes]:
        path = environ["PATH_INFO"]
        if "/blobs/" in path:
            start_response("307 Temporary Redirect", [("Location", where)])
        elif path.startswith("/v2/closed/"):
            challenge = f'Bearer realm="{where}"'
            start_response("401 Unauthorized", [("WWW-Authenticate", challenge)])
        else:
            return honest(environ, start_response)
        return []

    honest = other.app.wsgi_app
    other.app.wsgi_app = leading  # type: ignore[method-assign]
    log_in(docker_config, host, LOGIN)
    other.closed = True
    for name in ("app", "closed"):
        with pytest.raises(TransferError, match=r"invalid|without TLS|not respond"):
            images.copy(f"{host}/{name}:1.0", "alice/app")


def test_refresh_token_is_used_for_tokens(
    app: Flask, images: Images, alice: RegistryClient, serve: Serve, docker_config: Path
) -> None:
    """Docker stores one instead of a password, if the registry issues it."""
    here = f"127.0.0.1:{serve(app)}"
    alice.push_image("alice/app", "1.0")
    for entry in ("identitytoken", "wrong"):
        secret = login_of(alice)["refresh_token"]
        docker_config.write_text(json.dumps({"auths": {here: {entry: secret}}}))
        if entry == "wrong":
            with pytest.raises(TransferError, match="docker login"):
                images.copy(f"{here}/alice/app:1.0", "alice/copy:3.0")
        else:
            images.copy(f"{here}/alice/app:1.0", "alice/copy:2.0")
    assert alice.tags("alice/copy") == ["2.0"]


def test_password_is_not_sent_to_other_hosts(
    images: Images, alice: RegistryClient, serve: Serve, docker_config: Path
) -> None:
    """A registry may redirect the download of a blob to another host."""
    first, second = OtherRegistry(closed=True), OtherRegistry()
    for other in (first, second):
        other.push("app", "1.0", manifest=IMAGE, blobs=BLOBS)
    host = f"127.0.0.1:{serve(first.app)}"
    first.elsewhere = f"http://localhost:{serve(second.app)}"
    log_in(docker_config, host, LOGIN)
    images.copy(f"{host}/app:1.0", "alice/app")
    assert pulled(alice, "alice/app", "1.0") == IMAGE
    assert set(first.seen) == {LOGIN}
    assert set(second.seen) == {None}
    # If the other host asks for one, neither it nor its token service gets it.
    second.uses = 1
    with pytest.raises(TransferError, match="answers 401"):
        images.copy(f"{host}/app:1.0", "alice/third")
    assert second.count("GET", "/token?") == 0
    # A redirect without TLS must not leave this machine.
    first.elsewhere = "http://registry.example"
    with pytest.raises(TransferError, match="without TLS"):
        images.copy(f"{host}/app:1.0", "alice/other")


HELPER = """#!/bin/sh
read host
echo "$1 $host" >> {log}
case "$host" in
    {host}) echo '{{"ServerURL": "x", "Username": "robot", "Secret": "sesame:open"}}';;
    *) echo 'credentials not found in native keychain'; exit 1;;
esac
"""


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_credential_helper_is_called_as_docker_does(
    images: Images,
    host: str,
    other: OtherRegistry,
    docker_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    """Docker's own helpers work."""
    program, log = tmp_path / "bin" / "docker-credential-safe", tmp_path / "log"
    program.parent.mkdir()
    program.write_text(HELPER.format(host=host, log=log))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    value = {"credsStore": "safe", "credHelpers": {host: "safe"}}[key]
    docker_config.write_text(json.dumps({key: value}))
    other.closed = True
    images.copy(f"{host}/app:1.0", "alice/app")
    assert log.read_text() == f"get {host}\n"
    assert set(other.seen) == {LOGIN}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "cannot be read"),
        ('{"credsStore": "../../bin/sh"}', "not a valid name"),
        ('{"credsStore": "none-such"}', "does not respond"),
        ('{"auths": {"HOST": {"auth": "!"}}}', "damaged"),
    ],
)
def test_damaged_credentials_raise_an_error(
    images: Images,
    host: str,
    other: OtherRegistry,
    docker_config: Path,
    config: str,
    message: str,
) -> None:
    """Only programs that are named like Docker's helpers are run."""
    other.closed = True
    docker_config.write_text(config.replace("HOST", host))
    with pytest.raises(TransferError, match=message):
        images.copy(f"{host}/app:1.0", "alice/app")


# Addresses


@pytest.mark.parametrize(
    ("text", "url", "name", "reference"),
    [
        ("registry.example/app:1", "https://registry.example", "app", "1"),
        ("registry.example:5000/a/b", "https://registry.example:5000", "a/b", None),
        ("localhost:5000/app", "http://localhost:5000", "app", None),
        ("localhost/app", "http://localhost", "app", None),
        ("127.0.0.9/app", "http://127.0.0.9", "app", None),
        ("[::1]:5000/app", "http://[::1]:5000", "app", None),
        ("https://localhost:5000/app", "https://localhost:5000", "app", None),
        ("http://plain.example/app", "http://plain.example", "app", None),
        ("plain.example/app", "http://plain.example", "app", None),
        ("docker.io/alpine:3", "https://registry-1.docker.io", "library/alpine", "3"),
        ("docker.io/a/b", "https://registry-1.docker.io", "a/b", None),
        ("docker://forge/app", "https://forge", "app", None),
        ("localhost.evil.example/app", "https://localhost.evil.example", "app", None),
        ("127.0.0.1.evil.example/app", "https://127.0.0.1.evil.example", "app", None),
    ],
)
def test_address_is_parsed_as_docker_does(
    text: str, url: str, name: str, reference: str | None
) -> None:
    """A connection without TLS needs permission."""
    found = parse_address(text, ["plain.example"])
    assert (found.url, found.name, found.reference) == (url, name, reference)


@pytest.mark.parametrize("text", ["alice/app:1", "app", "alice/app@sha256:" + "0" * 64])
def test_address_without_host_is_local(text: str) -> None:
    """The image is in this registry."""
    assert parse_address(text).host is None


@pytest.mark.parametrize(
    "text",
    [
        "http://registry.example/app",
        "ftp://registry.example/app",
        "user:secret@registry.example/app",
        "registry.example:port/app",
        "a.b\\c/app",
        "registry.example/App",
        "registry.example#.evil/app",
    ],
)
def test_ambiguous_address_is_rejected(text: str) -> None:
    """The address is invalid or ambiguous."""
    with pytest.raises(Exception, match=r"TLS|scheme|host|repository name"):
        parse_address(text)


WITHOUT_URLLIB3 = """
import sys
sys.modules["urllib3"] = None
from flask_oci.transfer.copying import Copier
Copier(None, None).copy("registry.example/app", "app")
"""


def test_copy_without_urllib3_names_the_extra() -> None:
    """The extension works without it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_URLLIB3], capture_output=True, check=False
    )
    assert (
        b"TransferError: To connect to other registries, install flask-oci[copy]"
        in (done.stderr)
    )


# Mirrors


def made(moment: str, layer: bytes = LAYER) -> bytes:
    """Return the config of an image with a build time."""
    return json.dumps({**json.loads(config_of(layer)), "created": moment}).encode()


@pytest.fixture(name="versions")
def _versions(other: OtherRegistry) -> dict[str, bytes]:
    """Five images; the one with the highest version is not the newest."""
    manifests = {}
    days = {"1.9": 3, "1.10": 4, "1.2": 2, "2.0-rc": 9, "dev": 1}
    for tag, day in days.items():
        config = made(f"2026-01-0{day}T00:00:00.123456789Z")
        manifests[tag] = image(LAYER, config=config)
        other.push("many", tag, manifest=manifests[tag], blobs=[config, LAYER])
    return manifests


def test_mirror_copies_changed_tags_only(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
) -> None:
    """Each layer is copied once."""
    source = f"{host}/many"
    done = images.mirror(source, "alice/app")
    assert {tag for tag, _ in done.images} == {*versions}
    assert not done.failed
    for tag, manifest in versions.items():
        assert pulled(alice, "alice/app", tag) == manifest
    assert other.count("GET", digest_of(LAYER)) == 1
    other.push("many", "dev", manifest=versions["1.9"], blobs=())
    other.asked.clear()
    again = images.mirror(source, "alice/app")
    assert (again.blobs, again.manifests, len(again.images)) == (0, 1, 5)
    assert pulled(alice, "alice/app", "dev") == versions["1.9"]
    assert other.count("GET", "/blobs/") == 0


@pytest.mark.parametrize("wanted", [{}, {"newest": 5}])
@pytest.mark.parametrize("jobs", [1, 4])
def test_mirror_writes_tags_in_the_order_of_their_images(
    app: Flask,
    images: Images,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
    wanted: dict[str, t.Any],
    jobs: int,
) -> None:
    """Retention rules compare when tags were pushed. An image that arrives first waits
    for older ones."""
    oldest = json.loads(versions["dev"])["config"]["digest"]
    asked, second = set[str](), threading.Event()

    class Slow(dict[str, bytes]):
        """Serves the oldest image when another one is transferred as well."""

        def __getitem__(self, digest: str) -> bytes:
            # The first request reads the build time.
            if digest in asked and digest == oldest:
                second.wait(0.2)
            elif digest in asked and digest != digest_of(LAYER):
                second.set()
            asked.add(digest)
            return super().__getitem__(digest)

    other.blobs = Slow(other.blobs)
    pushed: list[str] = []

    def note(sender: object, change: Change, **_: object) -> None:
        pushed.extend(change.tags)

    with manifest_pushed.connected_to(note, app):
        images.mirror(f"{host}/many", "alice/app", jobs=jobs, **wanted)
    assert pushed == ["dev", "1.2", "1.9", "1.10", "2.0-rc"]


@pytest.mark.parametrize(
    ("wanted", "tags"),
    [
        ({"tags": ["1.*"]}, ["1.10", "1.2", "1.9"]),
        ({"tags": ["1.*", "dev"], "exclude": ["*9"]}, ["1.10", "1.2", "dev"]),
        ({"newest": 2}, ["1.10", "2.0-rc"]),
        ({"newest": 2, "tags": ["1.*"]}, ["1.10", "1.9"]),
        ({"tags": ["none"]}, []),
    ],
)
def test_mirror_with_patterns_and_newest_selects_tags(
    images: Images,
    host: str,
    versions: dict[str, bytes],
    wanted: dict[str, t.Any],
    tags: list[str],
) -> None:
    """A dry run copies nothing."""
    found = images.mirror(f"{host}/many", "alice/app", dry_run=True, **wanted)
    assert sorted(str(tag) for tag, _ in found.images) == tags
    assert (found.blobs, found.manifests) == (0, 0)
    with pytest.raises(TransferError):
        images.get_manifest("alice/app", "1.9")


@pytest.mark.parametrize("dry_run", [True, False])
def test_mirror_newest_with_unreadable_images_copies_the_others(
    images: Images,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
    dry_run: bool,
) -> None:
    """An unreadable image has no build time."""
    schema_1 = "application/vnd.docker.distribution.manifest.v1+json"
    old = encoded({"schemaVersion": 1, "mediaType": schema_1, "fsLayers": []})
    other.push("many", "old", manifest=old, blobs=())
    missing = index(descriptor(image(b"nowhere"), OCI_MANIFEST))
    other.push("many", "missing", manifest=missing, blobs=())
    deep = [versions["2.0-rc"]]
    for _ in range(12):
        kind = OCI_INDEX if len(deep) > 1 else OCI_MANIFEST
        deep.append(index(descriptor(deep[-1], kind)))
        other.push("many", manifest=deep[-1], blobs=())
    other.push("many", "deep", manifest=deep[-1], blobs=())
    lied = image(b"lied")
    other.manifests["many", "lied"] = lied
    other.lies[digest_of(lied)] = digest_of(b"else")
    found = images.mirror(f"{host}/many", "alice/app", newest=2, dry_run=dry_run)
    assert [tag for tag, _ in found.images] == ["1.10", "2.0-rc"]
    assert not found.failed
    assert other.count("GET", digest_of(deep[1])) == 0
    found = images.mirror(f"{host}/many", "alice/app", newest=9, dry_run=dry_run)
    odd = {"deep", "lied", "missing", "old"}
    assert {*found.failed} == ({"lied"} if dry_run else odd)
    assert {tag for tag, _ in found.images} == {*versions, *odd} - {*found.failed}


def test_mirror_with_a_damaged_image_copies_the_others(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
) -> None:
    """The damaged image is reported."""
    config = json.loads(versions["1.9"])["config"]["digest"]
    kept = other.blobs.pop(config)
    done = images.mirror(f"{host}/many", "alice/app", jobs=2)
    assert list(done.failed) == ["1.9"]
    assert "answers 404" in done.failed["1.9"]
    assert alice.tags("alice/app") == ["1.10", "1.2", "2.0-rc", "dev"]
    other.blobs[config] = kept
    assert not images.mirror(f"{host}/many", "alice/app").failed
    assert len(alice.tags("alice/app")) == 5


@pytest.mark.parametrize("status", [403, 412, 500])
def test_mirror_with_a_refused_tag_copies_the_others(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some registries refuse images with known vulnerabilities, and others cannot read
    an image that their storage has lost."""
    monkeypatch.setattr("flask_oci.transfer.remote.retry.FIRST_WAIT", 0)
    refused = ("1.9", digest_of(versions["1.9"]))

    @other.app.before_request
    def refuse() -> Response | None:
        is_refused = request.path.endswith(tuple(f"/manifests/{r}" for r in refused))
        return Response(status=status) if is_refused else None

    for _ in range(2):
        done = images.mirror(f"{host}/many", "alice/app")
        assert list(done.failed) == ["1.9"]
        assert f"answers {status}" in done.failed["1.9"]
        assert alice.tags("alice/app") == ["1.10", "1.2", "2.0-rc", "dev"]


@pytest.mark.parametrize("odd", ["../../../victim/manifests/latest", "a b", "x" * 300])
def test_mirror_with_invalid_tags_reports_them(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    serve: Serve,
    odd: str,
) -> None:
    """An invalid tag of a registry leads to no other repository, and is not stored."""
    for name, tag in (("evil/odd", odd), ("evil/odd", "1.0"), ("victim", "latest")):
        other.push(name, tag, manifest=IMAGE, blobs=BLOBS)
    target = OtherRegistry()
    target.push("victim", "latest", manifest=ARM, blobs=BLOBS)
    for place in (f"127.0.0.1:{serve(target.app)}/me/mirror", "alice/app"):
        done = images.mirror(f"{host}/evil/odd", place)
        assert list(done.failed) == [odd]
        assert [tag for tag, _ in done.images] == ["1.0"]
    assert target.manifests["victim", "latest"] == ARM
    assert target.manifests["me/mirror", "1.0"] == IMAGE
    assert alice.tags("alice/app") == ["1.0"]


@pytest.mark.parametrize("odd", ["../../../victim/manifests/latest", "a b"])
def test_mirror_with_an_image_name_is_rejected(
    images: Images, host: str, odd: str
) -> None:
    """The error explains it."""
    with pytest.raises(TransferError, match="neither a tag nor a digest"):
        images.copy(f"{host}/app:{odd}", "alice/app:1.0")


def test_mirror_to_another_registry_copies_a_repository(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
) -> None:
    """Within one registry, nothing is sent."""
    images.mirror(f"{host}/many", "alice/app", tags=["1.*"])
    images.mirror("alice/app", f"{host}/copies/one")
    assert other.manifests["copies/one", "1.10"] == versions["1.10"]
    done = images.mirror(f"{host}/many", f"{host}/copies/two")
    assert done.blobs == 0
    assert other.manifests["copies/two", "dev"] == versions["dev"]


# At the command line


def test_copy_and_mirror_commands_copy_images(
    host: str, versions: dict[str, bytes], tmp_path: Path
) -> None:
    """Each runs in its own process, and a client pulls the result."""
    terminal = Terminal(tmp_path)
    alice = terminal.alice
    done = terminal.json("copy", f"{host}/app:1.0", "alice/app:mine", "--jobs", "2")
    assert done["images"] == [
        {"repository": "alice/app", "tag": "mine", "digest": digest_of(IMAGE)}
    ]
    assert pulled(alice, "alice/app", "mine") == IMAGE
    done = terminal.json("mirror", f"{host}/many", "alice/new", "--newest", "3")
    assert (len(done["images"]), done["failed"]) == (3, {})
    assert alice.tags("alice/new") == ["1.10", "1.9", "2.0-rc"]
    terminal.say("copy", f"{host}/none:1.0", "alice/app", status=1)
    terminal.say("copy", "http://registry.example/app:1", "alice/app", status=1)
    terminal.close()
