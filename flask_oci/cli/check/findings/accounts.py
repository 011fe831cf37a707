"""Findings about the host's users."""

from __future__ import annotations

from ..finding import FindingType

_LOADER = """\
@registry.user_loader
def load(identifier):
    return db.session.get(User, int(identifier))"""

_ACTIVE = """\
registry = Registry(db, User, active="enabled")

# Or a function:
registry = Registry(db, User, active=lambda user: user.status == "active")"""

STATUS_GUESSED = FindingType(
    "user-status-guessed",
    "note",
    "The registry determines by the name of a column which users are active.",
    "Users who are not active cannot push or pull, and their tokens are refused. The"
    " application has no is_active that differs between users.",
    {"python": _ACTIVE},
)

STATUS_UNKNOWN = FindingType(
    "user-status-unknown",
    "note",
    "The registry knows no inactive users.",
    "If the application can deactivate users, such a user can still push and pull with"
    " a token or a stored login.",
    {"python": _ACTIVE},
)

STATUS_UNCLEAR = FindingType(
    "user-status-unclear",
    "warning",
    "The registry cannot interpret a column that seems to say which users are active.",
    "It interprets booleans, and times that may be empty. If the column marks"
    " deactivated users, such a user can still push and pull.",
    {"python": _ACTIVE},
)

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
