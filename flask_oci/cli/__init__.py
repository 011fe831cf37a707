"""``flask oci``: what whoever runs a registry types."""

from __future__ import annotations

import typing as t

from .events import events
from .maintenance import fsck
from .maintenance import gc
from .repositories import rename
from .repositories import transfer
from .repositories import visibility
from .tokens import token

if t.TYPE_CHECKING:
    from flask import Blueprint


def register_commands(blueprint: Blueprint) -> None:
    """Add the commands to a blueprint whose group is ``oci``."""
    for command in (token, visibility, rename, transfer, gc, fsck, events):
        blueprint.cli.add_command(command)
