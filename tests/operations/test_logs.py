"""Log records that say which request they are of."""

from __future__ import annotations

import logging

import pytest
from flask import Flask

from flask_oci import signals
from flask_oci.changes import Change
from flask_oci.operations.logs import FIELDS
from flask_oci.operations.logs import RequestFilter
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

NAME = "alice/app"


@pytest.fixture(name="records")
def _records(app: Flask) -> list[logging.LogRecord]:
    """The records that the host's own handler receives, with the filter."""
    records: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Handler()
    handler.addFilter(RequestFilter())
    app.logger.addHandler(handler)
    app.extensions["test_handler"] = handler
    return records


@pytest.fixture(autouse=True)
def _clean(app: Flask, records: object) -> object:
    """Take the handler away again: applications of one name share a logger."""
    yield
    app.logger.removeHandler(app.extensions["test_handler"])


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields that the filter has added."""
    return {name: getattr(record, name) for name in FIELDS}


def test_record_of_request_has_fields(
    app: Flask, alice: RegistryClient, records: list[logging.LogRecord]
) -> None:
    """It has the repository, the content and the user of the request."""

    def note(sender: Flask, change: Change) -> None:
        app.logger.error("something")

    with signals.manifest_pushed.connected_to(note):
        manifest = alice.push_image(NAME, "latest")
        alice.push_manifest(NAME, manifest)
    with signals.blob_pushed.connected_to(note):
        alice.push_blob(NAME, b"more")
    common = {"repository": NAME, "user": "alice", "address": "127.0.0.1"}
    by_tag, by_digest, blob = map(fields, records)
    put = "oci.manifest_put"
    assert by_tag == {**common, "digest": None, "tag": "latest", "route": put}
    digest = digest_of(manifest)
    assert by_digest == {**common, "digest": digest, "tag": None, "route": put}
    digest = digest_of(b"more")
    assert blob == {**common, "digest": digest, "tag": None, "route": "oci.uploads"}


def test_record_of_lost_blob_has_the_repository(
    app: Flask, alice: RegistryClient, records: list[logging.LogRecord]
) -> None:
    """The registry's own messages can be found by the repository."""
    alice.push_blob(NAME, LAYER)
    digest = digest_of(LAYER)
    Upkeep(app).blob(digest).unlink()
    assert alice.get(f"/v2/{NAME}/blobs/{digest}").status_code == 404
    (record,) = records
    assert (fields(record)["repository"], fields(record)["digest"]) == (NAME, digest)


def test_record_without_request_has_empty_fields(
    app: Flask, records: list[logging.LogRecord]
) -> None:
    """It has the same attributes, so that a format can rely on them."""
    with app.app_context():
        app.logger.error("something")
    assert set(fields(records[0]).values()) == {None}
