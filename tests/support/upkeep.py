"""An operator of a registry, who runs its commands and inspects its disk and rows."""

from __future__ import annotations

import json
import os
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

#: The default grace period, and the time after which a collection must have deleted.
GRACE = timedelta(days=1)
LONG = GRACE * 1.25 + timedelta(minutes=1)


def later(span: timedelta) -> time_machine.travel:
    """Move the clock forward for the duration of the context."""
    return time_machine.travel(utcnow() + span, tick=False)


class Upkeep:
    """An operator on the machine of an application."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.folder = Path(app.instance_path, "oci")

    def run(self, *args: str) -> Result:
        """Run ``flask oci ...``."""
        return self.app.test_cli_runner().invoke(args=["oci", *args])

    def gc(self, *args: str) -> dict[str, t.Any]:
        """Run the collection, and return its counts of deleted content."""
        result = self.run("gc", "--json", *args)
        assert result.exit_code == 0, result.output
        return t.cast("dict[str, t.Any]", json.loads(result.stdout))

    def fsck(self, *args: str, status: int = 0) -> list[dict[str, t.Any]]:
        """Run the consistency check, and return the problems."""
        result = self.run("fsck", "--json", *args)
        assert result.exit_code == status, result.output
        return t.cast("list[dict[str, t.Any]]", json.loads(result.stdout))

    def kinds(self, *args: str, status: int = 0) -> list[tuple[str, str]]:
        """Run the consistency check; return each problem's kind and subject."""
        return [(p["kind"], p["subject"]) for p in self.fsck(*args, status=status)]

    def end_upload_leases(self) -> None:
        """Let the leases of all uploads to a bucket end, as if time had passed."""
        ending = "UPDATE oci_bucket_upload SET leased_until = '2001-01-01'"
        self.execute(sa.text(ending))

    def execute(self, statement: sa.Executable) -> None:
        """Change rows directly in the database."""
        with self.app.app_context():
            db.session.execute(statement)
            db.session.commit()

    def blob(self, digest: str) -> Path:
        """Return the path of a blob, stored or not."""
        algorithm, _, encoded = digest.partition(":")
        return self.folder / "blobs" / algorithm / encoded[:2] / encoded

    def store(self, digest: str, content: bytes) -> None:
        """Write a file at the path of a blob."""
        path = self.blob(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        # The collection spares files that were written a short time ago.
        os.utime(path, (0, 0))

    def blobs(self) -> set[str]:
        """Return the digests of the stored blobs."""
        return {
            f"{path.parent.parent.name}:{path.name}"
            for path in self.folder.glob("blobs/*/*/*")
        }

    def uploads(self) -> set[str]:
        """Return the names of the upload sessions' files."""
        return {path.name for path in self.folder.glob("uploads/*")}

    def quarantined(self) -> list[bytes]:
        """Return the content of the quarantined files."""
        return sorted(path.read_bytes() for path in self.folder.glob("quarantine/*"))

    def rows(self, name: str) -> int:
        """Count the rows of a table, named as in ``registry.models``."""
        with self.app.app_context():
            model = getattr(registry.models, name)
            count = sa.select(sa.func.count()).select_from(model)
            return db.session.scalar(count) or 0
