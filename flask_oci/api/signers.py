"""Trusted signers, and the signatures of an image."""

from __future__ import annotations

import typing as t

import msgspec

from ..errors import ManifestUnknown
from ..errors import NameUnknown
from ..errors import Unsupported
from ..services import principal
from ..services import services
from ..spec.reference import parse_reference
from .access import authorize
from .access import signed_in_user
from .bodies import NewSigner
from .bodies import Signature
from .bodies import Signatures
from .bodies import TrustedSigner
from .bodies import TrustedSigners
from .paths import managed_path
from .paths import scope_of


def signers(name: str) -> TrustedSigners:
    """List the signers that a repository trusts itself. The caller must be allowed to
    manage it.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    return _list(repository=authorize(name, "manage"))


def trust_signer(name: str, signer: str, body: NewSigner) -> TrustedSigners:
    """Trust a signer in a repository, or replace the one with the same name.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises Unsupported: 422, if a value is invalid.
    """
    repository = authorize(name, "manage")
    found = _add(signer, body, principal().user, repository=repository)
    # The background work verifies the rest.
    services().content.attachments.check(repository)
    return found


def remove_signer(name: str, signer: str) -> None:
    """End the trust of a repository in a signer.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller,
        or if it does not trust such a signer.
    """
    repository = authorize(name, "manage")
    _remove(signer, principal().user, repository=repository)


def path_signers(name: str) -> TrustedSigners:
    """List the signers that a path trusts. The caller must manage the path.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    """
    return _list(**scope_of(managed_path(name)))


def trust_path_signer(name: str, signer: str, body: NewSigner) -> TrustedSigners:
    """Trust a signer in a path, or replace the one with the same name.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    :raises Unsupported: 422, if a value is invalid.
    """
    scope = scope_of(managed_path(name))
    return _add(signer, body, signed_in_user("manage"), **scope)


def remove_path_signer(name: str, signer: str) -> None:
    """End the trust of a path in a signer.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid, or if it does not trust
        such a signer.
    """
    scope = scope_of(managed_path(name))
    _remove(signer, signed_in_user("manage"), **scope)


def signatures(name: str, reference: str) -> Signatures:
    """List the signatures of an image, by tag or by digest.

    :raises Denied: if the caller may not pull.
    :raises ManifestUnknown: if there is no such manifest.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    repository, parts = authorize(name), services()
    stored = parts.catalog.manifests.find(
        repository.key, parse_reference(reference), content=False
    )
    if stored is None:
        raise ManifestUnknown(detail=reference)
    found = parts.signatures.of(repository, [stored.digest])
    return Signatures(
        items=[msgspec.convert(each, Signature, from_attributes=True) for each in found]
    )


def _list(**scope: t.Any) -> TrustedSigners:
    found = services().trusted_signers.list(**scope)
    return TrustedSigners(
        items=[
            msgspec.convert(each, TrustedSigner, from_attributes=True) for each in found
        ]
    )


def _add(
    signer: str,
    body: NewSigner,
    by: object,
    **scope: t.Any,
) -> TrustedSigners:
    try:
        services().trusted_signers.add(
            signer,
            key=body.key,
            certificate=body.certificate,
            identity=body.identity,
            issuer=body.issuer,
            **scope,
            by=by,
        )
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    return _list(**scope)


def _remove(
    signer: str,
    by: object,
    **scope: t.Any,
) -> None:
    book = services().trusted_signers
    if not book.remove(signer, **scope, by=by):
        raise NameUnknown("There is no such signer.", detail=signer)
