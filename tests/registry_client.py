"""A client of the registry, and the content that tests push with it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.test import TestResponse

from host import PASSWORDS

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCTETS = "application/octet-stream"

#: "A `4XX` response code [...] MUST be one of the following" (spec.md, "Error
#: Codes").
ERROR_CODES = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "DENIED",
        "UNSUPPORTED",
        "TOOMANYREQUESTS",
    }
)

#: Tags by which a client attaches something to an image.
ATTACHED = (
    f"sha256-{'0' * 64}",
    *(f"sha256-{'a' * 64}.{suffix}" for suffix in ("sig", "att", "sbom")),
    f"sha512-{'f' * 64}",
)

#: Tags that nearly are some of these.
LOOKS_ATTACHED = (
    "sha256-v2",
    f"sha256-{'v' * 64}",
    f"sha256-{'0' * 63}.sig",
    f"sha256-{'G' * 64}.sig",
    f"SHA256-{'0' * 64}.sig",
    f"sha256-{'A' * 64}.sig",
    f"sha256-{'0' * 64}.exe",
    f"sha256-{'0' * 64}.sig2",
    f"sha256-{'0' * 64}-sig",
    f"x-sha256-{'0' * 64}",
    f"sha384-{'0' * 64}",
    f"md5-{'0' * 32}",
)

Json = dict[str, t.Any]
Query = Mapping[str, "str | Iterable[str]"]


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the name of some content."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


#: The digest of something that no test ever pushes.
UNKNOWN = digest_of(b"nobody has pushed this")
#: A well-formed session id that no registry has given out.
NO_SESSION = "00000000-0000-4000-8000-000000000000"

CONFIG = b'{"architecture":"amd64","os":"linux"}'
LAYER = b"a layer"


def descriptor(content: bytes, media_type: str = OCI_LAYER, **fields: object) -> Json:
    """Describe content in the way a manifest does."""
    return {
        "mediaType": media_type,
        "digest": digest_of(content),
        "size": len(content),
        **fields,
    }


def encoded(fields: object) -> bytes:
    """Write a JSON document; the same fields are the same bytes."""
    return json.dumps(fields, indent=2).encode()


def image(
    *layers: bytes | Json,
    config: bytes | Json = CONFIG,
    docker: bool = False,
    **fields: object,
) -> bytes:
    """Write an image manifest.

    :param layers: their content, or descriptors where the usual ones will not do.
    :param config: the same.
    :param docker: as Docker had it before there was an OCI.
    :param fields: more fields, or others for those that it has.
    """
    config_type = (
        "application/vnd.docker.container.image.v1+json" if docker else OCI_CONFIG
    )
    return encoded(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": _described(config, config_type),
            "layers": [_described(layer, OCI_LAYER) for layer in layers],
            **fields,
        }
    )


def index(*children: Json, docker: bool = False, **fields: object) -> bytes:
    """Write an image index of what the descriptors describe."""
    return encoded(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_LIST if docker else OCI_INDEX,
            "manifests": list(children),
            **fields,
        }
    )


def _described(content: bytes | Json, media_type: str) -> Json:
    return content if isinstance(content, dict) else descriptor(content, media_type)


def media_type_of(manifest: bytes) -> str:
    """Return the media type that a manifest says it has."""
    return t.cast(str, json.loads(manifest)["mediaType"])


def basic(username: str, password: str) -> str:
    """Write an Authorization header with a password."""
    secret = base64.b64encode(f"{username}:{password}".encode()).decode()
    return f"Basic {secret}"


def refusal(response: TestResponse) -> tuple[int, str]:
    """Return the status and the code of an error, which must be well-formed."""
    entries = errors(response)
    codes = {entry["code"] for entry in entries}
    assert len(codes) == 1, entries
    return response.status_code, codes.pop()


def errors(response: TestResponse) -> list[dict[str, str]]:
    """Return the entries of an error in the form that spec.md demands."""
    assert 400 <= response.status_code < 600, (response.status, response.data[:500])
    assert response.content_type == "application/json", response.headers
    body = json.loads(response.data)
    assert set(body) == {"errors"}
    assert body["errors"]
    for entry in body["errors"]:
        assert set(entry) <= {"code", "message", "detail"}
        assert all(isinstance(value, str) for value in entry.values())
        assert entry["message"]
        if response.status_code < 500:
            assert entry["code"] in ERROR_CODES
    return t.cast("list[dict[str, str]]", body["errors"])


def with_query(location: str, **query: str) -> str:
    """Append parameters to a location that may have some."""
    return f"{location}{'&' if '?' in location else '?'}{urlencode(query)}"


class RegistryClient:
    """Somebody who talks HTTP to the registry of an application.

    :param authorization: the header that every request carries, if any.
    """

    def __init__(self, app: Flask, authorization: str | None = None) -> None:
        self.app = app
        self.authorization = authorization
        self._client = app.test_client(use_cookies=False)

    @classmethod
    def of(cls, app: Flask, username: str) -> RegistryClient:
        """Return a client that sends the password of a user each time."""
        return cls(app, basic(username, PASSWORDS[username]))

    def bearer(self, *scopes: str) -> RegistryClient:
        """Return a client with a token that this one gets for some scopes."""
        response = self.get("/v2/token", query={"service": "forge", "scope": scopes})
        assert response.status_code == 200, response.data
        return RegistryClient(self.app, f"Bearer {response.get_json()['token']}")

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
        chunked: bool = False,
        environ: Mapping[str, object] | None = None,
        buffered: bool = True,
    ) -> TestResponse:
        """Send a request.

        :param chunked: whether the body comes as it does from a client that does
            not announce its length.
        :param environ: keys of the WSGI environment, behind all others.
        :param buffered: whether to read the answer to its end and close it; who
            says no has to close it.
        """
        if query:
            path = f"{path}{'&' if '?' in path else '?'}{urlencode(query, doseq=True)}"
        sent = Headers(self._credentials())
        sent.update(headers or {})
        builder = EnvironBuilder(
            path=path,
            method=method,
            headers=sent,
            data=body,
            environ_overrides={
                **(_CHUNKED if chunked else {}),
                **(environ or {}),
            },
        )
        try:
            return self._client.open(builder, buffered=buffered)
        finally:
            builder.close()

    def get(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a GET."""
        return self.request("GET", path, **kwargs)

    def head(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a HEAD."""
        return self.request("HEAD", path, **kwargs)

    def post(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a POST."""
        return self.request("POST", path, body, **kw)

    def put(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a PUT."""
        return self.request("PUT", path, body, **kw)

    def patch(self, path: str, body: bytes | None = None, **kw: t.Any) -> TestResponse:
        """Send a PATCH."""
        return self.request("PATCH", path, body, **kw)

    def delete(self, path: str, **kwargs: t.Any) -> TestResponse:
        """Send a DELETE."""
        return self.request("DELETE", path, **kwargs)

    def start_upload(self, name: str, **query: str) -> str:
        """Begin an upload session, and return its location."""
        response = self.post(f"/v2/{name}/blobs/uploads/", query=query)
        assert response.status_code == 202, response.data
        return response.headers["Location"]

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push a blob, and return its digest."""
        digest = digest_of(content, algorithm)
        path = f"/v2/{name}/blobs/uploads/"
        response = self.post(path, content, query={"digest": digest})
        assert response.status_code == 201, response.data
        return digest

    def put_manifest(
        self,
        name: str,
        reference: str,
        content: bytes,
        media_type: str | None = None,
        **kwargs: t.Any,
    ) -> TestResponse:
        """Send a manifest, with the media type that it says it has or another."""
        return self.put(
            f"/v2/{name}/manifests/{reference}",
            content,
            headers={"Content-Type": media_type or media_type_of(content)},
            **kwargs,
        )

    def push_manifest(
        self, name: str, content: bytes, reference: str | None = None
    ) -> str:
        """Push a manifest, by its digest or as a tag, and return its digest."""
        digest = digest_of(content)
        response = self.put_manifest(name, reference or digest, content)
        assert response.status_code == 201, response.data
        return digest

    def push_image(
        self, name: str, reference: str | None = None, layer: bytes = LAYER, **kw: t.Any
    ) -> bytes:
        """Push an image of one layer, and return its manifest."""
        manifest = image(layer, **kw)
        self.push_blob(name, kw.get("config", CONFIG))
        self.push_blob(name, layer)
        self.push_manifest(name, manifest, reference)
        return manifest

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository."""
        response = self.get(f"/v2/{name}/tags/list")
        assert response.status_code == 200, response.data
        return t.cast("list[str]", response.get_json()["tags"])

    def pages(self, path: str, key: str) -> t.Iterator[list[t.Any]]:
        """Follow the links of a list to its end."""
        while True:
            response = self.get(path)
            assert response.status_code == 200, response.data
            yield response.get_json()[key]
            link = response.headers.get("Link")
            if link is None:
                return
            target, _, rel = link.partition(">; ")
            assert rel == 'rel="next"'
            assert target.startswith("</v2/")
            path = target[1:]

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": self.authorization} if self.authorization else {}


class Source:
    """A body that a test looks after while it is read.

    :param on_read: called before each read.
    """

    def __init__(
        self, content: bytes, on_read: t.Callable[[], object] | None = None
    ) -> None:
        self._rest = io.BytesIO(content)
        self._on_read = on_read
        self.reads: list[int] = []
        """How many bytes were asked for each time; -1 is for all of them."""

    def read(self, size: int = -1) -> bytes:
        """Return what a server would."""
        self.reads.append(size)
        if self._on_read:
            self._on_read()
        return self._rest.read(size)

    def environ(self, length: int | None) -> dict[str, object]:
        """Return the WSGI environment of a request with this body.

        :param length: what its Content-Length says; None is a chunked body.
        """
        if length is None:
            return {**_CHUNKED, "wsgi.input": self}
        return {"CONTENT_LENGTH": str(length), "wsgi.input": self}


#: What a server makes of a body without a length.
_CHUNKED = {
    "CONTENT_LENGTH": "",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}
