"""Ways to obtain credentials, as clients and hosts do."""

from __future__ import annotations

import typing as t
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.auth.access_tokens import IssuedToken
from flask_oci.testing.manifests import Json
from flask_oci.testing.requests import basic
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient

Scopes = t.Iterable[str]


def user_named(name: str) -> t.Any:
    """Return a user, within an application context."""
    return db.session.scalars(sa.select(User).filter_by(username=name)).one()


def issue(app: Flask, username: str, **limits: t.Any) -> IssuedToken:
    """Issue an access token, as a page of the host does."""
    with app.app_context():
        return registry.access_tokens.issue(user_named(username), **limits)


def by_access_token(app: Flask, username: str, **limits: t.Any) -> RegistryClient:
    """Return a client that sends a new access token instead of a password."""
    return RegistryClient(app, basic(username, issue(app, username, **limits).secret))


def log_in(client: RegistryClient, *scopes: str) -> Json:
    """Return the answer that ``docker login`` gets, with a refresh token."""
    query = {"service": "forge", "offline_token": "true", "scope": scopes}
    response = client.get("/v2/token", query=query)
    assert response.status_code == 200, response.data
    return t.cast(Json, response.get_json())


def grant(client: RegistryClient, **fields: str | Scopes) -> TestResponse:
    """Request a token by OAuth 2."""
    return client.post(
        "/v2/token",
        urlencode({"service": "forge", "client_id": "test", **fields}, True).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


def refresh(app: Flask, secret: str, *scopes: str) -> TestResponse:
    """Request a token with a refresh token."""
    return grant(
        RegistryClient(app),
        grant_type="refresh_token",
        refresh_token=secret,
        scope=" ".join(scopes),
    )


def bearing(app: Flask, response: TestResponse) -> RegistryClient:
    """Return a client with the token of an answer."""
    assert response.status_code == 200, response.data
    return RegistryClient(app, f"Bearer {response.get_json()['access_token']}")
