"""The kinds of issuers by name."""

from __future__ import annotations

import typing as t

from .accounts import Generic
from .accounts import Google
from .accounts import Kubernetes
from .actions import Gitea
from .actions import GitHub
from .buildkite import Buildkite
from .fields import Kind
from .gitlab import GitLab

KINDS: t.Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        GitHub(),
        GitLab(),
        Gitea(),
        Buildkite(),
        Google(),
        Kubernetes(),
        Generic(),
    )
}
