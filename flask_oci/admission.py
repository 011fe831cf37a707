"""Requests for admission: the pulls and pushes that a host's function decides on.

``authorize`` decides who may pull from a repository. An admission function decides on
the content: whether this manifest may be pulled or pushed.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from .catalog.repository_info import RepositoryInfo
from .catalog.robots import Robot

#: The maximum number of referrers that a function gets.
MAX_REFERRERS: t.Final = 1000


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """A manifest that a client pulls or pushes."""

    user: t.Any
    """The host's user, or None for an anonymous client and for a robot."""

    repository: RepositoryInfo
    """The repository. Its ``id`` is None if the push creates it."""

    digest: str
    """The digest of the manifest."""

    media_type: str
    """The media type of the manifest."""

    artifact_type: str | None
    """The type of an artifact, such as of a signature, or None."""

    annotations: Mapping[str, str]
    """The annotations of the manifest, which the user who pushed it chose."""

    subject: str | None
    """The digest of the manifest that this one refers to, or None."""

    tags: tuple[str, ...]
    """The tag of a pull, or the tags that a push sets. Empty for a pull by digest."""

    content: bytes = field(repr=False)
    """The bytes of the manifest."""

    _referrers: Callable[[], list[dict[str, t.Any]]] = field(repr=False)

    robot: Robot | None = None
    """The robot that pulls or pushes, or None."""

    def referrers(self, artifact_type: str | None = None) -> list[dict[str, t.Any]]:
        """Return the descriptors of the manifests that refer to this one, such as
        signatures, ordered by digest.

        The registry does not verify them: each user who may push to the repository can
        attach any.

        :param artifact_type: the only type to return; None returns all.
        :return: at most 1000 descriptors, each with ``mediaType``, ``digest``,
            ``size``, ``artifactType`` and ``annotations`` as in the referrers API
            (spec.md, "Listing Referrers").
        """
        found = self._referrers()
        if artifact_type is None:
            return found
        return [each for each in found if each.get("artifactType") == artifact_type]
