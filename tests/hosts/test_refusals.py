"""Applications that refuse requests in a format that docker cannot read."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask import jsonify
from flask import request
from flask.typing import ResponseReturnValue

from flask_oci.testing.answers import refusal
from tests.hosts.application import with_registry
from tests.hosts.application import with_users
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.sqlite_only

PATH = "/v2/alice/app/manifests/1.0"


def json_refusal(status: int) -> ResponseReturnValue:
    return jsonify(message="Accept the terms first."), status


def text_refusal(status: int) -> ResponseReturnValue:
    return "Accept the terms first.", status, {"Content-Type": "text/plain"}


def empty_refusal(status: int) -> ResponseReturnValue:
    return "", status, {"Content-Type": "application/json"}


def page_without_body(status: int) -> ResponseReturnValue:
    return "", status, {"Access-Control-Allow-Origin": "*"}


@pytest.fixture(name="refusing")
def _refusing(tmp_path: Path, database_url: str) -> t.Callable[[t.Any, int], Flask]:
    """Return a function that makes an application that refuses every request."""

    def make(refuse: t.Any, status: int) -> Flask:
        app = Flask("forge", instance_path=str(tmp_path))
        with_registry(with_users(app, database_url))

        @app.before_request
        def wall() -> ResponseReturnValue | None:
            if request.path.startswith("/v2/token"):
                return None
            return t.cast(ResponseReturnValue, refuse(status))

        return app

    return make


@pytest.mark.parametrize("refuse", [json_refusal, text_refusal, empty_refusal])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_refusal_of_anonymous_client_becomes_challenge(
    refusing: t.Callable[[t.Any, int], Flask], refuse: t.Any, status: int, method: str
) -> None:
    """Without a challenge, ``docker login`` would never send the credentials."""
    client = RegistryClient(refusing(refuse, status))
    for path in ("/v2/", PATH):
        response = client.request(method, path)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")


@pytest.mark.parametrize("refuse", [json_refusal, text_refusal])
@pytest.mark.parametrize("status", [401, 403])
def test_refusal_of_signed_in_client_names_the_reason(
    refusing: t.Callable[[t.Any, int], Flask], refuse: t.Any, status: int
) -> None:
    """Docker prints the application's reason."""
    client = RegistryClient.of(refusing(refuse, status), "alice")
    response = client.get(PATH)
    assert refusal(response) == (403, "DENIED")
    (error,) = response.get_json()["errors"]
    assert "Accept the terms first." in error["message"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, "UNSUPPORTED"), (404, "NAME_UNKNOWN"), (500, "UNKNOWN")]
)
@pytest.mark.parametrize("refuse", [json_refusal, text_refusal, empty_refusal])
def test_other_refusal_keeps_its_status(
    refusing: t.Callable[[t.Any, int], Flask], refuse: t.Any, status: int, code: str
) -> None:
    """The client gets the status in the registry's JSON."""
    client = RegistryClient.of(refusing(refuse, status), "alice")
    assert refusal(client.get(PATH)) == (status, code)


def nested_refusal(status: int) -> ResponseReturnValue:
    return "[" * 60_000, status, {"Content-Type": "application/json"}


def test_refusal_of_deeply_nested_json_is_translated(
    refusing: t.Callable[[t.Any, int], Flask],
) -> None:
    """A body that Python cannot parse has no reason, and is no error of its own."""
    client = RegistryClient.of(refusing(nested_refusal, 400), "alice")
    assert refusal(client.get(PATH)) == (400, "UNSUPPORTED")


@pytest.mark.parametrize("refuse", [json_refusal, text_refusal, empty_refusal])
def test_refusal_with_status_of_success_becomes_challenge(
    refusing: t.Callable[[t.Any, int], Flask], refuse: t.Any
) -> None:
    """Docker would take 200 for a registry without logins."""
    app = refusing(refuse, 200)
    for path in ("/v2/", PATH):
        response = RegistryClient(app).get(path)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert refusal(RegistryClient.of(app, "alice").get(PATH)) == (403, "DENIED")


@pytest.mark.parametrize("answer", [empty_refusal, page_without_body])
def test_answer_to_preflight_stays_that_of_the_application(
    refusing: t.Callable[[t.Any, int], Flask], answer: t.Any
) -> None:
    """An extension for CORS answers browsers before the registry. Flask sends an answer
    without a body as HTML."""
    response = RegistryClient(refusing(answer, 204)).request("OPTIONS", PATH)
    assert response.status_code == 204


def test_answer_at_an_address_of_the_application_stays(
    refusing: t.Callable[[t.Any, int], Flask],
) -> None:
    """A ``before_request`` function may answer health checks below ``/v2``, where the
    registry has no view."""
    client = RegistryClient(refusing(json_refusal, 200))
    response = client.get("/v2/health")
    assert response.status_code == 200
    assert response.get_json() == {"message": "Accept the terms first."}
