"""The registry's tables.

Each record is a plain annotated class. :meth:`Models.bind` maps the records with their
own declarative base, so that they inherit nothing from the host's base class. The base
uses the host's metadata, in which ``db.create_all()`` and ``flask db migrate`` find the
tables, unless the host passes another one.
"""

from .binding import Models
from .upstreams import DELETED
from .upstreams import PRESENT
from .webhooks import DEAD
from .webhooks import DELIVERED
from .webhooks import PENDING

__all__ = [
    "DEAD",
    "DELETED",
    "DELIVERED",
    "PENDING",
    "PRESENT",
    "Models",
]
