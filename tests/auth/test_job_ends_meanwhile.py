"""Pushes with the token of a job that ends while the body arrives."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.auth.test_permission_lost_meanwhile import NAME
from tests.auth.test_permission_lost_meanwhile import PUSHES
from tests.support.credentials import bearing
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient

SCOPE = f"repository:{NAME}:pull,push"
RUNNING = {"job-1"}


@registry.token_validator
def is_running(job: str) -> bool:
    """Return True as long as a job runs."""
    return job in RUNNING


@pytest.mark.parametrize("push", PUSHES)
@pytest.mark.parametrize("way", ["access token", "bearer token", "refresh token"])
def test_push_of_a_job_that_ends_meanwhile_is_challenged(
    app: Flask, bob: RegistryClient, push: str, way: str
) -> None:
    """The token ends with the job, also for a body that has begun to arrive."""
    set_policy(lambda user, action, repository: user is not None)
    RUNNING.add("job-1")
    bob.push_image(NAME, "v1")
    issued = issue(app, "bob", validator=is_running, context="job-1")
    client = RegistryClient(app, basic("bob", issued.secret))
    if way == "refresh token":
        client = bearing(app, refresh(app, log_in(client)["refresh_token"], SCOPE))
    elif way == "bearer token":
        client = client.bearer(SCOPE)
    answer = PUSHES[push](client, lambda: RUNNING.discard("job-1"))
    assert refusal(answer) == (401, "UNAUTHORIZED")
    assert bob.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)
