"""Quotas in tests: limits, usage and refusals."""

from __future__ import annotations

import typing as t

from flask import Flask

from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

NAME = "alice/app"
#: The size of a small image without its layer, in bytes.
SMALL = 2_000


def limit(app: Flask, *, name: str | None = None, **values: t.Any) -> None:
    """Set a quota for alice or for a repository."""
    with app.app_context():
        if name is None:
            registry.quotas.set(owner=user_named("alice"), **values)
        else:
            registry.quotas.set(repository=name, **values)


def used(app: Flask, name: str | None = None) -> int:
    """Return the number of bytes of alice or of a repository."""
    with app.app_context():
        if name is None:
            return registry.quotas.show(owner=user_named("alice")).bytes
        return registry.quotas.show(repository=name).bytes


def message(response: t.Any) -> str:
    """Return the message that docker prints for an error that it does not retry."""
    assert refusal(response) == (403, "DENIED")
    return errors(response)[0]["message"]


def post(
    client: RegistryClient, content: bytes, name: str = NAME, **kw: t.Any
) -> t.Any:
    """Push a blob in one request."""
    query = {"digest": digest_of(content)}
    return client.post(f"/v2/{name}/blobs/uploads/", content, query=query, **kw)
