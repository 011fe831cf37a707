"""Who looks after a registry: types its commands, and sees its disk and its rows."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
import time_machine
from click.testing import Result
from flask import Flask

from flask_oci.clock import utcnow
from tests.support.host import db
from tests.support.host import registry

#: The default grace period, and as much longer as a collection may wait.
GRACE = timedelta(days=1)
LONG = GRACE * 1.25 + timedelta(minutes=1)


def later(span: timedelta) -> time_machine.travel:
    """Live for a while at a moment that is yet to come."""
    return time_machine.travel(utcnow() + span, tick=False)


class Upkeep:
    """Somebody at the machine of an application."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.folder = Path(app.instance_path, "oci")

    def run(self, *args: str) -> Result:
        """Type ``flask oci ...``."""
        return self.app.test_cli_runner().invoke(args=["oci", *args])

    def gc(self, *args: str) -> dict[str, t.Any]:
        """Collect, and return what was deleted."""
        result = self.run("gc", "--json", *args)
        assert result.exit_code == 0, result.output
        return t.cast("dict[str, t.Any]", json.loads(result.stdout))

    def fsck(self, *args: str, status: int = 0) -> list[dict[str, t.Any]]:
        """Check, and return the problems."""
        result = self.run("fsck", "--json", *args)
        assert result.exit_code == status, result.output
        return t.cast("list[dict[str, t.Any]]", json.loads(result.stdout))

    def kinds(self, *args: str, status: int = 0) -> list[tuple[str, str]]:
        """Check, and return the kind and the subject of each problem."""
        return [(p["kind"], p["subject"]) for p in self.fsck(*args, status=status)]

    def execute(self, statement: sa.Executable) -> None:
        """Change rows behind the registry's back."""
        with self.app.app_context():
            db.session.execute(statement)
            db.session.commit()

    def blob(self, digest: str) -> Path:
        """Return where a blob is, or would be."""
        algorithm, _, encoded = digest.partition(":")
        return self.folder / "blobs" / algorithm / encoded[:2] / encoded

    def store(self, digest: str, content: bytes) -> None:
        """Put a file where a blob would be."""
        path = self.blob(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def blobs(self) -> set[str]:
        """Return the digests of what is stored."""
        return {
            f"{path.parent.parent.name}:{path.name}"
            for path in self.folder.glob("blobs/*/*/*")
        }

    def uploads(self) -> set[str]:
        """Return the names of the upload sessions' files."""
        return {path.name for path in self.folder.glob("uploads/*")}

    def quarantined(self) -> list[bytes]:
        """Return what has been put aside."""
        return sorted(path.read_bytes() for path in self.folder.glob("quarantine/*"))

    def rows(self, name: str) -> int:
        """Count the rows of a table, which is named as in ``registry.models``."""
        with self.app.app_context():
            model = getattr(registry.models, name)
            count = sa.select(sa.func.count()).select_from(model)
            return db.session.scalar(count) or 0
