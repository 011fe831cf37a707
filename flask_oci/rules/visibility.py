"""Visibility levels of repositories: private, internal and public."""

from __future__ import annotations

import typing as t

PRIVATE: t.Final = "private"
INTERNAL: t.Final = "internal"
PUBLIC: t.Final = "public"

#: In this order: only the owner may pull, every signed-in user, every client.
VISIBILITIES: t.Final = (PRIVATE, INTERNAL, PUBLIC)
