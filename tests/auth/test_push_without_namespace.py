"""A push to a name without a namespace, such as ``docker push HOST/busybox``."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from tests.auth.test_hidden_work import by_statement
from tests.auth.test_hidden_work import work
from tests.support.credentials import by_access_token
from tests.support.host import Administrator
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient


def message(client: RegistryClient, name: str) -> str:
    """Return the reason why a push to a repository is refused."""
    response = client.post(f"/v2/{name}/blobs/uploads/")
    assert refusal(response) == (403, "DENIED")
    return errors(response)[0]["message"]


def test_push_without_namespace_is_told_the_name_to_use(
    app: Flask, alice: RegistryClient
) -> None:
    """The user types the name of the message next."""
    wanted = "Put a namespace that you may push to first: alice/busybox."
    assert wanted in message(alice, "busybox")
    assert wanted in message(alice.bearer("repository:busybox:pull,push"), "busybox")
    assert wanted in message(by_access_token(app, "alice"), "busybox")
    assert alice.post("/v2/alice/busybox/blobs/uploads/").status_code == 202


def test_push_without_namespace_suggests_only_permitted_names(app: Flask) -> None:
    """The token or the application's policy may exclude the user's own namespace."""
    token = by_access_token(app, "alice", repositories=["team/*"])
    assert "first: NAMESPACE/busybox." in message(token, "busybox")
    set_policy(lambda user, action, repository: repository.namespace == "team")
    assert "first: NAMESPACE/busybox." in message(
        RegistryClient.of(app, "alice"), "busybox"
    )


@pytest.mark.parametrize("policy", [None, by_statement])
def test_push_to_hidden_name_without_namespace_is_like_a_missing_one(
    app: Flask, bob: RegistryClient, alice: RegistryClient, policy: object
) -> None:
    """The message and its work are the same, until the repository is public."""
    set_policy(policy)  # type: ignore[arg-type] # The fixture resets it.
    alice.push_image("alice", "v1")
    answers = []
    for name in ("alice", "absent"):
        with work(app) as done:
            said = message(bob, name).replace(name, "NAME")
        answers.append((said, len(done)))
    assert answers[0] == answers[1]
    assert "first: bob/NAME." in answers[0][0]
    Administrator(app).publish("alice")
    assert "ask the owner of alice." in message(bob, "alice")
