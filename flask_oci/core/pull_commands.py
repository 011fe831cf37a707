"""The commands and files that pull an image or another artifact."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .artifact_types import ArtifactKind
from .artifact_types import CACHE
from .artifact_types import CHART
from .artifact_types import IMAGE
from .artifact_types import INDEX

_COMPOSE: t.Final = """\
services:
  {name}:
    image: {reference}"""

_POD: t.Final = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  containers:
    - name: {name}
      image: {reference}"""


@dataclass(frozen=True, slots=True)
class PullCommands:
    """The texts for one program: commands, or a part of a file."""

    program: str
    """The name of the program or the file."""

    by_tag: tuple[str, ...]
    """The texts with the tag; empty if there is no tag."""

    by_digest: tuple[str, ...]
    """The texts with the digest, which always pull the same content."""


def pull_commands(
    kind: ArtifactKind, image: str, tag: str | None, digest: str
) -> list[PullCommands]:
    """Return the commands that pull an artifact, by program.

    :param image: the host and the name of the repository.
    :param tag: a tag of the artifact, or None.
    :param digest: the digest of its manifest.
    """
    short = _short_name(image)
    if kind == CHART:
        chart = f"oci://{image}"
        # Helm stores the "+" of a version as "_", which a tag may contain.
        version = f"{chart} --version {(tag or '').replace('_', '+')}"
        made = {"Helm": (_helm(version, short), _helm(f"{chart}@{digest}", short))}
    else:
        tagged, pinned = f"{image}:{tag}", f"{image}@{digest}"
        made = {
            program: ((text(tagged, short),), (text(pinned, short),))
            for program, text in _programs(kind).items()
        }
    return [
        PullCommands(program, by_tag if tag else (), by_digest)
        for program, (by_tag, by_digest) in made.items()
    ]


def _programs(kind: ArtifactKind) -> dict[str, t.Callable[[str, str], str]]:
    """Return the functions that write the text of each program, from a reference and a
    short name."""
    if kind in (IMAGE, INDEX):
        return {
            "Docker": lambda reference, _: f"docker pull {reference}",
            "Podman": lambda reference, _: f"podman pull {reference}",
            "Dockerfile": lambda reference, _: f"FROM {reference}",
            "Compose": lambda ref, name: _COMPOSE.format(reference=ref, name=name),
            "Kubernetes": lambda ref, name: _POD.format(reference=ref, name=name),
        }
    if kind == CACHE:
        build = "docker buildx build --cache-from type=registry,ref="
        return {"Buildx": lambda reference, _: f"{build}{reference} ."}
    return {"ORAS": lambda reference, _: f"oras pull {reference}"}


def _helm(chart: str, release: str) -> tuple[str, ...]:
    return f"helm pull {chart}", f"helm install {release} {chart}"


def _short_name(image: str) -> str:
    """Return the last component of a name as a DNS label, which services, pods and
    releases of Helm require (RFC 1123, section 2.1)."""
    label = re.sub("[^a-z0-9]+", "-", image.rpartition("/")[2])
    return label[:50].strip("-")
