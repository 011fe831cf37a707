"""Limits of upload sessions, and sessions of users who lost the right to push."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci.catalog import quotas as catalog_quotas
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.v2 import quota_check
from flask_oci.v2 import upload_sessions
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.quotas import limit
from tests.support.quotas import NAME
from tests.support.quotas import post
from tests.support.registry_client import RegistryClient


@pytest.fixture(name="members")
def _members(app: Flask) -> set[str]:
    """The names of the users who may push to alice's repository."""
    members = {"bob"}

    def authorize(user: t.Any, action: str, repository: t.Any) -> bool:
        is_member = user is not None and user.username in members
        return is_member or registry.default_policy(user, action, repository)

    set_policy(authorize)
    return members


def start(client: RegistryClient, count: int, content: bytes = b"") -> list[str]:
    """Start sessions with some bytes each, and return their addresses."""
    addresses = [client.start_upload(NAME) for _ in range(count)]
    for address in addresses:
        if content:
            assert client.patch(address, content).status_code == 202
    return addresses


def test_sessions_of_removed_member_end_at_the_quota(
    app: Flask,
    alice: RegistryClient,
    bob: RegistryClient,
    members: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bob has as many sessions as the registry examines, and is removed. Alice can push
    at once, and bob's sessions are gone, also if he returns."""
    for module in (catalog_quotas, quota_check):
        monkeypatch.setattr(module, "UPLOADS", 3)
    alice.push_image(NAME, "v1")
    addresses = start(bob, 3, b"x")
    limit(app, bytes=1_000_000)
    members.clear()
    assert post(alice, b"a layer of alice").status_code == 201
    members.add("bob")
    for address in addresses:
        assert refusal(bob.get(address)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_bytes_of_removed_member_do_not_count(
    app: Flask, alice: RegistryClient, bob: RegistryClient, members: set[str]
) -> None:
    """The unfinished uploads of bob took the space of alice's quota."""
    alice.push_image(NAME, "v1")
    limit(app, bytes=20_000)
    start(bob, 1, b"x" * 15_000)
    layer = b"y" * 10_000
    assert refusal(post(alice, layer)) == (403, "DENIED")
    members.clear()
    assert post(alice, layer).status_code == 201


def test_session_above_limit_replaces_an_empty_one(
    alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions with bytes and the new session stay."""
    monkeypatch.setattr(upload_sessions, "MAX_PER_REPOSITORY", 3)
    (used,) = start(alice, 1, b"x")
    empty = start(alice, 2)
    (last,) = start(alice, 1)
    # MariaDB stores whole seconds, so the oldest of the two is not certain.
    assert sorted(alice.get(a).status_code for a in empty) == [204, 404]
    for address in (used, last):
        assert alice.get(address).status_code == 204


@pytest.mark.parametrize("constant", ["MAX_PER_REPOSITORY", "MAX_PER_USER"])
def test_session_above_limit_is_refused_if_all_have_bytes(
    alice: RegistryClient, monkeypatch: pytest.MonkeyPatch, constant: str
) -> None:
    """The message says what to do, and a cancelled session makes room."""
    monkeypatch.setattr(upload_sessions, constant, 2)
    first, _ = start(alice, 2, b"x")
    refused = alice.post(f"/v2/{NAME}/blobs/uploads/")
    assert refusal(refused) == (429, "TOOMANYREQUESTS")
    assert "2 unfinished uploads" in errors(refused)[0]["message"]
    assert alice.delete(first).status_code == 204
    start(alice, 1)


def test_limit_of_one_user_leaves_others_alone(
    alice: RegistryClient,
    bob: RegistryClient,
    members: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alice can push although bob has used up his sessions."""
    monkeypatch.setattr(upload_sessions, "MAX_PER_REPOSITORY", 2)
    alice.push_image(NAME, "v1")
    start(bob, 2, b"x")
    assert bob.post(f"/v2/{NAME}/blobs/uploads/").status_code == 429
    start(alice, 2, b"x")


def test_too_many_sessions_are_named_in_the_message(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the uploads, and not a space that is not used."""
    for module in (catalog_quotas, quota_check):
        monkeypatch.setattr(module, "UPLOADS", 3)
    alice.push_image(NAME, "v1")
    start(alice, 3, b"x")
    limit(app, bytes=1_000_000)
    refused = alice.post(f"/v2/{NAME}/blobs/uploads/")
    assert refusal(refused) == (403, "DENIED")
    assert "unfinished uploads" in errors(refused)[0]["message"]
    assert "1.0 MB" not in errors(refused)[0]["message"]


def test_too_many_empty_sessions_give_way(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only some of them end."""
    for module in (catalog_quotas, quota_check):
        monkeypatch.setattr(module, "UPLOADS", 3)
    alice.push_image(NAME, "v1")
    limit(app, bytes=1_000_000)
    addresses = start(alice, 3)
    monkeypatch.setattr(upload_sessions, "MAX_PER_REPOSITORY", 2)
    assert post(alice, b"a layer of alice").status_code == 201
    assert sorted(alice.get(a).status_code for a in addresses) == [204, 204, 404]
