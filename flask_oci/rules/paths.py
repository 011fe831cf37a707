"""Paths: groups of repositories that a rule applies to.

``website/*`` is the repository ``website`` and every repository below it, and ``*`` is
every repository. The database stores a path without its ``/*``, and ``*`` as the empty
string.
"""

from __future__ import annotations

import typing as t

from ..spec.reference import is_name

#: The path of all repositories.
EVERY: t.Final = "*"

_SUFFIX: t.Final = "/*"


def parse_path(text: str) -> str:
    """Return a path as the database stores it: ``website`` for ``website/*``.

    :param text: the path as users write it.
    :raises ValueError: if it is neither ``*`` nor a name with ``/*``.
    """
    if text == EVERY:
        return ""
    path = text.removesuffix(_SUFFIX)
    if path == text or not is_name(path):
        raise ValueError(
            f"{text!r} is not a path: write 'website/*' for the repositories below a"
            " name, or '*' for all."
        )
    return path


def path_text(path: str) -> str:
    """Return a stored path as users write it: ``website/*`` for ``website``."""
    return path + _SUFFIX if path else EVERY


def covers(path: str, name: str) -> bool:
    """Return True if a stored path contains a repository.

    :param path: the path, as :func:`parse_path` returns it.
    :param name: the name of the repository.
    """
    return not path or name == path or name.startswith(f"{path}/")


def paths_of(name: str) -> list[str]:
    """Return the stored paths that contain a repository, the longest first.

    :param name: the name of the repository.
    """
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]
