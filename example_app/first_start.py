"""The first start: the secret key, the tables and the demonstration accounts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile
from pathlib import Path

import click
from sqlalchemy import event
from werkzeug.security import generate_password_hash

from .models import db
from .models import tune
from .models import User

HINT = """
 Your forge is at http://{host}:{port} (sign in as alice / wonderland or bob / builder).
 Push an image into it (lines with "code 400" are harmless: Docker tries TLS first):

   echo wonderland | docker login {host}:{port} -u alice --password-stdin
   docker pull hello-world
   docker tag hello-world {host}:{port}/alice/hello
   docker push {host}:{port}/alice/hello
"""


def secret_key(folder: str) -> str:
    """Return the key that signs sessions and tokens; the first call creates it."""
    path = Path(folder, "secret_key")
    if not path.exists():
        # Only the owner may read this draft. Its link appears with its whole content,
        # and never replaces a key that another process has linked first.
        with tempfile.NamedTemporaryFile("w", dir=folder) as draft:
            draft.write(secrets.token_hex(32))
            draft.flush()
            os.fsync(draft.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text()


def prepare(folder: str) -> None:
    """Create the tables and the demonstration accounts, and print the hint, once."""
    event.listen(db.engine, "connect", tune)
    # Server processes start together: one does the work while the others wait here.
    with Path(folder, "first-start.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        db.create_all()
        if not db.session.scalar(db.select(User.id).limit(1)):
            for name, password in (("alice", "wonderland"), ("bob", "builder")):
                secret = generate_password_hash(password)
                db.session.add(User(username=name, password_hash=secret))
            db.session.commit()
        # A server that forks after this must not share an open connection.
        db.session.remove()
        db.engine.dispose()
        # The lock file records that the hint was printed. The first server prints it; a
        # command that runs earlier does not. Only `flask run` has a context here.
        context = click.get_current_context(silent=True)
        lock.seek(0)
        if (context is None or context.info_name == "run") and not lock.read():
            address = context.params if context else {"host": "127.0.0.1", "port": 5000}
            click.echo(HINT.format_map(address))
            lock.write("greeted\n")
