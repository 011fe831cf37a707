"""The container registry of this forge: all that a host application writes."""

from __future__ import annotations

from werkzeug.security import check_password_hash
from werkzeug.security import generate_password_hash

from flask_oci import Registry

from .models import db
from .models import NAME
from .models import User

# Its tables live in the forge's database, beside the users'. A person's images are
# named after `User.username`; Registry(…, username="…") takes another attribute.
registry = Registry(db, User)

# An unknown name is checked against this, so that the time an answer takes does not
# tell which names exist.
NOBODY = generate_password_hash("")


# `docker login` asks this. The sign-in page asks it too: one password for both.
@registry.authenticate
def check_password(username: str, secret: str) -> User | None:
    """Return the user whose password this is, or None."""
    # Only what could be a name reaches the database.
    query = db.select(User).filter_by(username=username)
    user = db.session.scalar(query) if NAME.fullmatch(username) else None
    # Hash the password in any case: see above.
    matches = check_password_hash(user.password_hash if user else NOBODY, secret)
    # Whether the account is switched off is asked at each use, not only here.
    return user if matches else None
