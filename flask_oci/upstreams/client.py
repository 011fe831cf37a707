"""Requests to one upstream: manifests, blobs and referrers."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence

import urllib3

from ..config.upstreams import Upstream
from ..errors import RegistryError
from ..events import ssrf
from ..spec.digest import Digest
from ..spec.digest import is_digest
from ..spec.json_object import read_object
from ..spec.manifest import Manifest
from ..spec.manifest import OCI_INDEX
from ..spec.manifest import parse
from ..transfer.base import fallback_tag
from ..transfer.base import TransferError
from ..transfer.remote.address import ImageAddress
from ..transfer.remote.blob import RemoteBlob
from ..transfer.remote.credentials import Login
from ..transfer.remote.guard import deadline
from ..transfer.remote.repository import ACCEPT
from ..transfer.remote.retry import finish
from ..transfer.remote.retry import Response
from ..transfer.remote.retry import retry_after
from ..transfer.remote.session import Session
from ..transfer.remote.session import SessionOptions
from .blob_reader import BlobReader
from .circuit_breaker import CircuitBreaker
from .failures import ERROR
from .failures import INVALID
from .failures import LIMITED
from .failures import UNREACHABLE
from .failures import UpstreamFailed
from .remote_errors import as_failure
from .remote_errors import kind_of
from .remote_errors import MISSING_STATUSES

#: Any status: this module decides which is a failure.
_ANY: t.Final = range(200, 600)

#: The maximum length of a rate limit, in characters.
_MAX_RATE: t.Final = 64

#: The largest list of referrers that is cached, in bytes.
MAX_REFERRERS: t.Final = 1024 * 1024


class RateLimit(t.NamedTuple):
    """The rate limit of an upstream, as its headers give it: ``100;w=21600``."""

    limit: str | None
    remaining: str | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimit:
        """Return the rate limit in the headers of a response."""
        found = (headers.get(f"RateLimit-{name}") for name in ("Limit", "Remaining"))
        return cls(*(value and value[:_MAX_RATE] for value in found))


class RemoteManifest(t.NamedTuple):
    """A verified manifest of an upstream."""

    digest: Digest
    manifest: Manifest
    content: bytes


class UpstreamClient:
    """A client of one upstream.

    :param upstream: the settings.
    :param max_manifest: the largest size of a manifest in bytes.
    :param report: called with the rate limit of each answer.
    """

    def __init__(
        self,
        upstream: Upstream,
        max_manifest: int,
        report: Callable[[RateLimit], object] = lambda _: None,
    ) -> None:
        self._upstream = upstream
        self._max_manifest = max_manifest
        self._report = report
        period = upstream.retry.total_seconds()
        self._seconds = upstream.timeout.total_seconds()
        self._breaker = CircuitBreaker(period)
        # A limit on manifests is no reason not to fetch blobs.
        self._limit = CircuitBreaker(period)
        # The blobs may be on another host.
        self._blobs = CircuitBreaker(period)
        scheme, mark, host = upstream.address.rpartition("://")
        address = ImageAddress(host, "", None, scheme if mark else "https")
        self._session = Session(address, _options(upstream, self._seconds))

    def head(self, name: str, reference: str) -> Digest | None:
        """Return the digest of a tag or digest, or None if the upstream has none. This
        request does not count for the limit of Docker Hub.

        :param name: the name of the repository at the upstream.
        :raises UpstreamFailed: if the upstream does not answer as it should.
        """
        with self._watching(self._limit):
            response = self._ask("HEAD", name, f"manifests/{reference}")
            finish(response)
            if response.status in MISSING_STATUSES:
                return None
            said = response.headers.get("Docker-Content-Digest", "")
            if is_digest(said):
                return Digest.parse(said)
            found = self._manifest(name, reference)
            return found.digest if found else None

    def manifest(self, name: str, reference: Digest | str) -> RemoteManifest | None:
        """Return a manifest, or None if the upstream has none.

        :raises UpstreamFailed: if the upstream does not answer as it should, or the
            manifest is invalid.
        """
        with self._watching(self._limit):
            return self._manifest(name, str(reference))

    def _manifest(self, name: str, reference: str) -> RemoteManifest | None:
        response = self._ask("GET", name, f"manifests/{reference}")
        if response.status in MISSING_STATUSES:
            finish(response)
            return None
        content = self._session.read(response, self._max_manifest)
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        wanted = Digest.parse(reference) if is_digest(reference) else None
        algorithm = wanted.algorithm if wanted else "sha256"
        digest = Digest.of(content, algorithm)
        if wanted not in (None, digest):
            raise UpstreamFailed(INVALID, f"The content of {reference} differs.")
        try:
            return RemoteManifest(digest, parse(content, media_type), content)
        except RegistryError as error:
            raise UpstreamFailed(INVALID, f"{reference}: {error.message}") from error

    def referrers(self, name: str, subject: Digest) -> RemoteManifest | None:
        """Return an index of the referrers of a manifest, from the referrers API or
        from the fallback tag, or None if there are none.

        :raises UpstreamFailed: if the upstream does not answer as it should.
        """
        with self._watching(self._limit):
            response = self._ask(
                "GET", name, f"referrers/{subject}", allowed=(400, 405, 501)
            )
            if response.status != 200:
                finish(response)
                return self._manifest(name, fallback_tag(subject))
            content = self._session.read(response, MAX_REFERRERS)
            try:
                parsed = parse(content, OCI_INDEX)
            except RegistryError as error:
                raise UpstreamFailed(
                    INVALID, f"The referrers of {subject}: {error.message}"
                ) from error
            if not read_object(content).get("manifests"):
                return None
            return RemoteManifest(Digest.of(content), parsed, content)

    def has_blob(self, name: str, digest: Digest) -> bool:
        """Return True if a repository of the upstream has a blob.

        :raises UpstreamFailed: if the upstream does not answer as it should.
        """
        with self._watching():
            response = self._ask("HEAD", name, f"blobs/{digest}")
            finish(response)
            return response.status == 200

    def blob(self, name: str, digest: Digest) -> BlobReader:
        """Return a reader of a blob, without reading yet."""
        path = f"/v2/{name}/blobs/{digest}"
        remote = RemoteBlob(self._session, path, _scope(name), by_arrival=True)
        self._breaker.check()
        return BlobReader(remote, self._blobs)

    def check(self) -> None:
        """Check that the upstream answers and accepts the credentials.

        :raises UpstreamFailed: if it does not.
        """
        with self._failures(), deadline(self._seconds):
            response = self._session.request(
                "GET", "/v2/", scope="", expected=_ANY, headers={"Accept": ACCEPT}
            )
            finish(response)
            self._check_status(response, MISSING_STATUSES)

    def _ask(
        self, method: str, name: str, path: str, allowed: Collection[int] = ()
    ) -> Response:
        response = self._session.request(
            method,
            f"/v2/{name}/{path}",
            scope=_scope(name),
            expected=_ANY,
            headers={"Accept": ACCEPT},
        )
        headers = response.headers
        self._report(RateLimit.of(headers))
        self._check_status(response, allowed)
        return response

    def _check_status(self, response: Response, allowed: Collection[int]) -> None:
        status = response.status
        if status == 200 or status in MISSING_STATUSES or status in allowed:
            return
        finish(response)
        reason = f"{self._upstream.host} answers {status}."
        raise UpstreamFailed(kind_of(status), reason, retry_after(response))

    def _watching(self, *more: CircuitBreaker) -> _Watched:
        return _Watched(self, (self._breaker, *more))

    def _failures(self) -> _Watched:
        return _Watched(self, ())


class _Watched:
    """Limits the time of a request, and reports its result to the breakers."""

    def __init__(
        self, client: UpstreamClient, breakers: Sequence[CircuitBreaker]
    ) -> None:
        self._breakers = breakers
        self._deadline = deadline(client._seconds)

    def __enter__(self) -> None:
        for breaker in self._breakers:
            breaker.check()
        self._deadline.__enter__()

    def __exit__(self, kind: t.Any, error: t.Any, trace: t.Any) -> None:
        self._deadline.__exit__(None, None, None)
        if error is None:
            for breaker in self._breakers:
                breaker.succeed()
            return
        failure = as_failure(error)
        if failure is None:
            return
        if self._breakers and failure.kind in (UNREACHABLE, ERROR):
            self._breakers[0].fail(failure, at_once=failure.kind == UNREACHABLE)
        elif self._breakers:
            self._breakers[0].succeed()
            if failure.kind == LIMITED:
                self._breakers[-1].fail(failure, at_once=True)
        if failure is not error:
            raise failure from error


def _options(upstream: Upstream, seconds: float) -> SessionOptions:
    setting = f"'networks' of {upstream.namespace!r} in OCI_UPSTREAMS"

    def choose(found: Sequence[str]) -> list[str]:
        try:
            return ssrf.choose(found, upstream.networks, setting)
        except ssrf.Forbidden as error:
            raise TransferError(str(error)) from error

    def find_login(host: str) -> Login | None:
        if upstream.username is None or upstream.password is None:
            return None
        return Login(upstream.username, upstream.password)

    return SessionOptions(
        token_hosts=upstream.token_hosts,
        remedy=f"'token_hosts' of {upstream.namespace!r} in OCI_UPSTREAMS: {{}}",
        find_login=find_login,
        choose=choose,
        timeout=urllib3.Timeout(connect=seconds, read=seconds),
        attempts=2,
    )


def _scope(name: str) -> str:
    return f"repository:{name}:pull"
