"""The registry's tables.

Each record is a plain annotated class. :meth:`Models.bind` maps the records with their
own declarative base, which uses the host's metadata. ``db.create_all()`` and
``flask db migrate`` therefore find the tables, and the records inherit nothing from
the host's base class.
"""

from .binding import Models
from .webhooks import DEAD
from .webhooks import DELIVERED
from .webhooks import PENDING

__all__ = [
    "DEAD",
    "DELIVERED",
    "PENDING",
    "Models",
]
