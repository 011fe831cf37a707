"""Pushing blobs: uploads, chunks and mounts (spec.md, "Pushing Blobs")."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from flask import request

from ..errors import BlobUploadInvalid
from ..errors import RegistryError
from ..errors import SizeInvalid
from ..http import body
from ..http.authorization import admit
from ..http.authorization import push_check
from ..http.locations import location
from ..http.responses import Response
from ..services import principal
from ..services import services
from ..spec.digest import check_algorithm
from ..spec.digest import DEFAULT_ALGORITHM
from ..spec.digest import Digest
from ..spec.ranges import parse_content_range
from ..spec.ranges import Span
from ..spec.reference import is_name
from .holders import readable_holder
from .pull import is_stored
from .quota_check import upload_allowance
from .quota_check import UploadAllowance
from .quota_check import warn_if_nearly_full
from .upload_sessions import start_session

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import RepositoryInfo
    from ..catalog import UploadSession
    from ..core.actor import Actor
    from ..storage import UploadFile


def start(name: str) -> Response:
    """end-4 and end-11: ``POST /v2/<name>/blobs/uploads/``, 201 or 202.

    ``?mount=<digest>&from=<name>`` links a blob of another repository. With
    ``?digest=<digest>``, the body is the whole blob. Otherwise, and if the blob cannot
    be mounted, an upload session begins.

    :raises DigestInvalid: if a digest or ``digest-algorithm`` is not supported, or the
        body has another digest.
    """
    repository = admit(name, "push")
    if (mount := request.args.get("mount")) is not None:
        digest = Digest.parse(mount)
        if _mount(repository, digest, request.args.get("from")):
            warn_if_nearly_full(repository)
            return _created(name, digest)
    elif (text := request.args.get("digest")) is not None:
        digest = Digest.parse(text)
        _receive_whole(repository, digest)
        return _created(name, digest)
    if (allowance := upload_allowance(repository)) is not None:
        allowance.check(1)
    return _begin(repository)


def append(name: str, session_id: str) -> Response:
    """end-5: ``PATCH`` of a session with a chunk, 202.

    A chunk that is out of order gets a 416 and changes nothing. Without
    ``Content-Range``, the body is appended.
    """
    session = _find_session(name, session_id)
    span = parse_content_range(request.headers.get("Content-Range"))
    allowance = upload_allowance(session.repository, session=session.uuid)
    parts = services()
    parts.content.storage_identity.verify()
    parts.catalog.release()
    with (
        _describing_position(name, session),
        parts.storage.open_upload(session.uuid) as upload,
    ):
        _receive(upload, session.algorithm, span, allowance)
        # Clients that send a layer in one request give no range.
        upload.sync(is_last=span is None)
        length = upload.length
    return _progress(202, name, session.uuid, length)


def finish(name: str, session_id: str) -> Response:
    """end-6: ``PUT`` of a session with ``?digest=<digest>``, and with or without a last
    chunk, 201.

    If it fails, the session is unchanged and the client can try again.

    :raises DigestInvalid: if the session's bytes have another digest.
    """
    session = _find_session(name, session_id)
    digest = Digest.parse(request.args.get("digest", ""))
    span = parse_content_range(request.headers.get("Content-Range"))
    has_bytes = span is not None or body.has_body()
    allowance = upload_allowance(
        session.repository, digest=digest, session=session.uuid
    )

    by = _pusher(session.repository)

    def receive(upload: UploadFile) -> None:
        if has_bytes:
            _receive(upload, digest.algorithm, span, allowance)
            _check_again(session.repository, by)

    def check_length(length: int) -> None:
        if allowance is not None:
            allowance.check(length)

    with _describing_position(name, session):
        services().content.finish_upload(session, by, digest, receive, check_length)
    return _created(name, digest)


def status(name: str, session_id: str) -> Response:
    """end-13: ``GET`` of a session, 204 with the range that is stored."""
    session = _find_session(name, session_id)
    length = services().storage.upload_length(session.uuid)
    return _progress(204, name, session.uuid, length)


def cancel(name: str, session_id: str) -> Response:
    """end-14: ``DELETE`` of a session, 204."""
    session = _find_session(name, session_id)
    services().catalog.uploads.cancel(session.uuid)
    services().storage.discard_upload(session.uuid)
    return Response(status=204)


def _mount(repository: RepositoryInfo, digest: Digest, source: str | None) -> bool:
    """Link a blob of another repository that the caller may pull from."""
    if source is not None and not is_name(source):
        return False
    found = readable_holder(digest, source, target=repository)
    if found is None:
        return False
    holder, place = found
    return is_stored(place) and services().content.link_blob(
        repository, _pusher(repository), place, holder.name
    )


def _pusher(repository: RepositoryInfo) -> Actor:
    """Return the caller as the actor of a push to a repository."""
    return services().content.actor(
        principal().caller, check_push=push_check(repository.name)
    )


def _check_again(repository: RepositoryInfo, by: Actor) -> None:
    """Check that the caller may still push, after the bytes have arrived."""
    by.check_push(repository)
    # The bytes are hashed and stored next, without a connection to the database.
    services().catalog.release()


def _receive_whole(repository: RepositoryInfo, digest: Digest) -> None:
    by, allowance = _pusher(repository), upload_allowance(repository, digest=digest)

    def receive(upload: UploadFile) -> None:
        _receive(upload, digest.algorithm, None, allowance)
        _check_again(repository, by)

    services().content.put_blob(repository, by, digest, receive)


def _begin(repository: RepositoryInfo) -> Response:
    parts = services()
    parts.content.storage_identity.verify()
    algorithm = check_algorithm(request.args.get("digest-algorithm", DEFAULT_ALGORITHM))
    by = _pusher(repository)
    session = start_session(repository, by, algorithm)
    try:
        parts.storage.start_upload(session.uuid)
    except BaseException:
        parts.catalog.uploads.cancel(session.uuid)
        raise
    response = _progress(202, repository.name, session.uuid, 0)
    if parts.config.chunk_min_length is not None:
        response.headers["OCI-Chunk-Min-Length"] = str(parts.config.chunk_min_length)
    return response


def _find_session(name: str, session_id: str) -> UploadSession:
    repository = admit(name, "push")
    parts = services()
    return parts.catalog.uploads.find(
        repository, session_id, parts.catalog.users.key_of(principal().caller)
    )


@contextmanager
def _describing_position(name: str, session: UploadSession) -> Iterator[None]:
    """Add the session's position to an error about the session.

    A client can then continue from there without asking.
    """
    try:
        yield
    except BlobUploadInvalid as error:
        length = services().storage.upload_length(session.uuid)
        error.headers.update(_progress(416, name, session.uuid, length).headers)
        raise


def _receive(
    upload: UploadFile,
    algorithm: str,
    span: Span | None,
    allowance: UploadAllowance | None,
) -> None:
    """Append the request's body, which is meant for ``span`` of the upload.

    If the body breaks off, the received bytes stay. If it is too long, none of it
    stays.

    :param allowance: the number of bytes that quotas allow, or None if there is no
        limit.
    """
    _check_order(upload, span)
    source = body.stream()
    before = upload.length
    announced = span.length if span else None
    ceilings = _ceilings(allowance)
    if allowance is not None:
        allowance.check(before + (announced or request.content_length or 0))
    most = min((length for length, _ in ceilings), default=None)
    left = None if most is None else max(most - before, 0)
    limits = [limit for limit in (left, announced) if limit is not None]
    try:
        received = upload.append(source, algorithm, min(limits, default=None))
    except SizeInvalid:
        upload.truncate(before)
        if left is not None and (announced is None or left < announced):
            raise next(error for length, error in ceilings if length == most) from None
        raise
    body.check_length(received)
    if announced is not None and received != announced:
        raise SizeInvalid(
            f"Content-Range announced {announced} bytes and {received} arrived.",
            detail=str(received),
        )


def _ceilings(allowance: UploadAllowance | None) -> list[tuple[int, RegistryError]]:
    """Return the maximum lengths of a blob in bytes, each with the error for a longer
    one."""
    most, ceilings = services().config.max_blob_size, list[tuple[int, RegistryError]]()
    if most is not None:
        message = f"The blob is larger than the limit of {most} bytes."
        ceilings.append((most, SizeInvalid(message, status=413)))
    if allowance is not None:
        ceilings.append((allowance.bytes, allowance.exceeded()))
    return ceilings


def _check_order(upload: UploadFile, span: Span | None) -> None:
    if span is None:
        return
    if span.start != upload.length:
        raise BlobUploadInvalid(
            f"Chunk out of order: the next chunk begins at byte {upload.length}.",
            detail=f"{span.start}-{span.stop - 1}",
            status=416,
        )
    if request.content_length not in (None, span.length):
        raise SizeInvalid(
            f"Content-Range has {span.length} bytes, but Content-Length is"
            f" {request.content_length}; send matching headers."
        )


def _created(name: str, digest: Digest) -> Response:
    response = Response(status=201)
    response.headers["Location"] = location(".blob", name=name, digest=str(digest))
    response.headers["Docker-Content-Digest"] = str(digest)
    return response


def _progress(status: int, name: str, session_id: str, length: int) -> Response:
    """Return a response with the location and the range of a session. An empty session
    has the range ``0-0``, because there is no range of no bytes."""
    response = Response(status=status)
    response.headers["Location"] = location(".upload", name=name, session_id=session_id)
    response.headers["Range"] = f"0-{max(length - 1, 0)}"
    response.headers["Docker-Upload-UUID"] = session_id
    return response
