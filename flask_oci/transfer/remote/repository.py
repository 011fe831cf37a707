"""Repositories of other registries, as sources and targets of transfers."""

from __future__ import annotations

import json
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import urlencode

from ...spec.digest import Digest
from ...spec.digest import is_digest
from ...spec.json_object import read_object
from ...spec.manifest import Descriptor
from ...spec.manifest import INDEX_TYPES
from ...spec.manifest import MANIFEST_TYPES
from ...spec.manifest import OCI_INDEX
from ...spec.manifest import parse
from ...spec.reference import is_tag
from ...storage.protocol import Reader
from ..base import attached_tags
from ..base import checked
from ..base import fallback_tag
from ..base import RawManifest
from ..base import Source
from ..base import TransferError
from .address import ImageAddress
from .blob import RemoteBlob
from .links import next_link
from .retry import finish
from .retry import Response
from .session import Session
from .session import SessionOptions

ACCEPT: t.Final = ", ".join(sorted(MANIFEST_TYPES | INDEX_TYPES))

#: The largest number of pages of a list, each of about a thousand entries.
MAX_PAGES: t.Final = 1000
PAGE: t.Final = 1000

#: The largest size of a page of a list, in bytes.
MAX_PAGE_BYTES: t.Final = 16 * 1024 * 1024

#: The largest size of all pages of a list, in bytes, and its largest number of entries.
MAX_LIST_BYTES: t.Final = 64 * 1024 * 1024
MAX_ENTRIES: t.Final = 500_000


class RemoteRepository:
    """A :class:`~flask_oci.transfer.base.Source` and
    :class:`~flask_oci.transfer.base.Target` at another registry.

    :param address: the repository.
    :param limit: the largest size of a manifest, in bytes.
    :param writes: whether images are pushed to it.
    :param token_hosts: the hosts of token services that may receive the credentials.
    """

    parallel = True

    def __init__(
        self,
        address: ImageAddress,
        limit: int,
        *,
        writes: bool = False,
        token_hosts: t.Collection[str] = (),
    ) -> None:
        self.address = address
        self.name = address.name
        self._limit = limit
        self._session = Session(address, SessionOptions(token_hosts=token_hosts))
        actions = "pull,push" if writes else "pull"
        self._scope = f"repository:{self.name}:{actions}"
        self._started: dict[Digest, str] = {}
        self._listing = threading.Lock()

    def references(self) -> list[str]:
        """Return the tags as the registry lists them, valid or not."""
        found: list[str] = []
        for page in self._pages(f"{self._path}/tags/list?{urlencode({'n': PAGE})}"):
            tags = page.get("tags")
            found += tags if isinstance(tags, list) else []
            self._check_entries(len(found))
        return [tag for tag in found if isinstance(tag, str)]

    def find(self, reference: str) -> RawManifest:
        """Return the manifest of a tag or a digest."""
        response, content = self._get_manifest(reference)
        if response.status == 404:
            raise TransferError(f"There is no {reference} in {self._called}.")
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if is_digest(reference):
            return checked(content, Digest.parse(reference), media_type)
        said = response.headers.get("Docker-Content-Digest", "")
        digest = Digest.parse(said) if is_digest(said) else Digest.of(content)
        return checked(content, digest, media_type)

    def manifest(self, wanted: Descriptor) -> RawManifest:
        """Return a child manifest of an index."""
        return self.find(str(wanted.digest))._replace(media_type=wanted.media_type)

    @contextmanager
    def open(self, wanted: Descriptor) -> Iterator[Reader]:
        """Open a blob for reading. If the response is interrupted, request the rest."""
        blob = RemoteBlob(self._session, self._blob_path(wanted.digest), self._scope)
        try:
            yield blob
        finally:
            blob.close()

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Return the manifests with this subject, from the referrers API or, if there
        is none, from the fallback tag (spec.md, "Referrers Tag Schema")."""
        url = f"{self._path}/referrers/{digest}"
        first = self._session.fetch(
            url,
            scope=self._scope,
            limit=MAX_PAGE_BYTES,
            expected=(200, 400, 404, 405, 501),
        )
        if first[0].status != 200:
            found = self._fallback(digest)
            return list(found.parsed().descriptors) if found else []
        descriptors: list[Descriptor] = []
        for page in self._pages(url, first):
            content = json.dumps({**page, "schemaVersion": 2}).encode()
            descriptors += parse(content, OCI_INDEX).descriptors
            self._check_entries(len(descriptors))
        return descriptors

    def attached(self, digest: Digest) -> list[str]:
        """Return the tags of related content of a manifest."""
        return [tag for tag in attached_tags(digest) if tag in self._tags]

    def has_manifest(self, digest: Digest) -> bool:
        """Return True if a manifest exists."""
        return self._exists(self._manifest_path(str(digest)))

    def lists(self, item: RawManifest) -> bool:
        """Return True if a manifest is among the referrers of its subject."""
        subject = item.parsed().subject
        return subject is None or any(
            item.digest == listed.digest for listed in self.referrers(subject)
        )

    def has_blob(self, wanted: Descriptor) -> bool:
        """Return True if a blob exists."""
        return self._exists(self._blob_path(wanted.digest))

    def points_at(self, tag: str) -> Digest | None:
        """Return the digest of a tag."""
        response = self._session.request(
            "HEAD",
            self._manifest_path(tag),
            scope=self._scope,
            expected=(200, 404),
            headers={"Accept": ACCEPT},
        )
        finish(response)
        if response.status == 404:
            return None
        said = response.headers.get("Docker-Content-Digest", "")
        return Digest.parse(said) if is_digest(said) else self.find(tag).digest

    def mount(self, wanted: Descriptor, source: Source) -> bool:
        """Ask the registry to link a blob of its other repository."""
        if not isinstance(source, RemoteRepository):
            return False
        if source.address.url != self.address.url:
            return False
        query = urlencode({"mount": str(wanted.digest), "from": source.name})
        # The token must allow the registry to read the blob there.
        scope = f"{self._scope} repository:{source.name}:pull"
        response = self._session.request(
            "POST",
            f"{self._path}/blobs/uploads/?{query}",
            scope=scope,
            expected=(201, 202),
        )
        finish(response)
        if response.status == 202:
            # The registry has started an upload session instead, which can be used.
            self._started[wanted.digest] = response.headers.get("Location", "")
        return response.status == 201

    def put_blob(self, wanted: Descriptor, source: Reader) -> None:
        """Push a blob in one request."""
        location = self._started.pop(wanted.digest, "") or self._start()
        mark = "&" if "?" in location else "?"
        url = f"{location}{mark}{urlencode({'digest': str(wanted.digest)})}"
        response = self._session.stream(
            "PUT", url, scope=self._scope, body=source, size=wanted.size
        )
        finish(response)
        if response.status != 201:
            raise TransferError(
                f"{self.address.host} answers {response.status} to the blob"
                f" {wanted.digest}."
            )

    def put_manifest(self, item: RawManifest, tag: str | None) -> None:
        """Push a manifest, and list it if the registry has no referrers API."""
        subject = item.parsed().subject
        if subject is not None:
            response = self._put(item, str(item.digest))
            if not response.headers.get("OCI-Subject"):
                self._list_referrer(item, subject)
        # The tag is pushed last: it marks a complete image.
        if subject is None or tag is not None:
            self._put(item, tag or str(item.digest))

    def _put(self, item: RawManifest, reference: str) -> Response:
        response = self._session.request(
            "PUT",
            self._manifest_path(reference),
            scope=self._scope,
            expected=(200, 201, 202),
            headers={"Content-Type": item.media_type},
            body=item.content,
        )
        finish(response)
        return response

    def _list_referrer(self, item: RawManifest, subject: Digest) -> None:
        """Add a manifest to the fallback tag of its subject."""
        # The list must not change between reading and writing it.
        with self._listing:
            self._add_referrer(item, subject)

    def _add_referrer(self, item: RawManifest, subject: Digest) -> None:
        before = self._fallback(subject)
        listed = (read_object(before.content)["manifests"] if before else None) or ()
        if any(entry.get("digest") == str(item.digest) for entry in listed):
            return
        manifest = item.parsed()
        entry: dict[str, t.Any] = {
            "mediaType": item.media_type,
            "digest": str(item.digest),
            "size": len(item.content),
            "artifactType": manifest.artifact_type,
            "annotations": manifest.annotations,
        }
        entry = {key: value for key, value in entry.items() if value}
        fields = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [*listed, entry],
        }
        content = json.dumps(fields).encode()
        index = RawManifest(Digest.of(content), OCI_INDEX, content)
        self._put(index, fallback_tag(subject))

    def _fallback(self, digest: Digest) -> RawManifest | None:
        """Return the index of the fallback tag, or None."""
        response, content = self._get_manifest(fallback_tag(digest))
        if response.status == 404:
            return None
        parse(content, OCI_INDEX)
        return RawManifest(Digest.of(content), OCI_INDEX, content)

    def _start(self) -> str:
        response = self._session.request(
            "POST",
            f"{self._path}/blobs/uploads/",
            scope=self._scope,
            expected=(202,),
            headers={"Content-Length": "0"},
        )
        finish(response)
        location = response.headers.get("Location")
        if not location:
            raise TransferError(f"{self.address.host} sends no upload location.")
        return location

    def _get_manifest(self, reference: str) -> tuple[Response, bytes]:
        return self._session.fetch(
            self._manifest_path(reference),
            scope=self._scope,
            limit=self._limit,
            expected=(200, 404),
            headers={"Accept": ACCEPT},
        )

    def _exists(self, url: str) -> bool:
        response = self._session.request(
            "HEAD",
            url,
            scope=self._scope,
            expected=(200, 404),
            headers={"Accept": f"{ACCEPT}, */*"},
        )
        finish(response)
        return response.status == 200

    def _pages(
        self, url: str, first: tuple[Response, bytes] | None = None
    ) -> Iterator[dict[str, t.Any]]:
        """Yield the pages of a list."""
        left = MAX_LIST_BYTES
        for _ in range(MAX_PAGES):
            response, content = first or self._session.fetch(
                url, scope=self._scope, limit=min(MAX_PAGE_BYTES, left)
            )
            left -= len(content)
            yield read_object(content)
            following = next_link(response.headers.get("Link", ""))
            if following is None:
                return
            url, first = self._next(following, url), None
        raise TransferError(f"A list of {self.address.host} does not end.")

    def _check_entries(self, number: int) -> None:
        if number > MAX_ENTRIES:
            raise TransferError(
                f"A list of {self.address.host} has more than {MAX_ENTRIES} entries."
            )

    def _next(self, link: str, before: str) -> str:
        url = self._session.absolute(link)
        if not url.startswith(f"{self.address.url}/") or link == before:
            raise TransferError(
                f"A list of {self.address.host} continues on another host."
            )
        return url

    @cached_property
    def _tags(self) -> set[str]:
        return set(self.references())

    @property
    def _path(self) -> str:
        return f"/v2/{self.name}"

    @property
    def _called(self) -> str:
        return f"{self.address.host}/{self.name}"

    def _blob_path(self, digest: Digest) -> str:
        return f"{self._path}/blobs/{digest}"

    def _manifest_path(self, reference: str) -> str:
        # Dots and slashes in a tag of another registry would lead to another
        # repository.
        if not is_tag(reference) and not is_digest(reference):
            raise TransferError(f"'{reference}' is neither a tag nor a digest.")
        return f"{self._path}/manifests/{reference}"
