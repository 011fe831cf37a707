"""The settings of downloads: how blobs reach a client, and the exceptions."""

from __future__ import annotations

import typing as t

from ..rules.paths import covers
from ..rules.paths import parse_path
from ..spec.reference import is_name

#: How blobs reach a client.
Mode: t.TypeAlias = t.Literal["stream", "nginx", "redirect"]

_MODES: t.Final = t.get_args(Mode)


class Repositories(t.NamedTuple):
    """Repositories by their names and paths."""

    names: tuple[str, ...]
    paths: tuple[str, ...]
    """As :func:`~flask_oci.rules.paths.parse_path` returns them."""

    def include(self, name: str) -> bool:
        """Return True if a repository is one of them."""
        return name in self.names or any(covers(path, name) for path in self.paths)


def mode(value: object) -> Mode | None:
    """Return how blobs reach a client, or None."""
    if value is None:
        return None
    for known in _MODES:
        if value == known:
            return t.cast(Mode, known)
    raise ValueError("must be 'stream', 'nginx' or 'redirect'")


def repositories(value: object) -> Repositories:
    """Return repositories, each a name or a path."""
    example = "must be a list of repositories and paths such as ['alice/app', 'ci/*']"
    if not isinstance(value, list | tuple):
        raise ValueError(example)
    names = [text for text in value if isinstance(text, str) and is_name(text)]
    try:
        paths = [parse_path(text) for text in value if text not in names]
    except (AttributeError, TypeError, ValueError):
        raise ValueError(example) from None
    return Repositories(tuple(names), tuple(paths))
