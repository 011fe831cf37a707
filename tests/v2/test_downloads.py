"""Downloads of blobs in a bucket that nginx or the store sends."""

from __future__ import annotations

import typing as t

import pytest
from werkzeug.test import TestResponse

from flask_oci.testing import MemoryBucket
from flask_oci.testing.manifests import digest_of
from tests.conftest import MakeApp
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

NAME = "alice/app"
CONTENT = bytes(i * 7 % 251 for i in range(1000))
DIGEST = digest_of(CONTENT)
PATH = f"/v2/{NAME}/blobs/{DIGEST}"
STORE = "https://store.example.com"


class SigningBucket(MemoryBucket):
    """A bucket of a host, which signs URLs."""

    def sign(  # type: ignore[override]
        self, key: str, seconds: int, *, is_public: bool = False
    ) -> str:
        """Return a URL with everything that the caller asked for."""
        host = STORE if is_public else "http://10.0.0.7:9000"
        return f"{host}/images/{key}?expires={seconds}&signature=secret"


@pytest.fixture(name="bucket")
def _bucket() -> SigningBucket:
    bucket = SigningBucket()
    bucket.name = "s3://images/oci"
    return bucket


@pytest.fixture(name="client_of")
def _client_of(
    make_app: MakeApp, bucket: MemoryBucket
) -> t.Callable[..., RegistryClient]:
    def client_of(user: str = "alice", **settings: object) -> RegistryClient:
        app = make_app(**{"OCI_STORAGE": bucket, **settings})
        alice = RegistryClient.of(app, "alice")
        alice.push_blob(NAME, CONTENT)
        return alice if user == "alice" else RegistryClient.of(app, user)

    return client_of


ClientOf = t.Callable[..., RegistryClient]

#: Requests that the registry answers itself in every mode: the headers, the status, and
#: the beginning of the body.
LOCAL: t.Final = (
    ({"If-None-Match": f'"{DIGEST}"'}, 304, b""),
    ({"Range": "bytes=0-9,20-29"}, 206, b"\r\n--"),
    ({"Range": "bytes=5000-"}, 416, b'{"errors"'),
    ({"Range": "bytes=9-0"}, 416, b'{"errors"'),
    ({"X-Oci-Downloads": "stream"}, 200, CONTENT),
)


def _is_delegated(response: TestResponse) -> bool:
    return bool({"Location", "X-Accel-Redirect"} & set(response.headers.keys()))


@pytest.mark.parametrize("mode", ["stream", "nginx", "redirect"])
def test_registry_answers_all_but_whole_blobs_and_single_ranges(
    client_of: ClientOf, mode: str
) -> None:
    """HEAD, 304, several ranges, 416, empty blobs and manifests need no store that
    answers clients."""
    alice = client_of(OCI_DOWNLOADS=mode)
    head = alice.head(PATH)
    assert (head.status_code, head.headers["Content-Length"]) == (200, "1000")
    assert not _is_delegated(head)
    for headers, status, body in LOCAL:
        response = alice.get(PATH, headers=headers)
        assert (response.status_code, response.data[: len(body)]) == (status, body)
        assert not _is_delegated(response)
    empty = alice.push_blob(NAME, b"")
    response = alice.get(f"/v2/{NAME}/blobs/{empty}", headers={"Range": "bytes=0-"})
    assert (response.status_code, response.data) == (200, b"")
    manifest = alice.push_image(NAME, "latest")
    response = alice.get(f"/v2/{NAME}/manifests/latest")
    assert (response.status_code, response.data) == (200, manifest)
    assert _is_delegated(alice.get(PATH)) == (mode != "stream")


def test_redirect_has_a_signed_url_and_is_not_stored(
    client_of: ClientOf, bucket: SigningBucket
) -> None:
    """The URL has the public endpoint, and expires soon. A cache that kept the redirect
    would send clients to an expired URL."""
    alice = client_of(OCI_DOWNLOADS="redirect")
    key = next(key for key, (body, _) in bucket.objects.items() if body == CONTENT)
    for headers in ({}, {"Range": "bytes=0-9"}):
        response = alice.get(PATH, headers=headers)
        assert response.status_code == 307
        assert response.data == b""
        assert response.headers["Location"] == (
            f"{STORE}/images/{key}?expires=300&signature=secret"
        )
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Docker-Content-Digest"] == DIGEST
        assert "ETag" not in response.headers
    # A store knows another version of the blob than the registry.
    condition = {"Range": "bytes=0-9", "If-Range": f'"{DIGEST}"'}
    assert alice.get(PATH, headers=condition).data == CONTENT[:10]


def test_nginx_gets_the_path_of_the_url_and_the_range(client_of: ClientOf) -> None:
    """The location names the store. The host is in nginx's configuration only."""
    alice = client_of(OCI_DOWNLOADS="nginx")
    whole = alice.get(PATH)
    location = whole.headers["X-Accel-Redirect"]
    assert location.startswith("/_oci_blobs/s3-images-oci/images/data/")
    assert location.endswith("?expires=300&signature=secret")
    assert (whole.status_code, whole.data) == (200, b"")
    assert whole.headers["Docker-Content-Digest"] == DIGEST
    assert whole.headers["ETag"] == f'"{DIGEST}"'
    assert "X-Oci-Range" not in whole.headers
    part = alice.get(PATH, headers={"Range": "bytes=-10"})
    assert part.headers["X-Oci-Range"] == "bytes=990-999"
    matching = {"Range": "bytes=0-9", "If-Range": f'"{DIGEST}"'}
    other = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert alice.get(PATH, headers=matching).headers["X-Oci-Range"] == "bytes=0-9"
    assert "X-Oci-Range" not in alice.get(PATH, headers=other).headers


@pytest.mark.parametrize("mode", ["nginx", "redirect"])
def test_url_is_given_only_to_clients_that_may_pull(
    client_of: ClientOf, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither strangers nor anonymous clients get a URL, and no client gets that of a
    blocked blob. No log has a signature."""
    alice = client_of(OCI_DOWNLOADS=mode)
    for client, status in (
        (RegistryClient.of(alice.app, "bob"), 404),
        (RegistryClient(alice.app), 401),
    ):
        response = client.get(PATH)
        assert response.status_code == status
        assert not _is_delegated(response)
    assert _is_delegated(alice.get(PATH))
    with alice.app.app_context():
        registry.blocks.add(DIGEST, path="*", reason="leaked")
    blocked = alice.get(PATH)
    assert blocked.status_code in (403, 451)
    assert not _is_delegated(blocked)
    assert "signature=" not in caplog.text


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("settings", "address", "status"),
    [
        ({"OCI_REDIRECT_EXCEPT_NETWORKS": ["10.1.0.0/16"]}, "10.1.2.3", 200),
        ({"OCI_REDIRECT_EXCEPT_NETWORKS": ["10.1.0.0/16"]}, "::ffff:10.1.2.3", 200),
        ({"OCI_REDIRECT_EXCEPT_NETWORKS": ["10.1.0.0/16"]}, "10.2.2.3", 307),
        # A server on a Unix socket does not know its clients.
        ({"OCI_REDIRECT_EXCEPT_NETWORKS": ["10.1.0.0/16"]}, "", 200),
        ({"OCI_REDIRECT_EXCEPT_REPOSITORIES": ["bob/*", NAME]}, "10.1.2.3", 200),
        ({"OCI_REDIRECT_EXCEPT_REPOSITORIES": ["alice/*"]}, "10.1.2.3", 200),
        ({"OCI_REDIRECT_EXCEPT_REPOSITORIES": ["alice/ap"]}, "10.1.2.3", 307),
    ],
)
def test_excepted_client_or_repository_is_not_redirected(
    client_of: ClientOf, settings: dict[str, t.Any], address: str, status: int
) -> None:
    """The application sends the bytes, or nginx does if it is configured."""
    environ = {"REMOTE_ADDR": address}
    alice = client_of(OCI_DOWNLOADS="redirect", **settings)
    response = alice.get(PATH, environ=environ)
    assert response.status_code == status
    assert response.data == (CONTENT if status == 200 else b"")
    nginx = client_of(OCI_DOWNLOADS="redirect", OCI_ACCEL_REDIRECT="/_b", **settings)
    response = nginx.get(PATH, environ=environ)
    assert response.status_code == status
    assert ("X-Accel-Redirect" in response.headers) == (status == 200)


@pytest.mark.parametrize("mode", ["nginx", "redirect"])
def test_blob_without_url_is_streamed(client_of: ClientOf, mode: str) -> None:
    """A store may sign nothing."""
    alice = client_of(OCI_STORAGE=MemoryBucket(), OCI_DOWNLOADS=mode)
    response = alice.get(PATH)
    assert (response.status_code, response.data) == (200, CONTENT)


def test_settings_that_contradict_each_other_fail_at_start(make_app: MakeApp) -> None:
    """The error names the key, and the way out."""
    spaced = "s3://images/with spaces"
    for settings, sentence in (
        ({"OCI_DOWNLOADS": "proxy"}, "must be 'stream', 'nginx' or 'redirect'"),
        (
            {"OCI_DOWNLOADS": "stream", "OCI_ACCEL_REDIRECT": "/_b"},
            "OCI_DOWNLOADS = 'stream' and OCI_ACCEL_REDIRECT contradict each other",
        ),
        ({"OCI_DOWNLOADS": "redirect"}, "needs an object store"),
        (
            {"OCI_DOWNLOADS": "nginx", "OCI_STORAGE": spaced},
            "cannot be used with 's3://images/with spaces'",
        ),
        (
            {
                "OCI_DOWNLOADS": "nginx",
                "OCI_STORAGE": "s3://images-a",
                "OCI_STORAGE_ALSO": ["s3://images/a"],
            },
            "cannot tell the stores apart",
        ),
        (
            {"OCI_REDIRECT_EXCEPT_REPOSITORIES": ["alice/"]},
            "must be a list of repositories and paths such as",
        ),
        (
            {"OCI_STORAGE": "s3://a?public_endpoint=store"},
            "must have a public_endpoint such as https://",
        ),
    ):
        with pytest.raises(ValueError, match="OCI_") as error:
            make_app(**settings)
        assert sentence in str(error.value)
