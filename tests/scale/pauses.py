"""Requests whose bodies arrive in two halves, and the passing of leases and grace
periods."""

from __future__ import annotations

import contextlib
import typing as t
from http.client import HTTPConnection

import sqlalchemy as sa

from tests.support.forge import wait_until
from tests.torture.client import Answer
from tests.torture.client import PATIENCE

#: The times of rows that a lease, a grace period or a lifetime begins or ends with.
TIMES: t.Final = {
    "oci_bucket_upload": ("leased_until", "touched_at"),
    "oci_upload": ("started_at",),
    "oci_repository_blob": ("leased_at",),
    "oci_blob": ("unlinked_at",),
    "oci_manifest": ("touched_at",),
    "oci_discarded": ("discarded_at",),
    "oci_repository": ("collect_at",),
}

#: The time limit of the actions of others during a pause, in seconds.
LIMIT: t.Final = 60.0


class HalfRequest:
    """A request of which a node has received only a part of the body.

    :param port: the port of the node.
    :param authorization: the header of the request.
    :param cut: the number of bytes that are sent now.
    """

    def __init__(
        self,
        port: int,
        authorization: str,
        method: str,
        path: str,
        body: bytes,
        cut: int,
        headers: t.Mapping[str, str] | None = None,
    ) -> None:
        self._rest = body[cut:]
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._connection.putrequest(method, path)
        self._connection.putheader("Authorization", authorization)
        self._connection.putheader("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        self._connection.send(body[:cut])

    def finish(self) -> Answer:
        """Send the other bytes, and return the answer."""
        # The node may have refused the request before its end.
        with contextlib.suppress(ConnectionError):
            self._connection.send(self._rest)
        with contextlib.closing(self._connection):
            found = self._connection.getresponse()
            headers = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, headers, found.read())


class Rows:
    """The rows of the registry, as an operator of the database sees and changes them.

    :param url: the URL of the PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)

    def number(self, condition: str, table: str = "oci_bucket_upload") -> int:
        """Return the number of rows of a table that meet a condition."""
        query = f"SELECT count(*) FROM {table} WHERE {condition}"
        with self._engine.connect() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())

    def wait_for(self, number: int, condition: str, table: str) -> None:
        """Wait until so many rows meet a condition."""
        wait_until(
            lambda: self.number(condition, table) == number,
            LIMIT,
            f"{number} of {table}: {condition}",
        )

    def age(self) -> None:
        """Move all times of leases and grace periods an hour back, except in rows that
        a stopped process has locked."""
        with self._engine.begin() as connection:
            for table, columns in TIMES.items():
                older = ", ".join(f"{c} = {c} - interval '1 hour'" for c in columns)
                free = f"SELECT ctid FROM {table} FOR UPDATE SKIP LOCKED"
                connection.exec_driver_sql(
                    f"UPDATE {table} SET {older} WHERE ctid IN ({free})"
                )

    @contextlib.contextmanager
    def locked_blob(self, digest: str) -> t.Iterator[None]:
        """Lock the row of a blob for the duration of the context."""
        query = sa.text("SELECT id FROM oci_blob WHERE digest = :digest FOR UPDATE")
        with self._engine.begin() as connection:
            connection.execute(query, {"digest": digest}).one()
            yield
