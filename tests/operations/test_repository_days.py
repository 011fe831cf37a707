"""The pulls and the sizes of repositories by day."""

from __future__ import annotations

import threading
import typing as t
from datetime import timedelta

import sqlalchemy as sa
from flask import Flask

from flask_oci.catalog.repository_days import KEPT_DAYS
from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"


def write(app: Flask) -> None:
    """Write the pulls and the pushes that the process has collected."""
    with app.app_context():
        app.extensions["oci"].pulls.write()


def days(client: RegistryClient, count: int = 3) -> list[tuple[int, int | None]]:
    """Return the pulls and the bytes of the last days."""
    found = RestClient(client).get(f"/repositories/{NAME}/-/activity?days={count}")
    return [(day["pulls"], day["bytes"]) for day in found["days"]]


def rows() -> list[t.Any]:
    """Return the rows of all days."""
    columns = registry.models.RepositoryDay.__table__.c
    found = sa.select(columns.day, columns.pulls, columns.bytes).order_by(columns.day)
    return [*db.session.execute(found)]


def test_activity_has_pulls_and_size_of_each_day(
    app: Flask, alice: RegistryClient
) -> None:
    """Pulls count for the day on which they happened, also if they are written later.
    A day without a push keeps the size of the day before."""
    alice.push_image(NAME, "v1", layer=b"x" * 1000)
    size = 1000 + 37
    alice.get(f"/v2/{NAME}/manifests/v1")
    write(app)
    assert days(alice) == [(0, None), (0, None), (1, size)]
    with later(timedelta(days=1)):
        for _ in range(2):
            alice.get(f"/v2/{NAME}/manifests/v1")
    with later(timedelta(days=2)):
        alice.push_image(NAME, "v2", layer=b"y" * 500)
        write(app)
        assert days(alice) == [(1, size), (2, size), (0, size + 500)]
        page = Visitor(app, "alice").get(f"/images/{NAME}")
        assert "3 pulls in 30 days" in page.text
        assert page.text.count(str(utcnow().date())) == 1
        assert [page.html.count(f"{n}</title>") for n in ("1 pull", "2 pulls")] == [
            1,
            1,
        ]
    hidden = RestClient.of(app, "bob").send("GET", f"/repositories/{NAME}/-/activity")
    assert refusal(hidden) == (404, "NAME_UNKNOWN")


def test_days_are_kept_for_a_year(app: Flask, alice: RegistryClient) -> None:
    """A pull deletes the old days of its repository, and a collection all others."""
    for name in (NAME, "alice/idle"):
        alice.push_image(name, "v1")
    write(app)
    with later(timedelta(days=KEPT_DAYS)):
        alice.get(f"/v2/{NAME}/manifests/v1")
        write(app)
        with app.app_context():
            assert len(rows()) == 2
        Upkeep(app).gc()
        with app.app_context():
            assert [row.pulls for row in rows()] == [1]


def test_collection_measures_what_no_process_did(
    app: Flask, alice: RegistryClient
) -> None:
    """The size is that of the blobs that the repository links, also if a process that
    received pushes was killed."""
    alice.push_image(NAME, "v1", layer=b"x" * 1000)
    app.extensions["oci"].catalog.pulls.recent_pushes.take()
    Upkeep(app).gc()
    assert days(alice, 1) == [(0, 1037)]
    alice.push_image("alice/gone", "v1")
    alice.get("/v2/alice/gone/manifests/v1")
    with app.app_context():
        registry.repositories.delete("alice/gone")
    # The collected pulls and pushes of a deleted repository leave no row.
    write(app)
    with app.app_context():
        assert len(rows()) == 1


def test_processes_add_to_the_same_day(app: Flask, alice: RegistryClient) -> None:
    """Simultaneous writes of several processes lose no pull."""
    alice.push_image(NAME, "v1")
    with app.app_context():
        key, day = registry.repositories.find(NAME).id, utcnow().date()

    def record() -> None:
        with app.app_context():
            for _ in range(5):
                app.extensions["oci"].catalog.pulls.record({(key, day): 2}, {}, [key])

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert days(alice, 1) == [(40, 44)]
