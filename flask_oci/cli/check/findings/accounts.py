"""Findings about the host's users."""

from __future__ import annotations

from ..finding import FindingType

_LOADER = """\
@registry.user_loader
def load(identifier):
    return db.session.get(User, int(identifier))"""

LOADER_SKIPPED = FindingType(
    "user-loader-skipped",
    "warning",
    "The registry cannot call the user_loader of Flask-Login.",
    "It calls the function with one argument, the identifier of a user. Because the"
    " function needs other arguments, the registry loads users by primary key, and the"
    " function cannot refuse a user.",
    {"python": _LOADER},
)

LOADER_FAILS = FindingType(
    "user-loader-fails",
    "error",
    "The application does not load its users from their identifiers.",
    "A token contains the identifier of its user: the result of get_id, or else the"
    " primary key. The function that loads users must find the user from it. Otherwise"
    " every token is refused.",
    {"python": _LOADER},
)
