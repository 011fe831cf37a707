"""``flask oci work``: the background work, its claims and its reports."""

from __future__ import annotations

import json
import threading
import typing as t
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci import Change
from flask_oci import Denied
from flask_oci.clock import utcnow
from flask_oci.signals import collection_starting
from flask_oci.signals import tag_deleted
from tests.support.check_world import check
from tests.support.host import registry
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.retention import lay
from tests.support.retention import NAME
from tests.support.retention import pull
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

pytestmark = pytest.mark.options(oci_webhook_networks=["127.0.0.0/8"])

OTHER = "alice/other"


@pytest.fixture(name="upkeep")
def _upkeep(app: Flask) -> Upkeep:
    return Upkeep(app)


def change_job(upkeep: Upkeep, name: str, **values: object) -> None:
    """Change the row of a job."""
    Job = registry.models.Job
    upkeep.execute(sa.update(Job).where(Job.name == name).values(**values))


def jobs(upkeep: Upkeep) -> dict[str, dict[str, t.Any]]:
    """Return the output of ``flask oci jobs --json``, by name."""
    result = upkeep.run("jobs", "--json")
    return {job["name"]: job for job in json.loads(result.stdout)}


def test_work_once_does_everything_that_is_due_and_nothing_twice(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """A job is due again when its interval has passed."""
    alice.push_image(NAME, "pr-1")
    lay(app, "delete pr-*")
    with Receiver() as receiver:
        upkeep.run("webhooks", "add", receiver.url)
        alice.push_image(NAME, "main", layer=b"main")
        result = upkeep.run("work", "--once")
        assert result.exit_code == 0, result.output
        assert receiver.taken
    assert "retention: Deleted 1 tag and 0 manifests." in result.stdout
    assert "collection: Deleted 0 idle uploads" in result.stdout
    assert pull(alice, "pr-1") == 404
    assert pull(alice, "main") == 200
    assert {job["problem"] for job in jobs(upkeep).values()} == {None}

    alice.push_image(NAME, "pr-2", layer=b"2")
    assert "retention" not in upkeep.run("work", "--once").stdout
    assert pull(alice, "pr-2") == 200
    past = utcnow() - timedelta(days=2)
    change_job(upkeep, "retention", ended_at=past, completed_at=past)
    upkeep.run("work", "--once")
    assert pull(alice, "pr-2") == 404


def test_claimed_job_is_left_to_its_process_until_the_lease_expires(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """The lease of a process that was killed expires."""
    alice.push_image(NAME, "pr-1")
    lay(app, "delete pr-*")
    upkeep.run("work", "--once")
    alice.push_image(NAME, "pr-1", layer=b"again")
    past = utcnow() - timedelta(days=2)
    change_job(
        upkeep,
        "retention",
        ended_at=past,
        completed_at=past,
        lease="of another process",
        leased_until=utcnow() + timedelta(hours=1),
    )
    upkeep.run("work", "--once")
    assert pull(alice, "pr-1") == 200
    assert jobs(upkeep)["retention"]["is_running"]
    change_job(upkeep, "retention", leased_until=past)
    upkeep.run("work", "--once")
    assert pull(alice, "pr-1") == 404
    assert not jobs(upkeep)["retention"]["is_running"]


def test_failed_job_is_reported_and_others_run(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """Health names the job and not the reason, which may be confidential."""
    alice.push_image(NAME, "pr-1")
    lay(app, "delete pr-*")

    def refuse(_app: Flask, **_: object) -> None:
        raise Denied("Backups are running on host db7.")

    with collection_starting.connected_to(refuse, app):
        result = upkeep.run("work", "--once")
    assert result.exit_code == 3
    assert pull(alice, "pr-1") == 404
    assert "db7" in jobs(upkeep)["collection"]["problem"]
    assert "job-failed" in check(app).codes
    with app.app_context():
        health = registry.health()
    assert health.ok
    assert health.work == "The last run of these jobs failed: collection."
    # It is repeated before the interval has passed.
    past = utcnow() - timedelta(minutes=20)
    change_job(upkeep, "collection", ended_at=past)
    assert upkeep.run("work", "--once").exit_code == 0
    assert jobs(upkeep)["collection"]["problem"] is None


def test_stop_ends_a_job_after_its_current_piece_and_another_repeats_it(
    app: Flask, alice: RegistryClient
) -> None:
    """An interrupted job is not recorded as complete."""
    for name in (NAME, OTHER):
        alice.push_image(name, "pr-1")
        lay(app, "delete pr-*", name=name)
    stop = threading.Event()

    def end(_app: Flask, change: Change) -> None:
        stop.set()

    with app.app_context(), tag_deleted.connected_to(end, app):
        assert registry.work(once=True, stop=stop) == []
    assert pull(alice, "pr-1") == 404
    assert alice.get(f"/v2/{OTHER}/manifests/pr-1").status_code == 200
    with app.app_context():
        outcomes = registry.work(once=True)
    assert {outcome.name for outcome in outcomes if outcome.failed} == set()
    assert alice.get(f"/v2/{OTHER}/manifests/pr-1").status_code == 404


def test_rules_without_a_process_that_applies_them_are_reported(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """The command, the check and the pages say so, until a process runs."""
    alice.push_image(NAME, "main")
    page = Visitor(app, "alice")
    said = upkeep.run("retention", "set", "--repository", NAME, "delete pr-*")
    assert "No process applies retention rules (last complete run: never)" in (
        said.stderr
    )
    assert {"work-missing", "collection-missing"} <= set(check(app).findings)
    warning = "No process applies retention rules at the moment"
    for address in ("settings", "settings/retention"):
        assert warning in page.get(f"/images/{NAME}/-/{address}").text

    # The single commands count as well.
    upkeep.run("retention", "run")
    upkeep.gc()
    assert {"work-missing", "collection-missing"}.isdisjoint(check(app).findings)
    assert warning not in page.get(f"/images/{NAME}/-/settings").text
    assert "No process" not in (
        upkeep.run("retention", "set", "--repository", NAME, "delete x-*").stderr
    )


@pytest.mark.options(oci_metrics=True)
def test_metrics_tell_when_each_job_completed_and_failed(
    app: Flask, alice: RegistryClient, upkeep: Upkeep
) -> None:
    """A job without a run has no time."""
    alice.push_image(NAME, "main")
    upkeep.gc()
    with app.app_context():
        text = registry.metrics().get_data(as_text=True)
    assert 'oci_job_completed_timestamp_seconds{job="collection"}' in text
    assert 'oci_job_failed{job="collection"} 0.0' in text
    assert 'job="retention"' not in text
