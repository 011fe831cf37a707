"""Scanning: runs the operator's scanner on images, and attaches the results.

Any number of processes may do this. Each claims an image by a lease in the database. A
process that is killed leaves its lease, which expires.
"""

from __future__ import annotations

import json
import logging
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from ..catalog import FAILURES
from ..clock import utcnow
from ..core.scan_facts import scan_facts
from ..errors import ManifestInvalid
from ..errors import RegistryError
from ..rules.wording import plural
from ..spec.digest import Digest
from ..spec.json_object import read_file_object
from ..spec.manifest import OCI_MANIFEST
from . import scanner
from .items import reason_of

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.scans import ScanTask
    from ..core.content import Content

logger = logging.getLogger("flask_oci.scan")

#: The time before a failed scan is repeated.
RETRY: t.Final = timedelta(hours=1)

#: The time that a claim lasts beyond the longest scan.
MARGIN: t.Final = timedelta(minutes=5)

_EMPTY: t.Final = "application/vnd.oci.empty.v1+json"

#: The media types of results, by their format.
_TYPES: t.Final = {
    "SARIF": "application/sarif+json",
    "CycloneDX": "application/vnd.cyclonedx+json",
    "Trivy": "application/vnd.aquasec.trivy.report+json",
    "Grype": "application/vnd.anchore.grype.report+json",
}


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """The result of the scan of one image."""

    repository: str
    digest: str
    failed: bool
    """Whether no results were attached."""

    text: str
    """The number of findings, or the reason of the failure."""


class ScanRunner:
    """Scans images.

    :param may_push: returns True if the user may push to a repository.
    :param by: the user or the robot in whose name the results are attached.
    :param command: the program and its arguments, with placeholders.
    :param address: the host of the registry, for the placeholder ``{image}``.
    :param timeout: the longest time of one scan, in seconds.
    """

    def __init__(
        self,
        catalog: Catalog,
        content: Content,
        may_push: Callable[[RepositoryInfo], bool],
        *,
        by: t.Any,
        command: Sequence[str],
        address: str,
        timeout: float,
        run: Callable[[Sequence[str], float], bytes] = scanner.run,
    ) -> None:
        self._catalog = catalog
        self._content = content
        self._may_push = may_push
        self._by = by
        self._command = command
        self._address = address
        self._timeout = timeout
        self._run = run

    def run(
        self, names: Collection[str] | None, rescan: timedelta, limit: int | None = None
    ) -> Iterator[ScanOutcome]:
        """Scan the images that have no scan, or an old one, the newest first.

        :param names: the names of the repositories; None is all of them.
        :param rescan: the age of a scan from which it is repeated.
        :param limit: the maximum number of images; None sets no limit.
        """
        done: set[tuple[int, str]] = set()
        while limit is None or len(done) < limit:
            task = self._catalog.scans.claim(
                timedelta(seconds=self._timeout) + MARGIN,
                rescan=rescan,
                retry=RETRY,
                names=names,
                skip=done,
            )
            if task is None:
                return
            done.add((task.repository_id, task.digest))
            yield self._scan(task)

    def _scan(self, task: ScanTask) -> ScanOutcome:
        failure: str | None = None
        try:
            text = self._attach(task)
        except scanner.ScanFailed as error:
            failure = str(error)
        except RegistryError as error:
            failure = reason_of(error)
        except FAILURES:
            self._catalog.rollback()
            raise
        if failure is not None:
            text = failure
            logger.warning(
                "%s@%s was not scanned: %s", task.repository, task.digest, failure
            )
        self._catalog.scans.record(task, failure)
        return ScanOutcome(task.repository, task.digest, failure is not None, text)

    def _attach(self, task: ScanTask) -> str:
        """Scan an image and attach the results.

        :return: the number of findings in words.
        :raises ScanFailed: if the scanner writes no results.
        :raises RegistryError: if the user may not push them.
        """
        found = self._catalog.repositories.find(task.repository)
        if not self._may_push(found):
            raise scanner.ScanFailed("the user may not push to the repository")
        image = f"{self._address}/{task.repository}@{task.digest}"
        values = {
            "image": image,
            "name": task.repository,
            "digest": task.digest,
            "registry": self._address,
        }
        command = scanner.arguments(self._command, values)
        # The program may take minutes.
        self._catalog.release()
        results = self._run(command, self._timeout)
        facts = _facts(results)
        self._push(task, results, _TYPES[facts["format"]])
        counts = [f"{count} {severity}" for severity, count in facts["counts"].items()]
        total = sum(facts["counts"].values())
        return plural(total, "finding") + (f": {', '.join(counts)}" if counts else "")

    def _push(self, task: ScanTask, results: bytes, kind: str) -> None:
        by = self._content.actor(self._by)
        config = self._descriptor(task, b"{}", _EMPTY)
        layer = self._descriptor(task, results, kind)
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": config,
            "layers": [layer],
            "subject": {
                "mediaType": task.media_type,
                "digest": task.digest,
                "size": task.size,
            },
            "annotations": {
                "org.opencontainers.image.created": f"{utcnow():%Y-%m-%dT%H:%M:%SZ}"
            },
        }
        body = json.dumps(manifest).encode()
        self._content.put_manifest(task.repository, by, body, OCI_MANIFEST)

    def _descriptor(
        self, task: ScanTask, content: bytes, kind: str
    ) -> dict[str, t.Any]:
        """Store a blob of the artifact, and return its descriptor."""
        digest = Digest.of(content)

        def receive(upload: t.Any) -> None:
            upload.append(_Bytes(content), digest.algorithm, len(content))

        by = self._content.actor(self._by)
        self._content.put_blob(task.repository, by, digest, receive)
        return {"mediaType": kind, "digest": str(digest), "size": len(content)}


class _Bytes:
    """A readable source of bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; all of them if ``size`` is negative."""
        end = len(self._content) if size < 0 else self._at + size
        piece, self._at = self._content[self._at : end], end
        return piece


def _facts(results: bytes) -> dict[str, t.Any]:
    """Return the facts of the results.

    :raises ScanFailed: if the registry does not know their format.
    """
    try:
        facts = scan_facts(read_file_object(results))
    except ManifestInvalid:
        facts = None
    if facts is None or facts["format"] not in _TYPES:
        raise scanner.ScanFailed(
            "it wrote no SARIF, CycloneDX with vulnerabilities, or JSON of Trivy or"
            " Grype"
        )
    return facts
