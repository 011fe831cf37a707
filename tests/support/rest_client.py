"""A client of the REST interface."""

from __future__ import annotations

import json
import typing as t

from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import Json
from tests.support.registry_client import RegistryClient

ROOT = "/api/oci/v1"


class RestClient:
    """A client that sends and reads JSON.

    :param client: the HTTP client, with its credentials.
    """

    def __init__(self, client: RegistryClient) -> None:
        self.client = client

    @classmethod
    def of(cls, app: Flask, username: str) -> RestClient:
        """Return a client that sends the password of a user."""
        return cls(RegistryClient.of(app, username))

    def send(self, method: str, path: str, body: object = None) -> TestResponse:
        """Send a request, with a body if there is one."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        return self.client.request(method, ROOT + path, content, headers=headers)

    def get(self, path: str) -> Json:
        """Return the JSON at a path."""
        response = self.send("GET", path)
        assert response.status_code == 200, response.data
        assert response.content_type == "application/json"
        return t.cast(Json, response.get_json())

    def done(self, method: str, path: str, body: object = None) -> t.Any:
        """Send a request that has to succeed, and return its answer."""
        response = self.send(method, path, body)
        assert response.status_code < 300, response.data
        return response.get_json() if response.data else None

    def items(self, path: str) -> list[Json]:
        """Return all entries of a list, from all its pages."""
        found: list[Json] = []
        while True:
            response = self.send("GET", path)
            assert response.status_code == 200, response.data
            page = response.get_json()
            found += page["items"]
            link = response.headers.get("Link")
            assert (link is None) == (page["next"] is None)
            if link is None:
                return found
            path = link[1:].partition(">; ")[0].removeprefix(ROOT)
