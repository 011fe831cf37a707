"""An Otter Wiki, with a registry. Its users have e-mail addresses as names."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from datetime import timezone

FOLDER = os.environ["FOLDER"]
os.environ["OTTERWIKI_SETTINGS"] = f"{FOLDER}/settings.cfg"


def write_settings() -> None:
    """Write the wiki's configuration, which its import needs."""
    with open(os.environ["OTTERWIKI_SETTINGS"], "w") as file:
        file.write(
            f"REPOSITORY = '{FOLDER}/pages'\n"
            f"SQLALCHEMY_DATABASE_URI = 'sqlite:///{FOLDER}/wiki.sqlite'\n"
            f"OCI_STORAGE_PATH = '{FOLDER}/oci'\n"
            "SECRET_KEY = 'only for tests, and long enough'\n"
            "READ_ACCESS = 'REGISTERED'\n"
        )
    subprocess.run(["git", "init", "--quiet", f"{FOLDER}/pages"], check=True)


if __name__ == "__main__":
    write_settings()

import otterwiki.views  # noqa: E402
from otterwiki.auth import auth_manager  # noqa: E402
from otterwiki.models import User  # noqa: E402
from otterwiki.server import app  # noqa: E402
from otterwiki.server import db  # noqa: E402
from werkzeug.security import generate_password_hash  # noqa: E402

from flask_oci import Registry  # noqa: E402
from flask_oci import RepositoryInfo  # noqa: E402

registry = Registry(db, User, username="email")


@registry.authenticate
def check(username: str, secret: str) -> User | None:
    return auth_manager.check_credentials(username, secret)


@registry.authorize
def may(user: User | None, action: str, repository: RepositoryInfo) -> bool:
    return user is not None and user.email == f"{repository.namespace}@example.org"


app.register_blueprint(registry.blueprint)
app.register_blueprint(registry.web_blueprint, url_prefix="/images")


def set_up() -> None:
    """Create the tables and two users."""
    now = datetime.now(timezone.utc)
    with app.app_context():
        db.create_all()
        for name, password in (("alice", "wonderland"), ("bob", "builder")):
            db.session.add(
                User(
                    name=name,
                    email=f"{name}@example.org",
                    password_hash=generate_password_hash(password),
                    is_approved=True,
                    first_seen=now,
                    last_seen=now,
                )
            )
        db.session.commit()


if __name__ == "__main__":
    set_up()
assert otterwiki.views
