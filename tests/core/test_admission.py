"""Admission: the host decides which manifests are pulled and pushed."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci import AdmissionRequest
from flask_oci import Denied
from flask_oci.testing import make_artifact
from flask_oci.testing import make_image
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

NAME = "alice/app"
SIGNATURE = "application/vnd.example.signature"


@pytest.fixture(autouse=True)
def _restored() -> t.Iterator[None]:
    yield
    registry._hooks.admit_pull = registry._hooks.admit_push = None


def test_pull_needs_a_referrer(alice: RegistryClient, app: Flask) -> None:
    seen: list[AdmissionRequest] = []

    @registry.admit_pull
    def signed(request: AdmissionRequest) -> bool:
        seen.append(request)
        if request.artifact_type == SIGNATURE or request.referrers(SIGNATURE):
            return True
        raise Denied(f"{request.repository.name} is not signed; run 'cosign sign'.")

    image = make_image(annotations={"org.example.team": "web"})
    alice.push(NAME, "v1", image)
    for reference in ("v1", image.digest):
        found = alice.get(f"/v2/{NAME}/manifests/{reference}")
        assert found.status_code == 403
        (error,) = found.get_json()["errors"]
        assert error["message"] == "alice/app is not signed; run 'cosign sign'."
        assert alice.head(f"/v2/{NAME}/manifests/{reference}").status_code == 403
    assert [request.tags for request in seen] == [("v1",), ("v1",), (), ()]
    assert seen[0].user.username == "alice"
    assert seen[0].annotations == {"org.example.team": "web"}
    assert seen[1].content == image.manifest
    alice.push(NAME, None, make_artifact(b"sig", SIGNATURE, image))
    assert alice.pull(NAME, "v1").digest == image.digest


def test_refused_push_stores_nothing(alice: RegistryClient, app: Flask) -> None:
    image = make_image()

    @registry.admit_push
    def decide(request: AdmissionRequest) -> bool:
        if "latest" in request.tags:
            raise Denied("Push a version, not latest.")
        return True

    for digest in image.blobs:
        alice.push_blob(NAME, image.contents[digest])
    for reference in ("latest", f"{image.digest}?tag=latest"):
        response = alice.put_manifest(NAME, reference, image.manifest)
        assert response.status_code == 403
        assert "Push a version" in response.text
    assert alice.get(f"/v2/{NAME}/manifests/{image.digest}").status_code == 404
    alice.push(NAME, "v1", image)


@pytest.mark.parametrize("answer", [None, False, 0, "yes", 1, object()])
def test_only_true_admits(alice: RegistryClient, answer: object) -> None:
    alice.push_image(NAME, "v1")
    registry.admit_pull(t.cast("t.Any", lambda request: answer))
    found = alice.get(f"/v2/{NAME}/manifests/v1")
    assert found.status_code == 403
    assert "does not admit the pull" in found.text
    registry.admit_push(t.cast("t.Any", lambda request: answer))
    image = make_image()
    for digest in image.blobs:
        alice.push_blob(NAME, image.contents[digest])
    assert alice.put_manifest(NAME, "v2", image.manifest).status_code == 403


def test_failing_function_admits_nothing(app: Flask, alice: RegistryClient) -> None:
    alice.push_image(NAME, "v1")
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @registry.admit_pull
    def fail(request: AdmissionRequest) -> bool:
        raise LookupError("no database")

    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 500


def test_function_is_not_asked_about_hidden_images(
    alice: RegistryClient, bob: RegistryClient
) -> None:
    """An answer would tell who may not pull that the image exists."""
    alice.push_image(NAME, "v1")
    asked: list[AdmissionRequest] = []

    @registry.admit_pull
    def ask(request: AdmissionRequest) -> bool:
        asked.append(request)
        return True

    assert bob.get(f"/v2/{NAME}/manifests/v1").status_code == 404
    assert not asked
