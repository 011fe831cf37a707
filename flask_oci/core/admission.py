"""Admission: the decision of the host on a manifest that is pulled or pushed."""

from __future__ import annotations

import typing as t
from functools import partial

from ..admission import AdmissionRequest
from ..admission import MAX_REFERRERS
from ..catalog import Robot
from ..errors import Denied
from ..rules.robot_names import policy_name
from ..spec.digest import Digest
from ..spec.manifest import parse

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog import StoredManifest
    from ..hooks import AdmitPull
    from ..hooks import Hooks
    from ..rules.image_policy import PolicyVerdict
    from ..spec.manifest import Manifest
    from .image_policies import PolicyGate


class Admission:
    """Asks the host's functions, if there are any.

    :param hooks: the functions for ``admit_pull`` and ``admit_push``.
    :param catalog: where the content and the referrers of a manifest are recorded.
    :param policies: decides whether an image meets the policies of its repository.
    """

    def __init__(self, hooks: Hooks, catalog: Catalog, policies: PolicyGate) -> None:
        self._policies = policies
        self._hooks = hooks
        self._catalog = catalog

    def check_pull(
        self,
        user: t.Any,
        repository: RepositoryInfo,
        stored: StoredManifest,
        tag: str | None,
    ) -> list[PolicyVerdict]:
        """Check that a client may pull a manifest.

        :param user: one of the host's users, a robot, or None for an anonymous
            client.
        :param stored: the manifest, with or without its content.
        :param tag: the tag of the request, or None for a pull by digest.
        :return: the rules of policies that only warn and that the image does not meet.
        :raises Denied: if a policy or the host's function refuses.
        """
        warnings: list[PolicyVerdict] = []
        if stored.has_policies or self._policies.has_site_policy:
            warnings = self._policies.check_pull(
                repository,
                stored.digest,
                stored.media_type,
                tag,
                policy_name(
                    self._catalog.users.name_of(user), is_robot=isinstance(user, Robot)
                ),
            )
        if self._hooks.admit_pull is None:
            return warnings
        digest, content = Digest.parse(stored.digest), stored.content
        if content is None:
            found = self._catalog.manifests.find(repository.key, digest)
            content = (found.content if found else None) or b""
        manifest = parse(content, stored.media_type)
        tags = () if tag is None else (tag,)
        asked = self._request(user, repository, digest, manifest, content, tags)
        _decide(self._hooks.admit_pull, asked, "pull")
        return warnings

    def check_push(
        self,
        user: t.Any,
        repository: RepositoryInfo,
        digest: Digest,
        manifest: Manifest,
        content: bytes,
        tags: Sequence[str],
    ) -> None:
        """Check that a client may push a manifest.

        :param user: one of the host's users, a robot, or None for an anonymous
            client.
        :param repository: the repository, which the push may create.
        :param content: the bytes of the manifest.
        :param tags: the tags that the push sets.
        :raises Denied: if the host's function refuses.
        """
        if self._hooks.admit_push is None:
            return
        asked = self._request(user, repository, digest, manifest, content, tags)
        _decide(self._hooks.admit_push, asked, "push")

    def _request(
        self,
        user: t.Any,
        repository: RepositoryInfo,
        digest: Digest,
        manifest: Manifest,
        content: bytes,
        tags: Sequence[str],
    ) -> AdmissionRequest:
        return AdmissionRequest(
            user=None if isinstance(user, Robot) else user,
            robot=user if isinstance(user, Robot) else None,
            repository=repository,
            digest=str(digest),
            media_type=manifest.media_type,
            artifact_type=manifest.artifact_type,
            annotations=dict(manifest.annotations),
            subject=str(manifest.subject) if manifest.subject else None,
            tags=tuple(tags),
            content=content,
            _referrers=partial(self._referrers, repository, digest),
        )

    def _referrers(
        self, repository: RepositoryInfo, digest: Digest
    ) -> list[dict[str, t.Any]]:
        found: list[dict[str, t.Any]] = []
        more = repository.exists
        while more and len(found) < MAX_REFERRERS:
            last = found[-1]["digest"] if found else None
            page, more = self._catalog.referrers.page(
                repository.key, digest, (), MAX_REFERRERS - len(found), last
            )
            found += page
        return found


def _decide(admit: AdmitPull, asked: AdmissionRequest, action: str) -> None:
    """Ask a host's function; only True allows.

    :raises Denied: if the function returns anything else, or raises it with a reason.
    """
    if not admit(asked):
        raise Denied(
            f"This registry does not admit the {action} of {asked.digest}.",
            detail=asked.digest,
        )
