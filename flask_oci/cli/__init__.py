"""``flask oci``: the commands of an operator."""

from __future__ import annotations

import typing as t

from .aliases import ALIASES
from .aliases import hidden_copy
from .blocks import block
from .changes import rename
from .changes import transfer
from .changes import visibility
from .check.command import check
from .copying import copy
from .copying import mirror
from .database import copy_database
from .default_visibility import default_visibility
from .deletion import delete
from .description import describe
from .disk_usage import usage
from .events import events
from .import_export import export
from .import_export import import_
from .listing import repositories
from .listing import tags
from .maintenance import fsck
from .maintenance import gc
from .policy import policy
from .protection import protect
from .publisher import publisher
from .quota import quota
from .retention import retention
from .robots import robot
from .scan import scan
from .show import show
from .storage import storage
from .tables import tables
from .tag_history import history
from .tag_history import restore
from .tokens import token
from .trust import trust
from .upstream import upstream
from .webhooks import webhooks
from .who_can import who_can
from .work import jobs
from .work import work

if t.TYPE_CHECKING:
    from click import Command
    from flask import Blueprint

COMMANDS: t.Final[tuple[Command, ...]] = (
    repositories,
    tags,
    show,
    usage,
    history,
    who_can,
    delete,
    restore,
    import_,
    export,
    copy,
    mirror,
    describe,
    visibility,
    rename,
    transfer,
    block,
    trust,
    policy,
    scan,
    token,
    robot,
    publisher,
    work,
    jobs,
    gc,
    fsck,
    check,
    tables,
    copy_database,
    events,
    protect,
    webhooks,
    retention,
    quota,
    default_visibility,
    upstream,
    storage,
)


def register_commands(blueprint: Blueprint) -> None:
    """Add the commands to a blueprint whose group is ``oci``."""
    for command in COMMANDS:
        blueprint.cli.add_command(command)
        for alias, name in ALIASES.items():
            if name == command.name:
                blueprint.cli.add_command(hidden_copy(command, alias))
