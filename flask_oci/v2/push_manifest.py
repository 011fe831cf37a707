"""Pushing manifests (spec.md, "Pushing Manifests")."""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from ..core.manifest_content import too_large
from ..errors import ManifestInvalid
from ..http import body
from ..http.authorization import admit
from ..http.authorization import manage_check
from ..http.authorization import push_check
from ..http.locations import location
from ..http.responses import Response
from ..http.warnings import warn
from ..services import principal
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import check_tag
from ..spec.reference import NAME_MAX_LENGTH
from .quota_check import warn_if_nearly_full

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from ..catalog import RepositoryInfo
    from ..spec.manifest import Manifest

#: The maximum number of tags in one push; a registry "SHOULD support pushing at least
#: 10 tags per request".
MAX_TAGS: t.Final = 100


def put(name: str, reference: str) -> Response:
    """end-7: ``PUT /v2/<name>/manifests/<tag-or-digest>``, 201.

    With a digest, any number of ``?tag=<tag>`` set tags in the same push. The manifest,
    its references and its tags are recorded together or not at all.

    :raises DigestInvalid: if the body has another digest.
    :raises ManifestInvalid: if the body is not a valid manifest; with status 413 if it
        is too large, or 414 if there are too many tags.
    :raises ManifestBlobUnknown: if the manifest references content that was not pushed.
    :raises Denied: if a tag would move that is protected from the caller, or the caller
        has lost the permission while the body arrived, or if the manifest or its
        content is blocked, or if the host does not admit it.
    """
    repository, check = admit(name, "push"), push_check(name)
    operations = services().content
    # Reading the body ends the transaction, and with it the access to the user's row.
    by = operations.actor(
        principal().caller, manage_check(name), check, _admission(repository)
    )
    digest, tags = _reference(reference)
    content, media_type = _content(), request.headers.get("Content-Type")
    check(repository)
    pushed = operations.put_manifest(
        repository, by, content, media_type, digest=digest, tags=tags
    )
    _warn(name, pushed.missing)
    warn_if_nearly_full(repository)
    response = Response(status=201)
    response.headers["Location"] = location(".manifest", name=name, reference=reference)
    response.headers["Docker-Content-Digest"] = str(pushed.digest)
    if pushed.manifest.subject:
        response.headers["OCI-Subject"] = str(pushed.manifest.subject)
    for tag in tags if ":" in reference else ():
        response.headers.add("OCI-Tag", tag)
    if services().pulls.is_due():
        services().pulls.write_after(current_app, response)
    return response


def _admission(repository: RepositoryInfo) -> Callable[..., None]:
    """Return a function that raises an error if the host does not admit a manifest."""

    def check(
        digest: Digest, manifest: Manifest, content: bytes, tags: Sequence[str]
    ) -> None:
        services().admission.check_push(
            principal().caller, repository, digest, manifest, content, tags
        )

    return check


def _reference(reference: str) -> tuple[Digest | None, list[str]]:
    """Return the digest that the manifest must have, or None, and its tags."""
    if ":" not in reference:
        return None, [check_tag(reference)]
    tags = list(dict.fromkeys(request.args.getlist("tag")))
    if len(tags) > MAX_TAGS:
        raise ManifestInvalid(
            f"Too many tags: a push may set {MAX_TAGS}; push the digest again.",
            status=414,
        )
    return Digest.parse(reference), [check_tag(tag) for tag in tags]


def _content() -> bytes:
    most = services().config.max_manifest_size
    # Werkzeug treats a body of unknown length as too large as soon as it has reached
    # the limit, even if it ends there.
    request.max_content_length = most + 1
    pieces, received = [], 0
    try:
        services().catalog.release()
        source = body.stream()
        while received <= most and (piece := source.read(64 * 1024)):
            pieces.append(piece)
            received += len(piece)
    except RequestEntityTooLarge:
        received = most + 1
    if received > most:
        raise too_large(most)
    body.check_length(received)
    return b"".join(pieces)


def _warn(name: str, missing: list[str]) -> None:
    if missing:
        warn(
            f"Missing references in {name}: {len(missing)}. The image cannot be pulled"
            " completely until they are pushed."
        )
    if len(request.host) + 1 + len(name) > NAME_MAX_LENGTH:
        warn(
            f"With the registry's host, the name is longer than {NAME_MAX_LENGTH}"
            " characters; some clients refuse it."
        )
