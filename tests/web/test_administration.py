"""The tokens of users and the background work on the pages, for administrators."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.credentials import by_access_token
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.visitor import Visitor

USERS = "/images/-/users"
JOBS = "/images/-/jobs"


@pytest.fixture(name="visitor")
def _visitor(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Bob, an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
    return Visitor(app, "bob")


def test_administrator_revokes_tokens_of_a_user_on_the_pages(
    app: Flask, visitor: Visitor
) -> None:
    """One token is revoked by its button, and all tokens after a confirmation."""
    assert "No user has tokens." in visitor.get(USERS).text
    first, second = (by_access_token(app, "alice", name=n) for n in ("<b>ci", "laptop"))
    address = visitor.get(USERS).links["alice"]
    page = visitor.get(address)
    assert "laptop" in page.text
    assert "<b>ci" in page.text
    with app.app_context():
        tokens = registry.access_tokens.list(user_named("alice"))
        (token,) = [t.id for t in tokens if t.name == "laptop"]
    # The first form revokes all tokens.
    assert token in [form.fields["token"][0] for form in page.forms()[1:]]
    visitor.send(f"{USERS}/token", user="bob", token=token)
    assert second.get("/v2/").status_code == 200
    visitor.send(f"{USERS}/token", user="alice", token=token)
    assert "The token was revoked." in visitor.get(address).text
    assert second.get("/v2/").status_code == 401
    question = visitor.send(f"{USERS}/tokens", user="alice")
    assert first.get("/v2/").status_code == 200
    visitor.follow_form(question)
    assert "1 token was revoked." in visitor.get(address).text
    assert first.get("/v2/").status_code == 401
    missing = visitor.get(USERS, user="absent")
    assert missing.status == 404
    assert "No user is called “absent”." in missing.text


def test_tokens_of_users_are_hidden_from_all_others(
    app: Flask, visitor: Visitor
) -> None:
    """Other visitors cannot tell whether a user exists, and revoke nothing."""
    client = by_access_token(app, "alice")
    for other in (Visitor(app, "alice"), Visitor(app)):
        for name in ("alice", "absent", ""):
            assert other.get(USERS, user=name).status == 404
            for action in ("token", "tokens"):
                fields = {"user": name, "token": "1", "confirmed": "yes"}
                assert other.send(f"{USERS}/{action}", **fields).status == 404
        assert other.status(JOBS) == 404
    assert client.get("/v2/").status_code == 200


def test_background_work_shows_results_and_problems(
    app: Flask, visitor: Visitor
) -> None:
    """Until a process does the work, the page says what to run."""
    page = visitor.get(JOBS)
    assert "never completed" in page.text
    with app.app_context():
        registry.events.add_webhook("http://localhost:1/")
        registry.work(once=True)
    page = visitor.get(JOBS)
    assert "never completed" not in page.text
    assert "up to date" in page.text
    assert page.text.count("completed just now") == 5
