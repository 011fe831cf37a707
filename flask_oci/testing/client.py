"""Clients of a registry: one with fixed credentials, and one that works like docker."""

from __future__ import annotations

import copy
import json
import re
import typing as t
from collections.abc import Mapping

from .answers import expect
from .images import Image
from .images import make_image
from .manifests import CONFIG
from .manifests import digest_of
from .manifests import image
from .manifests import Json
from .manifests import LAYER
from .manifests import media_type_of
from .requests import basic
from .requests import Requests
from .requests import with_query

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from werkzeug.test import TestResponse

#: Makes pytest show the failed line of the test instead of the lines here.
__tracebackhide__ = True

C = t.TypeVar("C", bound="RegistryClient")

#: One parameter of a ``WWW-Authenticate`` header.
_PARAMETER: t.Final = re.compile(r'(\w+)="([^"]*)"')


class RegistryClient(Requests):
    """A client that sends the same credentials with each request.

    :param app: the application, with its middlewares.
    :param authorization: the header of every request, if any.
    :param url: the address of the application, as the client knows it.

    Methods that push or pull raise :exc:`Refused` if they fail. To test a response,
    send a request instead.
    """

    @property
    def who(self) -> str:
        """The name of the client in messages."""
        return "a client" if self.authorization else "anonymous"

    def bearer(self: C, *scopes: str) -> C:
        """Return a client with a token that this one requests.

        :param scopes: the scopes of the token, such as ``repository:alice/app:pull``.
        """
        response = self._expect(200, self.get("/v2/token", query={"scope": scopes}))
        made = copy.copy(self)
        made.authorization = f"Bearer {response.get_json()['token']}"
        return made

    def push(
        self, name: str, tag: str | None = None, image: Image | None = None
    ) -> Image:
        """Push an image with all its content, and return it.

        :param tag: the tag; without one, the image is pushed by digest.
        :param image: the image, index or artifact; by default a new image.
        :raises Refused: if the registry refuses it.
        """
        image = image or make_image()
        for digest in image.blobs:
            self.push_blob(name, image.contents[digest], digest.partition(":")[0])
        for digest in image.manifests:
            reference, query = digest, {}
            if tag and digest == image.digest:
                # A manifest that is pushed by tag gets its sha256 digest.
                if digest.startswith("sha256:"):
                    reference = tag
                else:
                    query = {"tag": tag}
            content = image.contents[digest]
            self._expect(201, self.put_manifest(name, reference, content, query=query))
        return image

    def pull(self, name: str, reference: str) -> Image:
        """Pull an image with all its content.

        :param reference: a tag or a digest.
        :raises Refused: if the registry refuses it.
        :raises AssertionError: if content does not match its digest.
        """
        answer = self._expect(200, self.get(f"/v2/{name}/manifests/{reference}"))
        digest = answer.headers["Docker-Content-Digest"]
        contents = {digest: _checked(digest, answer.data)}
        manifest = json.loads(answer.data)
        for child in manifest.get("manifests") or ():
            contents |= self.pull(name, child["digest"]).contents
        config = [manifest["config"]] if "config" in manifest else []
        for blob in (*config, *(manifest.get("layers") or ())):
            contents[blob["digest"]] = self.blob(name, blob["digest"])
        return Image(answer.headers["Content-Type"], digest, contents)

    def blob(self, name: str, digest: str) -> bytes:
        """Pull a blob.

        :raises Refused: if the registry refuses it.
        :raises AssertionError: if it does not match its digest.
        """
        response = self._expect(200, self.get(f"/v2/{name}/blobs/{digest}"))
        return _checked(digest, response.data)

    def start_upload(self, name: str, **query: str) -> str:
        """Start an upload session, and return its location."""
        response = self.post(f"/v2/{name}/blobs/uploads/", query=query)
        return self._expect(202, response).headers["Location"]

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push a blob in one request, and return its digest."""
        digest = digest_of(content, algorithm)
        path = f"/v2/{name}/blobs/uploads/"
        self._expect(201, self.post(path, content, query={"digest": digest}))
        return digest

    def put_manifest(
        self,
        name: str,
        reference: str,
        content: bytes,
        media_type: str | None = None,
        **kwargs: t.Any,
    ) -> TestResponse:
        """Send a manifest, with its media type or another one, and return the
        response."""
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
        self._expect(201, self.put_manifest(name, reference or digest, content))
        return digest

    def push_image(
        self, name: str, reference: str | None = None, layer: bytes = LAYER, **kw: t.Any
    ) -> bytes:
        """Push an image of one arbitrary layer, and return its manifest.

        :param kw: as for :func:`flask_oci.testing.manifests.image`.
        """
        manifest = image(layer, **kw)
        self.push_blob(name, kw.get("config", CONFIG))
        self.push_blob(name, layer)
        self.push_manifest(name, manifest, reference)
        return manifest

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository."""
        response = self._expect(200, self.get(f"/v2/{name}/tags/list"))
        return t.cast("list[str]", response.get_json()["tags"])

    def referrers(self, name: str, digest: str) -> list[Json]:
        """Return the descriptors of the manifests with this subject."""
        response = self._expect(200, self.get(f"/v2/{name}/referrers/{digest}"))
        return t.cast("list[Json]", response.get_json()["manifests"])

    def delete_manifest(self, name: str, reference: str) -> None:
        """Delete a manifest by its digest, or a tag."""
        self._expect(202, self.delete(f"/v2/{name}/manifests/{reference}"))

    def delete_blob(self, name: str, digest: str) -> None:
        """Delete a blob from a repository."""
        self._expect(202, self.delete(f"/v2/{name}/blobs/{digest}"))

    def pages(self, path: str, key: str) -> t.Iterator[list[t.Any]]:
        """Follow the links of a list to its end.

        :param key: the key of the list in each response, such as ``tags``.
        """
        while True:
            response = self._expect(200, self.get(path))
            yield response.get_json()[key]
            link = response.headers.get("Link")
            if link is None:
                return
            found = re.fullmatch(r'<(/v2/[^>]+)>; rel="next"', link)
            if not found:
                raise AssertionError(f"Invalid link header of {path}: {link}")
            path = found[1]

    def _expect(self, status: int, response: TestResponse) -> TestResponse:
        return expect(response, status, who=self.who)


class DockerClient(RegistryClient):
    """A client that works like docker: it sends no credentials before a challenge,
    requests a token from the realm of the challenge, and pushes blobs as docker does.

    :param app: the application, with its middlewares.
    :param username: the user who has logged in; empty for an anonymous client.
    :param secret: the password, or an access token.
    :param url: the address of the application, as the client knows it.
    """

    def __init__(
        self,
        app: WSGIApplication,
        username: str = "",
        secret: str = "",
        url: str = "http://localhost",
    ) -> None:
        super().__init__(app, url=url)
        self.username = username
        self._secret = secret
        self._tokens: dict[str, str] = {}

    @property
    def who(self) -> str:
        """The name of the client in messages."""
        return self.username or "anonymous"

    def login(self) -> int:
        """Send the requests of ``docker login``, and return the final status: 200 or
        401."""
        return self.get("/v2/").status_code

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **kwargs: t.Any,
    ) -> TestResponse:
        """Send a request, and repeat it with a token if the registry asks for one.

        If no token is issued, return the response of the token service.
        """

        def send(**credentials: str) -> TestResponse:
            sent = {"Accept-Encoding": "gzip", **(headers or {}), **credentials}
            return self.send(method, path, body, headers=sent, **kwargs)

        response = send()
        if response.status_code != 401 or self.authorization:
            return response
        response.close()
        address = _token_url(response.headers["WWW-Authenticate"])
        if address in self._tokens:
            response = send(Authorization=f"Bearer {self._tokens[address]}")
            # A token grants only the permissions from when it was issued.
            if response.status_code != 401:
                return response
            response.close()
        answer = self._ask(address)
        if answer.status_code != 200:
            return answer
        self._tokens[address] = answer.get_json()["token"]
        return send(Authorization=f"Bearer {self._tokens[address]}")

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push a blob: a HEAD, a POST, a PATCH of unknown length, and a PUT."""
        digest = digest_of(content, algorithm)
        if self.head(f"/v2/{name}/blobs/{digest}").status_code == 200:
            return digest
        patched = self.patch(self.start_upload(name), content, chunked=True)
        location = self._expect(202, patched).headers["Location"]
        self._expect(201, self.put(with_query(location, digest=digest), b""))
        return digest

    def _ask(self, address: str) -> TestResponse:
        account = basic(self.username, self._secret)
        headers = {"Authorization": account} if self.username else {}
        return self.send("GET", address, headers=headers)


class MakeClient(t.Protocol):
    """The type of the fixture ``oci_client``."""

    def __call__(
        self, username: str = "", secret: str = "", /, url: str = "http://localhost"
    ) -> DockerClient:
        """Return a client of a user; without a name, an anonymous one."""


def _token_url(challenge: str) -> str:
    """Return the URL of the token request for a challenge."""
    asked = dict(_PARAMETER.findall(challenge))
    if not challenge.startswith("Bearer ") or "realm" not in asked:
        raise AssertionError(f"The challenge has no Bearer realm: {challenge}")
    # The request for a token does not include the error of an earlier token.
    asked.pop("error", None)
    return with_query(asked.pop("realm"), **asked)


def _checked(digest: str, content: bytes) -> bytes:
    found = digest_of(content, digest.partition(":")[0])
    if found != digest:
        raise AssertionError(f"Expected {digest}, got {found}")
    return content
