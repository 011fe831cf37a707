"""The files of artifacts: their contents on a page, and downloads."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import partial

from flask import abort
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response

from ..catalog import RepositoryInfo
from ..core import documents
from ..core import json_text
from ..core import reports
from ..core.documents import Descriptor
from ..errors import Denied
from ..services import services
from ..spec.digest import Digest
from ..storage.protocol import PIECE
from . import paging
from .access import authorize
from .manifest_lookup import find

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.reports import Finding
    from ..core.reports import Package

#: The maximum size of a file on a page, in bytes: the default of manifests.
MAX_FILE_SIZE: t.Final = 4 * 1024 * 1024

#: The maximum number of rows of a table. A search finds the others.
MAX_ROWS: t.Final = 300

#: The maximum length of a file that is shown as text, in characters.
MAX_TEXT_LENGTH: t.Final = 50_000

#: The annotation of a layer with the certificate of a signature of cosign.
_CERTIFICATE: t.Final = "dev.sigstore.cosign/certificate"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """The content of a file on a page."""

    descriptor: Descriptor
    report: reports.Report | None
    """The content, if the format of the file is known."""

    packages: list[Package]
    """The first packages that the search finds."""

    findings: list[Finding]
    """The first findings that the search finds."""

    left_out: int
    """The number of packages and findings that are not shown."""

    search: str
    text: str
    """The content as text, if it is text."""

    is_truncated: bool
    """Whether the text is truncated."""

    @property
    def is_too_large(self) -> bool:
        """Whether the file is too large for a page."""
        return self.descriptor.size > MAX_FILE_SIZE

    @property
    def has_certificate(self) -> bool:
        """Whether a certificate was stored with the file, if it is a signature."""
        return bool(documents.text(self.descriptor.annotations.get(_CERTIFICATE)))


def open_file(
    repository: RepositoryInfo, manifest: str, files: list[Descriptor]
) -> OpenFile | None:
    """Return the file that the visitor selected, or the first one; None if there is
    none. A blocked file is returned without its content.

    :param manifest: the digest of an artifact.
    :param files: the files of the artifact.
    """
    wanted = paging.parameter("file")
    selected = next((file for file in files if file.digest == wanted), None)
    selected = selected or next(iter(files), None)
    if selected is None:
        return None
    content = _content(repository, manifest, selected)
    report, search = None, paging.parameter("q")
    if content[:64].lstrip().startswith(b"{"):
        report = reports.read(documents.file_object(content))
    packages = _matching(report.packages if report else [], search)
    findings = _matching(report.findings if report else [], search)
    excess = max(len(packages), len(findings)) - MAX_ROWS
    text, is_truncated = _as_text(content)
    return OpenFile(
        selected,
        report,
        packages[:MAX_ROWS],
        findings[:MAX_ROWS],
        max(excess, 0) + (report.left_out if report else 0),
        search,
        text,
        is_truncated,
    )


def download(name: str, digest: str, blob: str) -> Response:
    """Send a file of an artifact, which a browser saves and does not show.

    :param digest: the digest of the artifact's manifest.
    :param blob: the digest of the file.
    """
    repository = authorize(name)
    row, _ = find(repository.key, digest)
    layers = documents.objects(documents.as_object(row.content).get("layers"), None)
    # A manifest can have thousands of layers, and only one is needed.
    named = next((layer for layer in layers if layer.get("digest") == blob), None)
    if named is None:
        abort(404)
    (file,) = documents.descriptors([named])
    parts, parsed = services(), Digest.parse(blob)
    for checked in (row.digest, blob):
        parts.blocks.check(repository, checked)
    # A manifest may name a blob that only another repository links.
    linked = parts.catalog.blobs.find(repository.key, parsed)
    if linked is None or parts.storage.size(linked.place) != linked.size:
        abort(404)
    stored = parts.storage.open(linked.place)
    # The bytes flow without a connection to the database.
    parts.catalog.release()
    response = Response(_pieces(stored), mimetype="application/octet-stream")
    response.call_on_close(stored.close)
    response.content_length = linked.size
    filename = secure_filename(file.title)[-100:] or parsed.encoded[:12]
    response.headers["Content-Disposition"] = f"attachment; filename={filename}"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _content(repository: RepositoryInfo, manifest: str, file: Descriptor) -> bytes:
    """Return the bytes of a file; none if they are too many, blocked, or not those of
    the repository."""
    parts = services()
    try:
        for checked in (manifest, file.digest):
            parts.blocks.check(repository, checked)
    except Denied:
        return b""
    if file.size > MAX_FILE_SIZE:
        return b""
    linked = parts.catalog.manifest_relations.linked(repository.key, [file.digest])
    if file.digest not in linked:
        return b""
    return parts.documents.content(linked[file.digest], MAX_FILE_SIZE) or b""


def _as_text(content: bytes) -> tuple[str, bool]:
    """Return a file as text, and whether it is truncated; empty if it is no text."""
    start = content[: 4 * MAX_TEXT_LENGTH]
    if b"\0" in start:
        return "", False
    if start.lstrip()[:1] in (b"{", b"["):
        return json_text.pretty(content, MAX_TEXT_LENGTH)
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        # The cut may be inside a character.
        is_cut = len(content) > len(start) and error.start > len(start) - 4
        text = start[: error.start].decode() if is_cut else ""
    return text[:MAX_TEXT_LENGTH], len(text) > MAX_TEXT_LENGTH


Row = t.TypeVar("Row", bound="tuple[str, ...]")


def _matching(rows: list[Row], search: str) -> list[Row]:
    """Return the rows with a text, in upper or lower case."""
    wanted = search.lower()
    return [row for row in rows if any(wanted in text.lower() for text in row)]


def _pieces(file: t.BinaryIO) -> Iterator[bytes]:
    with file:
        yield from iter(partial(file.read, PIECE), b"")
