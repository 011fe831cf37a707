"""Pushing manifests (spec.md, "Pushing Manifests")."""

from __future__ import annotations

import typing as t

from flask import request
from flask import url_for
from werkzeug.exceptions import RequestEntityTooLarge

from ..core.content import too_large
from ..errors import ManifestInvalid
from ..http import body
from ..http.authorization import admit
from ..http.authorization import manages
from ..http.responses import Response
from ..http.warnings import warn
from ..services import principal
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import check_tag
from ..spec.reference import NAME_MAX_LENGTH
from .quota_check import warn_if_nearly_full

#: How many tags one push may set; a registry "SHOULD support pushing at least 10
#: tags per request".
MAX_TAGS: t.Final = 100


def put(name: str, reference: str) -> Response:
    """end-7: ``PUT /v2/<name>/manifests/<tag-or-digest>``, 201.

    By digest, any number of ``?tag=<tag>`` point tags at it in the same push.
    The manifest, what it references and its tags are there together or not at
    all.

    :raises DigestInvalid: when the body has another digest.
    :raises ManifestInvalid: when it is no manifest; 413 when it is too large, 414
        when there are too many tags.
    :raises ManifestBlobUnknown: when it references what has not been pushed.
    :raises Denied: when it would move a tag that is protected from the caller.
    """
    repository = admit(name, "push")
    verbs = services().content
    # Reading the body ends the transaction, and what was read of the user with it.
    by = verbs.actor(principal().user, manages(name))
    digest, tags = _reference(reference)
    content, media_type = _content(), request.headers.get("Content-Type")
    pushed = verbs.put_manifest(
        repository, by, content, media_type, digest=digest, tags=tags
    )
    _warn(name, pushed.missing)
    warn_if_nearly_full(repository)
    response = Response(status=201)
    response.headers["Location"] = url_for(".manifest", name=name, reference=reference)
    response.headers["Docker-Content-Digest"] = str(pushed.digest)
    if pushed.manifest.subject:
        response.headers["OCI-Subject"] = str(pushed.manifest.subject)
    for tag in tags if ":" in reference else ():
        response.headers.add("OCI-Tag", tag)
    return response


def _reference(reference: str) -> tuple[Digest | None, list[str]]:
    """Return the digest that the manifest must have, if any, and its tags."""
    if ":" not in reference:
        return None, [check_tag(reference)]
    tags = list(dict.fromkeys(request.args.getlist("tag")))
    if len(tags) > MAX_TAGS:
        raise ManifestInvalid(
            f"One push may set {MAX_TAGS} tags; push the digest again for more.",
            status=414,
        )
    return Digest.parse(reference), [check_tag(tag) for tag in tags]


def _content() -> bytes:
    most = services().config.max_manifest_size
    # Werkzeug takes a body of unknown length for too large as soon as it has all
    # that it may have, whether more comes or not.
    request.max_content_length = most + 1
    pieces, received = [], 0
    try:
        services().catalog.release()
        source = body.stream()
        while piece := source.read(64 * 1024):
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
            f"{len(missing)} of what this manifest references are not in {name}; it"
            " cannot be pulled whole until they are pushed."
        )
    if len(request.host) + 1 + len(name) > NAME_MAX_LENGTH:
        warn(
            f"With the registry's host in front, the name is longer than"
            f" {NAME_MAX_LENGTH} characters, which some clients refuse."
        )
