"""The code of the page on authentication, in an application."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from flask_oci import LoginRefused
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.credentials import grant
from tests.support.doc_host import Host
from tests.support.doc_host import hosted
from tests.support.registry_client import RegistryClient

SCOPES = ("registry:catalog:*", "repository:alice/app:pull,push")


@pytest.fixture
def host(tmp_path: Path, request: pytest.FixtureRequest) -> t.Iterator[Host]:
    """The application of the section that the test names."""
    with hosted(tmp_path, *request.param) as made:
        yield made


def section(name: str) -> pytest.MarkDecorator:
    """Return the marker with the section that a test is about."""
    return pytest.mark.parametrize("host", [[name]], indirect=True, ids=[name])


@section("For jobs")
def test_token_of_a_job_ends_with_the_job(host: Host) -> None:
    """The token allows a push while the job runs, and is refused afterwards."""
    jobs = host.file("jobs")
    with host.changes() as session:
        job = jobs.Job(user_id=host.user("alice").id)
        session.add(job)
        session.flush()
        environment = jobs.environment(job)
    user, secret = environment["REGISTRY_USER"], environment["REGISTRY_TOKEN"]
    client = RegistryClient(host.app, basic(user, secret))
    client.push_image("alice/app", "v1")
    refused = client.delete("/v2/alice/app/manifests/v1")
    assert refusal(refused) == (403, "DENIED")
    assert refusal(client.post("/v2/bob/app/blobs/uploads/")) == (403, "DENIED")
    bearer = client.bearer(*SCOPES)
    location = bearer.start_upload("alice/app")

    with host.changes() as session:
        session.get(jobs.Job, 1).running = False
    assert refusal(bearer.patch(location, b"more")) == (401, "UNAUTHORIZED")
    assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")
    assert host.people["alice"].get("/v2/").status_code == 200


@section("Limiting guesses")
def test_flask_limiter_recipe_limits_failed_logins_only(host: Host) -> None:
    """The twenty-first failure is refused on every address, in the registry's JSON. A
    success is never counted."""
    right, wrong = host.people["alice"], RegistryClient(host.app, basic("alice", "x"))
    for _ in range(25):
        assert right.get("/v2/").status_code == 200
    fields = {"grant_type": "password", "username": "alice", "password": "x"}
    tries: list[t.Callable[[], t.Any]] = [
        lambda: wrong.get("/v2/"),
        lambda: wrong.get("/v2/token"),
        lambda: wrong.get("/v2/alice/app/tags/list"),
        lambda: grant(RegistryClient(host.app), **fields),
    ]
    for number in range(20):
        assert tries[number % len(tries)]().status_code == 401
    for response in (*(attempt() for attempt in tries), right.get("/v2/")):
        assert refusal(response) == (429, "TOOMANYREQUESTS")
        assert "wait for a quarter" in errors(response)[0]["message"]
    # Clients at other addresses, and clients with a token, are not locked out.
    headers = {"REMOTE_ADDR": "192.0.2.1"}
    assert right.get("/v2/", environ=headers).status_code == 200


@section("Limiting guesses")
def test_message_of_authenticate_hook_is_in_the_answer(host: Host) -> None:
    """The answer has the message that the host's function raises."""

    @host.registry.authenticate
    def check(username: str, secret: str) -> None:
        raise LoginRefused("You have a second factor: use an access token.")

    client = RegistryClient(host.app, basic("alice", "right"))
    response = client.get("/v2/token")
    assert refusal(response) == (401, "UNAUTHORIZED")
    assert errors(response)[0]["message"].startswith("You have a second factor")
