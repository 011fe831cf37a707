"""A CI whose jobs log in to an application."""

from __future__ import annotations

import typing as t
from urllib.parse import urlencode

from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.requests import basic
from tests.support.host import registry
from tests.support.identity_issuer import IdentityIssuer
from tests.support.job_claims import for_issuer
from tests.support.job_claims import GITHUB
from tests.support.job_claims import Workload
from tests.support.registry_client import RegistryClient

EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
}
ROBOT = "alice+release"


class Ci:
    """Jobs of an issuer, and their requests.

    :param job: the job, whose publisher is added to :data:`ROBOT`.
    """

    def __init__(
        self, app: Flask, issuer: IdentityIssuer, job: Workload = GITHUB
    ) -> None:
        self.app, self.issuer, self.job = app, issuer, job
        self.url = issuer.address(job.kind)
        with app.app_context():
            robot = registry.robots.find(ROBOT)
            if robot is None:
                robot = registry.robots.create("release", path="alice").robot
            added = registry.publishers.add(robot, self.url, job.fields)
            self.publisher_id = added.id

    def token(self, **changes: t.Any) -> str:
        """Return a new identity token of the job."""
        claims = {"iss": self.url, **for_issuer(self.job.claims, self.url)}
        if not self.job.has_jti:
            claims["jti"] = None
        return self.issuer.token(claims, **changes)

    def exchange(
        self, token: str, app: Flask | None = None, **form: str
    ) -> TestResponse:
        """Exchange an identity token for a registry token."""
        wanted = {**EXCHANGE, "subject_token": token, **form}
        return RegistryClient(app or self.app).request(
            "POST",
            "/v2/token",
            urlencode({k: v for k, v in wanted.items() if v}).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    def secret(self) -> str:
        """Return the registry token of a new job."""
        response = self.exchange(self.token())
        assert response.status_code == 200, response.data
        return str(response.get_json()["access_token"])

    def login(
        self,
        token: str,
        *,
        username: str = "oidc",
        address: str = "192.0.2.1",
        query: str = "",
    ) -> TestResponse:
        """Log in with an identity token as the password."""
        return RegistryClient(self.app, basic(username, token)).request(
            "GET", f"/v2/token{query}", environ={"REMOTE_ADDR": address}
        )

    def robot_client(self, secret: str) -> RegistryClient:
        """Return a client with a registry token."""
        return RegistryClient(self.app, basic(ROBOT, secret))


def message(response: TestResponse) -> str:
    """Return the message of a refusal."""
    return str(response.get_json()["errors"][0]["message"])
