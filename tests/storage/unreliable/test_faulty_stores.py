"""Real object stores that refuse, fail, hang and cut answers."""

from __future__ import annotations

import json
import os
import typing as t
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.faulty_store import Fault
from tests.support.faulty_store import FaultyStore
from tests.support.object_stores import Store
from tests.support.object_stores import versitygw
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep

from .content import LARGE
from .content import NAME
from .content import path_of
from .content import SMALL
from .content import UPLOADS

pytestmark = pytest.mark.real

ALL: t.Final = "arn:aws:s3:::blobs/*"
NONE: t.Final = timedelta()
WRITES: t.Final = ("PUT", "POST", "DELETE")

#: The faults of each store, with the sentence in the log and in the finding.
FAULTS: t.Final[dict[str, list[tuple[Fault, str]]]] = {
    "s3": [
        (Fault(status=500, code="InternalError"), "does not answer"),
        (Fault(status=503, code="SlowDown"), "too many requests"),
        (Fault(WRITES, status=403, code="AccessDenied"), "denies access"),
        (Fault(WRITES, status=403, code="QuotaExceeded"), "is full"),
        (Fault(WRITES, status=507, code="XMinioStorageFull"), "is full"),
        (Fault(is_silent=True), "does not answer"),
        (Fault(is_late=True), "does not answer"),
    ],
    "azure": [
        (Fault(status=500, code="InternalError"), "does not answer"),
        (Fault(status=503, code="ServerBusy"), "too many requests"),
        (
            Fault(WRITES, status=403, code="AuthorizationPermissionMismatch"),
            "denies access",
        ),
        (Fault(is_silent=True), "does not answer"),
        (Fault(is_late=True), "does not answer"),
    ],
}


@pytest.fixture(name="attempts")
def _attempts(request: pytest.FixtureRequest) -> int:
    """How often the application sends a request to the store."""
    return int(getattr(request, "param", 1))


@pytest.fixture(name="limits")
def _limits(attempts: int) -> dict[str, float]:
    return {"TIMEOUT": 0.5, "DRAIN": 0, "PAUSE": 0, "ATTEMPTS": attempts}


def _assert_unavailable(response: TestResponse) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["Retry-After"] == "60"
    assert response.get_json()["errors"][0]["code"] == "UNAVAILABLE"


def _append(client: RegistryClient, location: str, content: bytes) -> TestResponse:
    """Send the bytes that the session lacks."""
    first, _, last = client.get(location).headers["Range"].partition("-")
    stored = int(last) + 1 if (first, last) != ("0", "0") else 0
    assert stored >= 100
    return client.patch(location, content[stored:])


def _details(app: Flask) -> dict[str, str]:
    """Return the details of the findings of the check, by code."""
    result = Upkeep(app).run("check", "--json")
    return {f["code"]: f["detail"] for f in json.loads(result.stdout)["findings"]}


def test_fault_of_store_is_503_and_the_session_continues(
    app: Flask,
    store: Store,
    proxy: FaultyStore,
    alice: RegistryClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is half visible, the check and the log name the cause, and the upload
    continues once the store works."""
    for number, (fault, sentence) in enumerate(FAULTS[store.scheme]):
        content = bytes([number]) + LARGE
        location = alice.start_upload(NAME)
        assert alice.patch(location, content[:100]).status_code == 202
        caplog.clear()
        proxy.fault = fault

        _assert_unavailable(_append(alice, location, content))
        at_once = with_query(UPLOADS, digest=digest_of(content))
        _assert_unavailable(alice.request("POST", at_once, content))
        pulled = alice.get(path_of(SMALL))
        if "GET" in fault.methods:
            _assert_unavailable(pulled)
        else:
            assert pulled.data == SMALL
        assert alice.head(path_of(SMALL)).status_code == 200
        assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200
        assert alice.head(path_of(content)).status_code == 404
        assert sentence in caplog.text, fault
        assert sentence in _details(app)["bucket-unusable"], fault

        proxy.fault = None
        assert _append(alice, location, content).status_code == 202
        done = alice.put(with_query(location, digest=digest_of(content)))
        assert done.status_code == 201
        assert alice.blob(NAME, digest_of(content)) == content
    assert alice.blob(NAME, digest_of(SMALL)) == SMALL
    assert "bucket-unusable" not in _details(app)


@pytest.mark.parametrize("attempts", [3], indirect=True)
def test_upload_and_download_survive_one_failed_request(
    store: Store, proxy: FaultyStore, alice: RegistryClient
) -> None:
    """A request is repeated, also one that has had its effect, and clients do not
    notice."""
    faults = [Fault(is_late=True, times=1)]
    if store.scheme == "s3":
        faults.append(Fault(status=503, code="SlowDown", times=1))
        faults.append(Fault(status=500, code="InternalError", times=1))
    for fault in faults:
        content = os.urandom(1000)
        proxy.fault = fault
        assert alice.push_blob(NAME, content) == digest_of(content)
        assert fault.happened == 1
        fault.happened = 0
        assert alice.blob(NAME, digest_of(content)) == content
        assert fault.happened == 1


def test_download_continues_after_a_cut_answer(
    proxy: FaultyStore, alice: RegistryClient
) -> None:
    """A store or a proxy that ends the connection in the middle of an object costs one
    more request for the rest. If no bytes come at all, the download fails."""
    proxy.fault = Fault(("GET",), is_cut=True, times=2)
    assert alice.blob(NAME, digest_of(SMALL)) == SMALL
    assert proxy.fault.happened == 2


@pytest.mark.parametrize("store", [versitygw], indirect=True)
def test_wrong_setup_is_named_in_the_log_and_by_the_check(
    store: Store, make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong keys, a missing bucket, and the clock of a machine that is an hour off."""
    right = store.config(uuid.uuid4().hex)
    wrong_keys = {**store.credentials, "secret_key": "wrong"}
    missing = str(right["OCI_STORAGE"]).replace("s3://blobs", "s3://missing")
    hour = timedelta(hours=1)
    for settings, span, sentence in (
        ({"OCI_STORAGE_CREDENTIALS": wrong_keys}, NONE, "rejects the credentials"),
        ({"OCI_STORAGE": missing}, NONE, "The bucket does not exist."),
        ({}, hour, "Synchronize the clock"),
        ({}, -hour, "Synchronize the clock"),
    ):
        app = make_app(**{**right, **settings})
        caplog.clear()
        with later(span):
            client = RegistryClient.of(app, "alice")
            at_once = with_query(UPLOADS, digest=digest_of(SMALL))
            _assert_unavailable(client.request("POST", at_once, SMALL))
            assert sentence in caplog.text
            assert sentence in _details(app)["bucket-unusable"]
        assert client.head(path_of(SMALL)).status_code == 404


#: The lifecycle rules of a bucket, by their effect.
RULES: t.Final = """<LifecycleConfiguration><Rule><Status>Enabled</Status>
<Filter><Prefix>{}</Prefix></Filter><AbortIncompleteMultipartUpload>
<DaysAfterInitiation>8</DaysAfterInitiation></AbortIncompleteMultipartUpload>
<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>
</NoncurrentVersionExpiration></Rule></LifecycleConfiguration>"""


@pytest.mark.parametrize("store", [versitygw], indirect=True)
def test_unsuitable_bucket_is_named_by_the_check(
    store: Store, proxy: FaultyStore, make_app: MakeApp
) -> None:
    """A clock that differs by minutes, a store without TLS, a public bucket, and one
    that keeps versions or parts for ever. The store has no lifecycle rules itself."""
    settings = store.at(proxy.port).config(uuid.uuid4().hex)
    app = make_app(OCI_EXTERNAL_URL="https://forge.example.org", **settings)
    RegistryClient.of(app, "alice").push_blob(NAME, SMALL)
    found = _details(app)
    assert {code for code in found if code.startswith("bucket")} == {
        "bucket-plain-http"
    }
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": ALL}]}
    client = t.cast(t.Any, store.bucket())._client()
    client.put_bucket_policy(Bucket="blobs", Policy=json.dumps(policy))
    versions = "<VersioningConfiguration><Status>Enabled</Status>"
    proxy.answers["versioning"] = f"{versions}</VersioningConfiguration>"
    proxy.answers["lifecycle"] = RULES.format("another-prefix/")
    with later(timedelta(minutes=5)):
        found = _details(app)
    client.delete_bucket_policy(Bucket="blobs")
    assert {code for code in found if code.startswith("bucket")} == {
        "bucket-plain-http",
        "bucket-clock",
        "bucket-public",
        "bucket-versioned",
        "bucket-without-abort-rule",
    }
    assert " s behind." in found["bucket-clock"]
    folder = str(settings["OCI_STORAGE"]).split("/")[3].partition("?")[0]
    for prefix in ("", folder[:8], f"{folder}/data/"):
        proxy.answers["lifecycle"] = RULES.format(prefix)
        found = _details(app)
        assert "bucket-versioned" not in found
        assert "bucket-without-abort-rule" not in found


#: A lifecycle rule with a filter and an action.
RULE: t.Final = """<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status>
<Filter>{}</Filter>{}</Rule></LifecycleConfiguration>"""
EXPIRY: t.Final = "<Expiration><Days>90</Days></Expiration>"
ARCHIVE: t.Final = (
    "<Transition><Days>9</Days><StorageClass>GLACIER</StorageClass></Transition>"
)
CHEAPER: t.Final = ARCHIVE.replace("GLACIER", "STANDARD_IA")
MARKER: t.Final = (
    "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
    "</Expiration>"
)


@pytest.mark.parametrize("store", [versitygw], indirect=True)
def test_rule_that_removes_blobs_is_named_by_the_check(
    store: Store, proxy: FaultyStore, make_app: MakeApp
) -> None:
    """A rule may select some blobs only. Rules for tags and other prefixes, cheaper
    classes, and those for markers of deletions do not harm."""
    settings = store.at(proxy.port).config(uuid.uuid4().hex)
    app = make_app(**settings)
    RegistryClient.of(app, "alice").push_blob(NAME, SMALL)
    folder = str(settings["OCI_STORAGE"]).split("/")[3].partition("?")[0]
    tag = "<Tag><Key>a</Key><Value>b</Value></Tag>"
    large = "<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan>"
    for selected, action, is_found in (
        ("<Prefix></Prefix>", EXPIRY, True),
        (f"<Prefix>{folder}/data/3f</Prefix>", ARCHIVE, True),
        (f"<And><Prefix>{folder}</Prefix>{large}</And>", EXPIRY, True),
        (large, EXPIRY, True),
        (tag, EXPIRY, False),
        (f"<And><Prefix></Prefix>{tag}</And>", EXPIRY, False),
        ("<Prefix>another/</Prefix>", EXPIRY, False),
        ("<Prefix></Prefix>", CHEAPER, False),
        ("<Prefix></Prefix>", MARKER, False),
    ):
        proxy.answers["lifecycle"] = RULE.format(selected, action)
        found = _details(app)
        assert ("bucket-removes-blobs" in found) == is_found, (selected, action)
        if is_found:
            assert found["bucket-removes-blobs"].endswith(": old.")
