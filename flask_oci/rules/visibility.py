"""Visibility of a repository: who may pull without owning it."""

from __future__ import annotations

import typing as t

PRIVATE: t.Final = "private"
INTERNAL: t.Final = "internal"
PUBLIC: t.Final = "public"

#: The owner may pull, every signed-in user, or every client.
VISIBILITIES: t.Final = (PRIVATE, INTERNAL, PUBLIC)
