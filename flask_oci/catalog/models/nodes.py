"""Processes that serve the registry, on one machine or on several."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from .columns import free_text
from .columns import Record
from .columns import TIME


class Node(Record):
    """A process that serves the registry, as it was a few minutes ago."""

    __tablename__ = "oci_node"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True, sort_order=-1)
    host: Mapped[str] = mapped_column(free_text(255))
    """The name of its machine."""

    version: Mapped[str] = mapped_column(sa.String(64))
    """Its version of flask-oci."""

    keys: Mapped[list[str]] = mapped_column(sa.JSON())
    """Fingerprints of the secret key and of its former keys, the current one first."""

    settings: Mapped[dict[str, str]] = mapped_column(sa.JSON())
    """Fingerprints of the settings, by the name of the key."""

    clock: Mapped[float] = mapped_column(sa.Float)
    """By how many seconds its clock is ahead of the database's."""

    seen_at: Mapped[datetime] = mapped_column(TIME, index=True)
    """When it reported last, by the database's clock."""
