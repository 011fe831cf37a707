"""Trusted signers for hosts, the command line, REST and the pages:
``registry.trusted_signers``."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass
from datetime import datetime

from ..catalog.repository_info import name_of
from ..catalog.repository_info import namespace_of
from ..catalog.trusted_signers import SignerScope
from ..events import audit
from ..rules.paths import parse_path
from ..rules.paths import path_text
from ..verification import is_available
from ..verification import parse_signer
from ..verification import root_digest
from ..verification import Signer

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.repository_info import RepositoryRef
    from ..catalog.trusted_signers import StoredSigner

#: The maximum number of signers of one repository or path.
MAX_SIGNERS: t.Final = 20

#: The maximum number of signers of all paths of a namespace. Each signature that is
#: pushed may be compared with all of them.
MAX_IN_NAMESPACE: t.Final = 100


@dataclass(frozen=True, slots=True)
class TrustedSigner:
    """A signer that a repository or a path trusts."""

    name: str
    """The name by which policies refer to it."""

    kind: str
    """``key``, ``certificate`` or ``identity``."""

    value: str
    """The public key or the certificate in PEM, or the identity."""

    issuer: str
    """The issuer of an identity; empty for the other kinds."""

    fingerprint: str
    """The SHA-256 fingerprint of the kind, the value and the issuer."""

    repository: str | None
    """The name of the repository, or None if a path trusts it."""

    path: str | None
    """The path, such as ``website/*``, or None if a repository trusts it."""

    added_by: str | None
    """The name of the user who added it, or None if there was no user."""

    added_at: datetime
    """When it was added or replaced, in UTC."""


class TrustedSigners:
    """Keys, certificates and identities whose signatures count, in one repository, in
    the repositories of a path, or everywhere (the path ``*``).

    These methods do not check permissions: the host has done so.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def add(
        self,
        name: str,
        *,
        key: str | None = None,
        certificate: str | None = None,
        identity: str | None = None,
        issuer: str = "",
        repository: RepositoryRef | None = None,
        path: str | None = None,
        owner: t.Any = None,
        by: t.Any = None,
    ) -> TrustedSigner:
        """Trust a signer, or replace the one with the same name and scope.

        The background work compares the existing signatures with it. Give one of
        ``key``, ``certificate`` and ``identity``.

        :param name: the name by which policies refer to it, such as
            ``release@example.org``.
        :param key: a public key in PEM, as in ``cosign.pub``.
        :param certificate: the certificate of a signer or of an authority, in PEM, for
            signatures of Notation.
        :param identity: the identity in a certificate of Sigstore: an e-mail address or
            the URL of a workflow.
        :param issuer: the URL of the issuer of the identity.
        :param repository: the repository that trusts it.
        :param path: the path that trusts it: ``website/*``, or ``*`` for all.
        :param owner: one of the host's users, if only the repositories of this user in
            the path trust it. The trust then ends with the user.
        :param by: the user who makes the change, one of the host's users.
        :raises ValueError: if a value is invalid, there are too many signers, or the
            extra ``verify`` is not installed.
        :raises NameUnknown: if there is no such repository.
        """
        if not is_available():
            raise ValueError(
                "Verifying signatures needs cryptography: pip install flask-oci[verify]"
            )
        values = {"key": key, "certificate": certificate, "identity": identity}
        given = [(kind, value) for kind, value in values.items() if value is not None]
        if len(given) != 1:
            raise ValueError("Give a key, a certificate or an identity.")
        signer = parse_signer(name, *given[0], issuer)
        scope, signers = (
            self._scope(repository, path, owner),
            self._catalog.trusted_signers,
        )
        others = [each for each in signers.of(scope) if each.name != name]
        if len(others) >= MAX_SIGNERS:
            raise ValueError(f"Too many signers: a scope has at most {MAX_SIGNERS}.")
        self._check_number(scope, name)
        users = self._catalog.users
        signers.put(
            scope, name, signer.kind, signer.value, signer.issuer, users.name_of(by)
        )
        self._record("signer-trusted", by, repository, path, signer)
        return next(_trusted(each) for each in signers.of(scope) if each.name == name)

    def remove(
        self,
        name: str,
        *,
        repository: RepositoryRef | None = None,
        path: str | None = None,
        owner: t.Any = None,
        by: t.Any = None,
    ) -> bool:
        """End the trust in a signer. From the next request on, its signatures do not
        count.

        :param name: the name of the signer.
        :param repository: the repository that trusts it.
        :param path: the path that trusts it.
        :param owner: with a path, the user whose repositories trust it.
        :param by: the user who makes the change, one of the host's users.
        :return: True if there was such a signer.
        :raises ValueError: if the path is invalid.
        :raises NameUnknown: if there is no such repository.
        """
        scope, signers = (
            self._scope(repository, path, owner),
            self._catalog.trusted_signers,
        )
        found = [each for each in signers.of(scope) if each.name == name]
        if not found:
            return False
        is_removed = signers.delete(scope, name)
        self._record("signer-removed", by, repository, path, _signer(found[0]))
        return is_removed

    def list(
        self,
        *,
        repository: RepositoryRef | None = None,
        path: str | None = None,
        owner: t.Any = None,
    ) -> t.Sequence[TrustedSigner]:
        """Return the signers of a scope, or of all scopes.

        :param repository: the repository that trusts them; None with no path considers
            all scopes.
        :param path: the path that trusts them.
        :param owner: with a path, the user whose repositories trust them.
        :raises NameUnknown: if there is no such repository.
        """
        is_limited = repository is not None or path is not None
        scope = self._scope(repository, path, owner) if is_limited else None
        return [_trusted(each) for each in self._catalog.trusted_signers.of(scope)]

    def applying(self, repository: RepositoryInfo) -> Sequence[TrustedSigner]:
        """Return the signers of a repository and of the paths that contain it."""
        found = self._catalog.trusted_signers.applying(repository)
        return [_trusted(each) for each in found]

    def _scope(
        self, repository: RepositoryRef | None, path: str | None, owner: t.Any
    ) -> SignerScope:
        if (repository is None) == (path is None):
            raise ValueError("Give either a repository or a path.")
        if path is not None:
            return SignerScope(
                path=parse_path(path), path_owner_id=self._catalog.users.key_of(owner)
            )
        if isinstance(repository, str):
            repository = self._catalog.repositories.get(repository)
        return SignerScope(repository_id=t.cast("RepositoryInfo", repository).key)

    def _check_number(self, scope: SignerScope, name: str) -> None:
        if not scope.path:
            return
        namespace = namespace_of(scope.path)
        others = self._catalog.trusted_signers.count_below(namespace, name, scope.path)
        if others >= MAX_IN_NAMESPACE:
            raise ValueError(
                f"Too many signers: the paths of {namespace!r} have at most"
                f" {MAX_IN_NAMESPACE}."
            )

    def _record(
        self,
        action: str,
        by: t.Any,
        repository: RepositoryRef | None,
        path: str | None,
        signer: Signer,
    ) -> None:
        detail = {"signer": signer.name, "fingerprint": signer.fingerprint}
        if path is not None:
            detail["path"] = path
        name = None if repository is None else name_of(repository)
        audit.record(action, self._catalog.users.name_of(by), name, **detail)


def signers_of(trusted: Sequence[TrustedSigner]) -> list[Signer]:
    """Return signers for the verification."""
    return [
        Signer(each.name, t.cast("t.Any", each.kind), each.value, each.issuer)
        for each in trusted
    ]


def identifier(signers: Sequence[Signer], root: str | None) -> str:
    """Return the identifier of a set of signers, and of the trusted root if they need
    it. Names do not change it.

    :param root: the file with the trusted root of Sigstore, or None.
    """
    parts = sorted({each.fingerprint for each in signers})
    if root is not None and any(each.kind == "identity" for each in signers):
        parts.append(root_digest(root))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _signer(row: StoredSigner) -> Signer:
    return Signer(row.name, t.cast("t.Any", row.kind), row.value, row.issuer)


def _trusted(row: StoredSigner) -> TrustedSigner:
    return TrustedSigner(
        row.name,
        row.kind,
        row.value,
        row.issuer,
        _signer(row).fingerprint,
        row.repository,
        None if row.path is None else path_text(row.path),
        row.added_by,
        row.added_at,
    )
