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
    """What Docker keeps: nothing yet. Nobody waits for long."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    return folder / "config.json"


def log_in(file: Path, host: str, login: str) -> None:
    """Do as ``docker login`` does."""
    auth = login.removeprefix("Basic ")
    file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))


@pytest.fixture(name="images")
def _images(app: Flask) -> t.Iterator[Images]:
    """The host's own code, within an application context."""
    with app.app_context():
        yield registry.images


@pytest.fixture(name="other")
def _other() -> OtherRegistry:
    """A registry of somebody else, with an image, an index, and a signature."""
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
    """Where that registry is."""
    return f"127.0.0.1:{serve(other.app)}"


def test_from_another_registry(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """An index comes with all of its platforms, and with what signs them, byte for
    byte, from a registry that has no list of referrers but a tag."""
    images.copy(f"{host}/app", "alice/app", referrers=True)
    assert alice.tags("alice/app") == ["latest"]
    assert pulled(alice, "alice/app", "latest") == INDEX
    path = f"/v2/alice/app/referrers/{digest_of(ARM)}"
    (listed,) = alice.get(path).get_json()["manifests"]
    assert pulled(alice, "alice/app", listed["digest"]) == SIGNATURE
    before = len(other.seen)
    again = images.copy(f"{host}/app", "alice/app", referrers=True)
    assert (again.blobs, again.manifests, len(other.seen)) == (0, 0, before)


def test_to_another_registry(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """The same way back; where there is no list of referrers, the tag that stands in
    for it is kept."""
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


def test_from_and_to_a_registry_like_this_one(
    app: Flask, images: Images, alice: RegistryClient, serve: Serve, docker_config: Path
) -> None:
    """Tokens are had with Docker's credentials, referrers from the list of them, and
    what goes to the same registry is not sent at all."""
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


def test_within_this_registry(images: Images, alice: RegistryClient) -> None:
    """Nothing is read: the other repository is told that it may have the blobs."""
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


def test_a_platform(images: Images, alice: RegistryClient, host: str) -> None:
    """One image of an index can be had alone."""
    images.copy(f"{host}/app:latest", "alice/app", platforms=["linux/arm64"])
    assert pulled(alice, "alice/app", "latest") == ARM


# What may go wrong


def test_another_try(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """A registry that is busy is asked again; one that stays so is told of."""
    other.broken = [503, 429, 500]
    images.copy(f"{host}/app:1.0", "alice/app")
    assert pulled(alice, "alice/app", "1.0") == IMAGE
    other.broken = [503] * 20
    with pytest.raises(TransferError, match=f"{host} answers 503 to GET"):
        images.copy(f"{host}/app:latest", "alice/app")


def test_an_upload_that_fails_is_begun_anew(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """A blob can only be sent from its beginning, and is."""
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
def test_what_could_not_be_listed_is_listed_the_next_time(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    source: str,
    target: str,
) -> None:
    """A signature that is there, and that the tag in the place of the referrers API
    does not tell of, is no signature to anybody."""
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


def test_what_is_listed_at_once_is_all_listed(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """Several that move images keep one list, and none forgets the others' entries."""
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


def test_a_download_that_breaks_off_goes_on(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """What has come need not come again."""
    layer = bytes(range(256)) * 40
    manifest = image(layer)
    other.push("app", "big", manifest=manifest, blobs=[layer])
    other.cut = 4000
    images.copy(f"{host}/app:big", "alice/app")
    assert pulled(alice, "alice/app", "big") == manifest
    assert other.count("GET", digest_of(layer)) == 3


def test_a_registry_that_lies(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """Other bytes than those that a digest names are nobody's image."""
    other.blobs[digest_of(LAYER)] = b"A LAYER"
    with pytest.raises(Exception, match="another digest"):
        images.copy(f"{host}/app:1.0", "alice/app")
    other.manifests["app", digest_of(ARM)] = IMAGE
    with pytest.raises(TransferError, match="does not match its digest"):
        images.copy(f"{host}/app@{digest_of(ARM)}", "alice/app:2.0")
    assert alice.get("/v2/alice/app/tags/list").get_json()["tags"] == []


@pytest.mark.parametrize("answer", [b"[" * 100_000, b'{"token": 1', b"{}", b"[]"])
def test_a_token_service_that_makes_no_sense(
    images: Images, host: str, other: OtherRegistry, answer: bytes
) -> None:
    """Whatever it answers, there is a sentence about it."""
    other.uses, other.answer = 1, answer
    with pytest.raises(TransferError, match="returned no token"):
        images.copy(f"{host}/app:1.0", "alice/app")


def test_nothing_there(images: Images, host: str) -> None:
    """A tag, a repository or a registry that is not there is told of by its name."""
    with pytest.raises(TransferError, match=r"no 2\.0 in 127\.0\.0\.1:\d+/app"):
        images.copy(f"{host}/app:2.0", "alice/app")
    with pytest.raises(TransferError, match="does not respond"):
        images.copy("127.0.0.1:1/app:2.0", "alice/app")
    with pytest.raises(TransferError, match="no repository alice/none"):
        images.copy("alice/none:1.0", "alice/app")


# Credentials


def test_a_password(
    images: Images, host: str, other: OtherRegistry, docker_config: Path
) -> None:
    """What Docker keeps is what is sent; without it, the message says what to do."""
    other.closed = True
    with pytest.raises(TransferError, match=f"'docker login {host}'"):
        images.copy(f"{host}/app:1.0", "alice/app")
    log_in(docker_config, host, LOGIN)
    images.copy(f"{host}/app:1.0", "alice/app")
    assert set(other.seen) == {LOGIN}


def test_tokens_that_end(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    docker_config: Path,
) -> None:
    """A token that ends on the way is replaced, in the middle of an upload as well."""
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


def test_no_token_for_what_is_being_sent(
    images: Images, alice: RegistryClient, host: str, other: OtherRegistry
) -> None:
    """A token ends while its service is away: that image is told of, and the others
    are there."""
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
def test_a_registry_that_leads_nowhere(
    images: Images, host: str, other: OtherRegistry, docker_config: Path, where: str
) -> None:
    """What is no address is told of, whether a blob or a token is said to be there."""

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


def test_a_refresh_token(
    app: Flask, images: Images, alice: RegistryClient, serve: Serve, docker_config: Path
) -> None:
    """Docker keeps one in the place of a password, where a registry gives it."""
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


def test_a_password_goes_to_nobody_else(
    images: Images, alice: RegistryClient, serve: Serve, docker_config: Path
) -> None:
    """A registry may send whoever wants a blob on; the password stays behind."""
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
    # It may ask for one, and then it is told nothing, nor is its token service.
    second.uses = 1
    with pytest.raises(TransferError, match="answers 401"):
        images.copy(f"{host}/app:1.0", "alice/third")
    assert second.count("GET", "/token?") == 0
    # Nor is anybody led out of this machine without TLS.
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
def test_a_program_that_keeps_passwords(
    images: Images,
    host: str,
    other: OtherRegistry,
    docker_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    """Docker's own programs are asked in Docker's way."""
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
def test_what_docker_keeps_is_damaged(
    images: Images,
    host: str,
    other: OtherRegistry,
    docker_config: Path,
    config: str,
    message: str,
) -> None:
    """It is told of, and no program is run that is not one of Docker's."""
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
def test_addresses(text: str, url: str, name: str, reference: str | None) -> None:
    """They are written as with Docker, and TLS is only left out where it may be."""
    found = parse_address(text, ["plain.example"])
    assert (found.url, found.name, found.reference) == (url, name, reference)


@pytest.mark.parametrize("text", ["alice/app:1", "app", "alice/app@sha256:" + "0" * 64])
def test_addresses_of_this_registry(text: str) -> None:
    """Without a host, an image is here."""
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
def test_no_addresses(text: str) -> None:
    """What could be read in two ways is refused."""
    with pytest.raises(Exception, match=r"TLS|scheme|host|repository name"):
        parse_address(text)


WITHOUT_URLLIB3 = """
import sys
sys.modules["urllib3"] = None
from flask_oci.transfer.copying import Copier
Copier(None, None).copy("registry.example/app", "app")
"""


def test_without_the_library() -> None:
    """The extension does without it, and says what to install to copy images."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_URLLIB3], capture_output=True, check=False
    )
    assert (
        b"TransferError: To connect to other registries, install flask-oci[copy]"
        in (done.stderr)
    )


# Mirrors


def made(moment: str, layer: bytes = LAYER) -> bytes:
    """Return the config of an image that was made at a moment."""
    return json.dumps({**json.loads(config_of(layer)), "created": moment}).encode()


@pytest.fixture(name="versions")
def _versions(other: OtherRegistry) -> dict[str, bytes]:
    """Five images, of which the one with the highest version is not the newest."""
    manifests = {}
    days = {"1.9": 3, "1.10": 4, "1.2": 2, "2.0-rc": 9, "dev": 1}
    for tag, day in days.items():
        config = made(f"2026-01-0{day}T00:00:00.123456789Z")
        manifests[tag] = image(LAYER, config=config)
        other.push("many", tag, manifest=manifests[tag], blobs=[config, LAYER])
    return manifests


def test_a_mirror(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
) -> None:
    """All tags come, each layer once; the next time, only what has changed."""
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
def test_what_a_mirror_takes(
    images: Images,
    host: str,
    versions: dict[str, bytes],
    wanted: dict[str, t.Any],
    tags: list[str],
) -> None:
    """Patterns, and the newest of what matches them; a dry run moves nothing."""
    found = images.mirror(f"{host}/many", "alice/app", dry_run=True, **wanted)
    assert sorted(str(tag) for tag, _ in found.images) == tags
    assert (found.blobs, found.manifests) == (0, 0)
    with pytest.raises(TransferError):
        images.get_manifest("alice/app", "1.9")


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_newest_beside_what_cannot_be_read(
    images: Images,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
    dry_run: bool,
) -> None:
    """A tag that is odd does not say when it was made, and keeps no other away."""
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
    assert [tag for tag, _ in found.images] == ["2.0-rc", "1.10"]
    assert not found.failed
    assert other.count("GET", digest_of(deep[1])) == 0
    found = images.mirror(f"{host}/many", "alice/app", newest=9, dry_run=dry_run)
    odd = {"deep", "lied", "missing", "old"}
    assert {*found.failed} == ({"lied"} if dry_run else odd)
    assert {tag for tag, _ in found.images} == {*versions, *odd} - {*found.failed}


def test_a_mirror_goes_on(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
) -> None:
    """One image that is damaged does not keep the others from coming."""
    config = json.loads(versions["1.9"])["config"]["digest"]
    kept = other.blobs.pop(config)
    done = images.mirror(f"{host}/many", "alice/app", jobs=2)
    assert list(done.failed) == ["1.9"]
    assert "answers 404" in done.failed["1.9"]
    assert alice.tags("alice/app") == ["1.10", "1.2", "2.0-rc", "dev"]
    other.blobs[config] = kept
    assert not images.mirror(f"{host}/many", "alice/app").failed
    assert len(alice.tags("alice/app")) == 5


@pytest.mark.parametrize("odd", ["../../../victim/manifests/latest", "a b", "x" * 300])
def test_a_mirror_of_what_are_no_tags(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    serve: Serve,
    odd: str,
) -> None:
    """A registry may call anything a tag: it does not lead to another repository, nor
    is it kept here. It is told of, and the others come."""
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
def test_a_name_that_is_no_tag(images: Images, host: str, odd: str) -> None:
    """Whoever types one is told so; nothing else is meant by it."""
    with pytest.raises(TransferError, match="neither a tag nor a digest"):
        images.copy(f"{host}/app:{odd}", "alice/app:1.0")


def test_a_mirror_elsewhere(
    images: Images,
    alice: RegistryClient,
    host: str,
    other: OtherRegistry,
    versions: dict[str, bytes],
) -> None:
    """A repository goes out as it comes in, and within one registry nothing is sent."""
    images.mirror(f"{host}/many", "alice/app", tags=["1.*"])
    images.mirror("alice/app", f"{host}/copies/one")
    assert other.manifests["copies/one", "1.10"] == versions["1.10"]
    done = images.mirror(f"{host}/many", f"{host}/copies/two")
    assert done.blobs == 0
    assert other.manifests["copies/two", "dev"] == versions["dev"]


# At the command line


def test_commands(host: str, versions: dict[str, bytes], tmp_path: Path) -> None:
    """A copy and a mirror, each in a process of its own, and pulled by a client."""
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
