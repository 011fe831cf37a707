"""Another registry, in memory, with the behaviour of widespread registries."""

from __future__ import annotations

import json
import typing as t
import uuid
from collections.abc import Iterable
from urllib.parse import parse_qs

from flask import Flask
from flask import redirect
from flask import request
from flask import Response

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import media_type_of
from flask_oci.testing.requests import basic

#: The only accepted credentials of a closed registry.
LOGIN = basic("robot", "sesame:open")


class OtherRegistry:
    """A registry in memory, without a referrers API.

    :param closed: whether it requires a password.
    """

    def __init__(self, *, closed: bool = False) -> None:
        self.app = Flask("other")
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.closed = closed
        self.elsewhere: str | None = None
        """The server to which it redirects requests for blobs."""

        self.uses: int | None = None
        """The number of requests that a token allows; None is no token service."""

        self.lies: dict[str, str] = {}
        """The wrong digests that it reports, by the true digest of a manifest."""

        self.answer: bytes | None = None
        """The answer of a broken token service."""

        self._token, self._left = "", 0
        self.broken: list[int] = []
        """The error statuses of the next requests."""

        self.cut: int = 0
        """The number of bytes after which the answer with a blob breaks off."""

        self.pause: t.Callable[[], object] = lambda: None
        """Called in the middle of each blob."""

        self.asked: list[tuple[str, str]] = []
        """The method and path of each request."""

        self.seen: list[str | None] = []
        """The credentials of each request for a blob."""

        self.before: t.Callable[[], Response | None] = lambda: None
        """Called before each request; it may answer instead of the registry."""

        self.headers: dict[str, str] = {}
        """Headers of each response."""

        self.app.before_request(self._admit)
        self.app.after_request(self._add_headers)
        rules: tuple[tuple[str, str, t.Any], ...] = (
            ("GET", "/v2/<path:name>/manifests/<reference>", self._get),
            ("PUT", "/v2/<path:name>/manifests/<reference>", self._put),
            ("GET", "/v2/<path:name>/blobs/<digest>", self._blob),
            ("POST", "/v2/<path:name>/blobs/uploads/", self._start),
            ("PUT", "/upload/<uuid>", self._finish),
            ("GET", "/v2/<path:name>/tags/list", self._tags),
        )
        for method, rule, view in rules:
            self.app.add_url_rule(rule, view.__name__, view, methods=[method])

    def push(
        self, name: str, *tags: str, manifest: bytes, blobs: Iterable[bytes]
    ) -> None:
        """Store an image directly, without requests."""
        for blob in blobs:
            self.blobs[digest_of(blob)] = blob
        for reference in (digest_of(manifest), *tags):
            self.manifests[name, reference] = manifest

    def count(self, method: str, part: str) -> int:
        """Return the number of requests with this method and this part of a path."""
        return sum(m == method and part in path for m, path in self.asked)

    def _add_headers(self, response: Response) -> Response:
        response.headers.update(self.headers)
        return response

    def _admit(self) -> Response | None:
        self.asked.append((request.method, request.full_path))
        if (answer := self.before()) is not None:
            return answer
        if self.broken:
            return Response(status=self.broken.pop(0), headers={"Retry-After": "0"})
        sent = request.headers.get("Authorization")
        if self.uses is not None:
            return self._admit_with_token(sent)
        if self.closed and sent != LOGIN:
            challenge = {"WWW-Authenticate": 'Basic realm="a, b"'}
            return Response('{"errors": [{"code": "UNAUTHORIZED"}]}', 401, challenge)
        return None

    def _admit_with_token(self, sent: str | None) -> Response | None:
        if request.path == "/token":
            if self.answer is not None:
                return Response(self.answer)
            if sent != LOGIN:
                return Response(status=401)
            self._token, self._left = str(uuid.uuid4()), self.uses or 0
            return Response(json.dumps({"access_token": self._token}))
        self._left -= 1
        if sent == f"Bearer {self._token}" and self._left >= 0:
            return None
        realm = f'Bearer realm="{request.host_url}token",service="other"'
        return Response(status=401, headers={"WWW-Authenticate": realm})

    def _get(self, name: str, reference: str) -> Response:
        content = self.manifests.get((name, reference))
        if content is None:
            return Response(status=404)
        digest = digest_of(content)
        headers = {"Docker-Content-Digest": self.lies.get(digest, digest)}
        return Response(content, 200, headers, content_type=media_type_of(content))

    def _put(self, name: str, reference: str) -> Response:
        content = request.get_data()
        fields = json.loads(content)
        for blob in [fields.get("config"), *fields.get("layers", ())]:
            if blob and blob["digest"] not in self.blobs:
                return Response(status=400)
        for key in (reference, digest_of(content)):
            self.manifests[name, key] = content
        return Response(status=201)

    def _blob(self, name: str, digest: str) -> t.Any:
        self.seen.append(request.headers.get("Authorization"))
        if digest not in self.blobs:
            return Response(status=404)
        if self.elsewhere:
            return redirect(f"{self.elsewhere}{request.path}", 307)
        content = self.blobs[digest]
        asked = request.headers.get("Range", "bytes=0-")
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        rest = content[start:]
        headers = {"Content-Length": str(len(rest))}
        if start:
            headers["Content-Range"] = (
                f"bytes {start}-{len(content) - 1}/{len(content)}"
            )
        sent = rest[: self.cut] if self.cut else rest
        return Response(self._sent(sent), 206 if start else 200, headers)

    def _sent(self, content: bytes) -> t.Iterator[bytes]:
        half = len(content) // 2
        yield content[:half]
        self.pause()
        yield content[half:]

    def _start(self, name: str) -> Response:
        wanted = request.args.get("mount")
        if wanted in self.blobs and request.args.get("from"):
            return Response(status=201)
        # The specification allows a location outside /v2, with a state in its query.
        location = f"{request.host_url}upload/{uuid.uuid4()}?state=a%2Fb"
        return Response(status=202, headers={"Location": location})

    def _finish(self, uuid: str) -> Response:
        assert parse_qs(request.query_string.decode())["state"] == ["a/b"]
        content = request.get_data()
        if digest_of(content) != request.args["digest"]:
            return Response(status=400)
        self.blobs[request.args["digest"]] = content
        return Response(status=201)

    def _tags(self, name: str) -> Response:
        found = sorted(r for n, r in self.manifests if n == name and ":" not in r)
        last = request.args.get("last", "")
        page = [tag for tag in found if tag > last][:2]
        headers = {}
        if page and page[-1] != found[-1]:
            link = f"/v2/{name}/tags/list?n=2&last={page[-1]}"
            headers["Link"] = f'<{link}>; rel="next"'
        return Response(json.dumps({"name": name, "tags": page}), 200, headers)
