"""The webhooks on the pages, for administrators."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci.signals import audited
from tests.support.host import registry
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.visitor import statements
from tests.support.visitor import Visitor

WEBHOOKS = "/images/-/webhooks"
URL = "https://example.org/<script>alert(1)</script>"
FORM: t.Final[dict[str, t.Any]] = {
    "url": URL,
    "kinds": ["tag.*"],
    "others": "manifest.pushed",
    "repositories": "alice/* shop/web",
    "format": "cloudevents",
}


@pytest.fixture(name="visitor")
def _visitor(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Bob, an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "bob")
    return Visitor(app, "bob")


@pytest.fixture(name="heard")
def _heard() -> t.Iterator[list[t.Any]]:
    """The audit events of a test."""
    heard: list[t.Any] = []

    def receive(*_: object, event: t.Any) -> None:
        heard.append(event)

    with audited.connected_to(receive):
        yield heard


def test_webhook_is_added_changed_and_deleted_on_the_pages(
    app: Flask, visitor: Visitor, heard: list[t.Any]
) -> None:
    """Each change is recorded with its user. The secret is shown once, and a deletion
    and a new secret are confirmed first."""
    assert "There are no webhooks." in visitor.get(WEBHOOKS).text
    page = visitor.send(WEBHOOKS, **FORM)
    with app.app_context():
        (made,) = registry.events.webhooks()
    assert made.secret in page.html
    assert page.headers["Cache-Control"] == "no-store"
    assert made.kinds == ("tag.*", "manifest.pushed")
    assert made.repositories == ("alice/*", "shop/web")
    address = visitor.get(WEBHOOKS).links[URL]
    assert address == f"{WEBHOOKS}/{made.id}"
    for path in (WEBHOOKS, address, f"{address}/edit"):
        html = visitor.get(path).html
        assert made.secret not in html
        assert "<script>alert" not in html
    form = visitor.get(f"{address}/edit")
    chosen = [i["value"] for i in form.all("input") if "checked" in i]
    assert chosen == ["tag.*", "cloudevents"]
    assert 'value="manifest.pushed"' in form.html
    visitor.send(address, **{**FORM, "url": "https://example.org/new", "kinds": "*"})
    assert visitor.send(f"{address}/state", enabled="no").status == 302
    page = visitor.get(address)
    assert "The webhook is disabled." in page.text
    assert "https://example.org/new disabled" in page.text
    visitor.send(f"{address}/state", enabled="yes")
    question = visitor.send(f"{address}/secret")
    assert made.secret not in question.html
    renewed = visitor.follow_form(question)
    with app.app_context():
        (changed,) = registry.events.webhooks()
    assert changed.kinds == ("*", "manifest.pushed")
    assert changed.secret != made.secret
    assert changed.secret in renewed.html
    visitor.follow_form(visitor.send(f"{address}/delete"))
    assert "The webhook was deleted." in visitor.get(WEBHOOKS).text
    assert visitor.status(address) == 404
    assert [event.action for event in heard] == [
        "webhook-added",
        *["webhook-changed"] * 4,
        "webhook-removed",
    ]
    assert {event.actor for event in heard} == {"bob"}
    assert made.secret not in str(heard)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://10.0.0.1/"},
        {"url": ""},
        {"kinds": [], "others": ""},
        {"others": "absent.*"},
        {"repositories": ""},
        {"format": "xml"},
    ],
)
def test_webhook_form_with_invalid_value_is_refused(
    app: Flask, visitor: Visitor, wrong: dict[str, t.Any]
) -> None:
    """The form is shown again with its values, and nothing is added or changed."""
    page = visitor.send(WEBHOOKS, **{**FORM, **wrong})
    assert page.status == 422
    assert 'role="alert"' in page.html
    with app.app_context():
        assert registry.events.webhooks() == []
        key = registry.events.add_webhook("https://example.org/").id
    assert visitor.send(f"{WEBHOOKS}/{key}", **{**FORM, **wrong}).status == 422
    with app.app_context():
        assert registry.events.webhooks()[0].url == "https://example.org/"


@pytest.mark.options(
    oci_webhook_networks=["127.0.0.0/8"], oci_webhook_timeout=20, oci_webhook_attempts=1
)
def test_deliveries_are_listed_and_made_again(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """An administrator sends a test, sees each attempt, and replays what failed."""
    with Receiver(lambda request: 500 if b"two" in request.body else 204) as receiver:
        with app.app_context():
            key = registry.events.add_webhook(receiver.url, kinds=["tag.*"]).id
        address = f"{WEBHOOKS}/{key}"
        hint = "There are no deliveries yet. Send a test"
        assert hint in visitor.get(address).text
        visitor.send(f"{address}/test")
        tested = visitor.get(address).text
        assert "The test was accepted" in tested
        assert hint not in tested
        for tag in ("one", "two"):
            alice.push_image("alice/app", tag)
        with app.app_context():
            assert registry.events.deliver().failed == 1
        page = visitor.get(address)
        assert page.text.index("two was created") < page.text.index("one was created")
        assert "It answered 500." in page.text
        dead = visitor.get(address, state="dead")
        assert "one was created" not in dead.text
        receiver.answer = lambda _: 204
        visitor.send(f"{address}/replay")
        assert "1 delivery was scheduled again." in visitor.get(address).text
        assert "two was created" in visitor.get(address, state="pending").text
        with app.app_context():
            assert registry.events.deliver().delivered == 1
            (event,) = registry.events.latest(1, kind="tag.moved")
        visitor.send(f"{address}/replay", event=str(event.id))
        with app.app_context():
            assert registry.events.deliver().delivered == 1
        receiver.answer = lambda _: 500
        visitor.send(f"{address}/test")
        assert "The test failed. It answered 500." in visitor.get(address).text
    assert visitor.send(f"{address}/replay", event="x").status == 400


def test_delivery_pages_have_constant_statements(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A list of any length has pages, each with the same number of statements."""
    with app.app_context():
        key = registry.events.add_webhook("http://localhost:1/", kinds=["tag.*"]).id
    for number in range(30):
        alice.push_image("alice/app", f"t{number}")
    with app.app_context():
        registry.events.deliver()
    address = f"{WEBHOOKS}/{key}"
    pages = list(visitor.pages(address))
    shown = " ".join(page.text for page in pages)
    assert len(pages) == 2
    assert all(shown.count(f" t{n} was created") == 1 for n in range(30))
    for path in (address, WEBHOOKS):
        with statements(app) as sent:
            visitor.get(path)
        assert len(sent) < 12
    assert "1 failed attempt" in visitor.get(WEBHOOKS).text
    assert "1 webhook: 30 pending" in visitor.get("/images/-/administration").text


def test_webhook_pages_are_hidden_from_all_others(app: Flask, visitor: Visitor) -> None:
    """Other users and anonymous visitors get the same 404 for a webhook that exists and
    one that does not, and change nothing."""
    with app.app_context():
        made = registry.events.add_webhook("https://example.org/")
    for other in (Visitor(app, "alice"), Visitor(app)):
        for key in (made.id, "absent"):
            path = f"{WEBHOOKS}/{key}"
            seen = [other.get(p) for p in (path, f"{path}/edit")]
            assert {page.status for page in seen} == {404}
            seen.append(other.get(WEBHOOKS))
            assert "example.org" not in "".join(page.html for page in seen)
            for action in ("", "/test", "/state", "/secret", "/replay", "/delete"):
                page = other.send(path + action, **FORM, confirmed="yes", enabled="no")
                assert page.status == 404, action
    assert visitor.client.post(WEBHOOKS, data=FORM).status_code == 400
    with app.app_context():
        assert registry.events.webhooks() == [made]
