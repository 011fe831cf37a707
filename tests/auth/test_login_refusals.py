"""Refusals by functions of the host: their form, and the count of failures."""

from __future__ import annotations

import typing as t

import pytest
from flask import abort
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.host import check
from tests.support.host import PASSWORDS
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

ATTEMPTS = 3

pytestmark = pytest.mark.options(oci_login_attempts=ATTEMPTS)


@pytest.fixture(name="hooks", autouse=True)
def _hooks() -> t.Iterator[None]:
    """Restore the functions of the host."""
    yield
    registry.authenticate(check)
    # There is no public function to remove a hook.
    registry._hooks.before_login = None


def attempt(app: Flask, secret: str = "wrong") -> TestResponse:
    """Return the response to a login of alice."""
    return RegistryClient(app, basic("alice", secret)).get("/v2/")


@pytest.mark.parametrize("answer", [False, 0, "no", ("Too many requests", 429)])
def test_before_login_returning_a_refusal_admits_no_login(
    app: Flask, answer: t.Any
) -> None:
    """A host that returns its refusal instead of raising it learns of its mistake."""
    app.testing = False
    registry.before_login(lambda username, address: answer)
    assert attempt(app, PASSWORDS["alice"]).status_code == 500


@pytest.mark.parametrize("status", [401, 403])
def test_failures_that_the_host_raises_are_counted(app: Flask, status: int) -> None:
    """The function that checks passwords refuses a wrong one by an HTTP error."""

    @registry.authenticate
    def raising(username: str, secret: str) -> object:
        return check(username, secret) or abort(status)

    for _ in range(ATTEMPTS):
        assert attempt(app).status_code == 401
    for secret in ("wrong", PASSWORDS["alice"]):
        assert refusal(attempt(app, secret)) == (429, "TOOMANYREQUESTS")
