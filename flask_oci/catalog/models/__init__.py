"""The tables.

Each record is a plain annotated class. :meth:`Models.bind` joins them to a
declarative base of their own whose metadata is the host's, so that
``db.create_all()`` and ``flask db migrate`` see them, and the host's base class
stays out of them.
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
