"""Changes on the pages: forms, their protection and their permissions."""

from __future__ import annotations

import re
import typing as t

import pytest
from flask import Flask
from flask_wtf import CSRFProtect

from flask_oci.events.audit import AuditEvent
from flask_oci.signals import audited
from flask_oci.testing import make_image
from flask_oci.testing import make_index
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import statements
from tests.support.visitor import Visitor

HELLO = "/images/alice/hello"
SETTINGS = f"{HELLO}/-/settings"


@pytest.fixture(name="visitor")
def _visitor(app: Flask, alice: RegistryClient) -> Visitor:
    """Alice, signed in, with an image."""
    alice.push_image("alice/hello", "1.0")
    return Visitor(app, "alice")


@pytest.fixture(name="heard")
def _heard() -> t.Iterator[list[AuditEvent]]:
    """The audit events that the application receives."""
    events: list[AuditEvent] = []

    def hear(_app: Flask, event: AuditEvent) -> None:
        events.append(event)

    with audited.connected_to(hear):
        yield events


# Every form


SIGNER: t.Final = {
    "signer": "ci",
    "value": "https://example.org/ci",
    "issuer": "https://example.org",
}

FORMS: t.Final[dict[str, dict[str, str]]] = {
    f"{SETTINGS}/description": {"description": "changed"},
    f"{SETTINGS}/visibility": {"visibility": "public"},
    f"{SETTINGS}/name": {"name": "alice/changed"},
    f"{SETTINGS}/owner": {"owner": "bob"},
    f"{SETTINGS}/tags": {"protected": "v*", "immutable": ""},
    f"{SETTINGS}/retention": {"rules": "delete 2*"},
    f"{SETTINGS}/delete": {},
    f"{HELLO}/-/tags/delete": {"tag": "1.0"},
    f"{HELLO}/-/images/delete": {"digest": digest_of(image(LAYER))},
    f"{SETTINGS}/policy": {"rules": "require signature by ci"},
    f"{SETTINGS}/signers": SIGNER,
    f"{SETTINGS}/signers/remove": {"signer": "ci"},
    f"{HELLO}/-/undo": {"kind": "tags", "after": "0", "until": "9"},
    f"{HELLO}/-/images/restore": {"digest": digest_of(image(LAYER))},
    f"{HELLO}/-/images/forget": {"digest": digest_of(image(LAYER))},
    f"{HELLO}/-/block": {"digest": digest_of(image(LAYER)), "reason": "x"},
    f"{HELLO}/-/unblock": {"digest": digest_of(image(LAYER))},
    f"{HELLO}/-/history": {"move": "1"},
    "/images/-/tokens": {"repositories": "*", "actions": "pull"},
    "/images/-/tokens/1234": {},
}


_ROBOT: t.Final = "/images/-/robots/{robot}"
_WEBHOOK: t.Final = "/images/-/webhooks/{webhook}"

#: The forms of administrators and of managers of a path. The tests of their pages
#: cover other visitors.
ADMINISTRATION: t.Final[dict[str, dict[str, str]]] = {
    "/images/-/webhooks": {
        "url": "https://example.org/other",
        "kinds": "*",
        "repositories": "*",
        "format": "cloudevents",
    },
    _WEBHOOK: {"url": "https://example.org/other", "kinds": "*"},
    f"{_WEBHOOK}/test": {},
    f"{_WEBHOOK}/state": {"enabled": "no"},
    f"{_WEBHOOK}/secret": {},
    f"{_WEBHOOK}/replay": {},
    f"{_WEBHOOK}/delete": {},
    "/images/-/users/token": {"user": "alice", "token": "1"},
    "/images/-/users/tokens": {"user": "alice"},
    "/images/-/rules": {"scope": "path", "name": "alice/*", "images": "1"},
    "/images/alice/-/publishers": {"robot": "x", "issuer": "x"},
    "/images/alice/-/publishers/remove": {"robot": "x"},
    "/images/-/robots": {"under": "alice", "name": "ci", "actions": "pull"},
    f"{_ROBOT}/state": {"enabled": "no"},
    f"{_ROBOT}/secret": {"overlap": "0"},
    f"{_ROBOT}/revoke": {"secret": "1"},
    f"{_ROBOT}/delete": {},
    "/images/alice/-/rules/visibility": {"visibility": "public"},
    "/images/alice/-/rules/tags": {"protected": "v*"},
    "/images/alice/-/rules/retention": {"rules": "delete *"},
    "/images/alice/-/rules/policy": {"rules": "require signature by ci"},
    "/images/alice/-/rules/signers": SIGNER,
    "/images/alice/-/rules/signers/remove": {"signer": "ci"},
}


def state(alice: RegistryClient) -> t.Any:
    """Return the state that forms can change."""
    with alice.app.app_context():
        found = registry.repositories.find("alice/hello")
        user = alice.app.extensions["oci"].catalog.users.by_name("alice")
        about = alice.app.extensions["oci"].catalog.repository_list.about(found.id)
        return (
            *(found, about, len(registry.access_tokens.list(user))),
            *(alice.tags("alice/hello"), registry.tag_protection.list()),
            *(registry.retention.list(), registry.image_policies.list()),
            registry.trusted_signers.list(repository="alice/hello"),
        )


def test_forms_are_all_covered(app: Flask) -> None:
    """The tests below cover every form."""
    adapter = app.url_map.bind("localhost")
    addresses = (*FORMS, *(a.format(webhook="1", robot="1") for a in ADMINISTRATION))
    known = {adapter.match(address, "POST")[0] for address in addresses}
    rules = app.url_map.iter_rules()
    assert known == {
        rule.endpoint
        for rule in rules
        if rule.endpoint.startswith("oci_web.") and "POST" in (rule.methods or ())
    }


@pytest.mark.sqlite_only
@pytest.mark.parametrize("address", FORMS)
@pytest.mark.parametrize("token", ["none", "made up", "of another", "old"])
def test_form_without_valid_token_is_refused(
    app: Flask,
    alice: RegistryClient,
    visitor: Visitor,
    address: str,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A form without the CSRF token of its visitor changes nothing."""
    before = state(alice)
    bob = Visitor(app, "bob")
    value = {
        "none": "",
        "made up": "anything",
        "of another": bob.token("/images/-/tokens"),
        "old": visitor.token("/images/-/tokens"),
    }[token]
    if token == "old":
        monkeypatch.setattr("flask_oci.auth.signed_tokens.FORM_LIFETIME", -1)
    fields = {**FORMS[address], "confirmed": "yes", "oci_form": value}
    response = visitor.client.post(address, data=fields)
    assert response.status_code == 400
    assert "Invalid form" in response.text
    assert state(alice) == before


def test_form_of_administrators_without_valid_token_is_refused(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of another site cannot use the session of an administrator."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "alice")
    with app.app_context():
        webhook = registry.events.add_webhook("http://localhost:1/")
        robot = registry.robots.create("ci", path="alice").robot
        user = app.extensions["oci"].catalog.users.by_name("alice")
        registry.access_tokens.issue(user)
    of_another = Visitor(app, "bob").token("/images/-/tokens")
    for value in ("", of_another):
        for address, fields in ADMINISTRATION.items():
            sent = {**fields, "confirmed": "yes", "oci_form": value}
            path = address.format(webhook=webhook.id, robot=robot.id)
            assert visitor.client.post(path, data=sent).status_code == 400, path
    with app.app_context():
        assert registry.events.webhooks() == [webhook]
        assert len(registry.access_tokens.list(user)) == 1
        assert registry.robots.list(path="alice") == [robot]
        assert len(registry.robots.secrets_of(robot)) == 1
        for rule_set in (
            registry.quotas,
            registry.retention,
            registry.tag_protection,
            registry.default_visibility,
            registry.image_policies,
        ):
            assert rule_set.list() == []
        assert registry.trusted_signers.list(path="alice/*") == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize("address", FORMS)
@pytest.mark.parametrize("who", ["bob", "carol", None])
@pytest.mark.parametrize("visibility", ["private", "public"])
def test_forms_without_permission_are_refused(
    app: Flask,
    alice: RegistryClient,
    visitor: Visitor,
    address: str,
    who: str | None,
    visibility: str,
) -> None:
    """The response is 404 if the visitor may not see the repository, and 403 if they
    may see it but not change it."""
    with app.app_context():
        registry.repositories.set_visibility("alice/hello", visibility)
    before = state(alice)
    fields = {**FORMS[address], "confirmed": "yes"}
    other = Visitor(app, who)
    page = other.send(address, **fields)
    if "tokens" in address:
        made = {"/images/-/tokens": 200}.get(address, 302)
        assert page.status == (made if who == "bob" else 403)
    else:
        assert page.status == (403 if visibility == "public" else 404)
    assert state(alice) == before


@pytest.mark.parametrize(
    "address",
    [
        a
        for a in FORMS
        if not a.endswith(("description", "history", "settings/tags"))
        and not a.endswith(("images/restore", "images/forget", "-/block", "-/unblock"))
        and not a.endswith(("settings/policy", "signers", "signers/remove", "-/undo"))
        and "tokens" not in a
    ],
)
def test_irreversible_forms_ask_for_confirmation(
    alice: RegistryClient, visitor: Visitor, address: str
) -> None:
    """An action that cannot be undone is described first, and done after a
    confirmation."""
    before = state(alice)
    page = visitor.send(address, **FORMS[address])
    assert page.status == 200
    assert "Cancel" in page.links
    assert state(alice) == before
    assert visitor.follow_form(page).status == 302
    if not address.endswith(
        ("tags/delete", "images/delete", "visibility", "retention")
    ):
        assert visitor.status(HELLO) in (307, 404)
    else:
        assert state(alice) != before


@pytest.mark.parametrize("methods", [None, ["GET", "HEAD", "POST", "PUT", "DELETE"]])
def test_pages_need_no_token_of_flask_wtf(
    make_app: t.Any, methods: list[str] | None
) -> None:
    """Pages open although the application requires its token for each GET, and forms
    need only the token of the registry."""
    app = make_app(**({} if methods is None else {"WTF_CSRF_METHODS": methods}))
    CSRFProtect(app)
    app.add_url_rule("/own", "own", lambda: "", methods=["GET", "POST"])
    RegistryClient.of(app, "alice").push_image("alice/hello", "1.0")
    visitor = Visitor(app, "alice")
    for path in (HELLO, SETTINGS, "/images/", "/images/-/static/style.css"):
        assert visitor.status(path) == 200
    page = visitor.get(SETTINGS)
    bare = {"description": "new"}
    assert visitor.client.post(f"{SETTINGS}/description", data=bare).status_code == 400
    whole = {**bare, "oci_form": page.field("oci_form")}
    assert visitor.client.post(f"{SETTINGS}/description", data=whole).status_code == 302
    assert visitor.client.post("/own").status_code == 400
    assert visitor.status("/own") == (400 if methods else 200)


def test_forms_all_contain_the_token_of_the_registry(visitor: Visitor) -> None:
    """Each page with forms, and a confirmation page."""
    confirmation = visitor.send(f"{SETTINGS}/delete")
    pages = [visitor.get(path) for path in (HELLO, SETTINGS, "/images/-/tokens")]
    forms = [form for page in (*pages, confirmation) for form in page.forms()]
    assert len(forms) > 7
    assert all(form.fields["oci_form"][0] for form in forms)


# Settings


def test_description_form_updates_page_and_list(
    visitor: Visitor, heard: list[AuditEvent], alice: RegistryClient
) -> None:
    """The description is on the page of the repository and in the list."""
    visitor.send(f"{SETTINGS}/description", description="# Says hello\n\nTo *all*.")
    assert "Says hello" in visitor.get("/images/").text
    assert "To all" in visitor.get(HELLO).text
    assert [(e.action, e.actor, e.repository) for e in heard] == [
        ("described", "alice", "alice/hello")
    ]
    page = visitor.send(f"{SETTINGS}/description", description="ä" * 40_000)
    assert page.status == 422
    assert "too long" in page.text


def test_visibility_form_applies_at_once(
    app: Flask, visitor: Visitor, heard: list[AuditEvent]
) -> None:
    """The visibility is changed on the settings page and applies at once."""
    stranger = Visitor(app)
    assert stranger.status(HELLO) == 404
    page = visitor.send(f"{SETTINGS}/visibility", visibility="public")
    assert "Everyone can see and pull it" in page.text
    visitor.follow_form(page)
    assert stranger.status(HELLO) == 200
    assert heard[-1].detail == {"visibility": "public"}
    assert visitor.send(f"{SETTINGS}/visibility", visibility="secret").status == 400


def test_visibility_set_by_application_is_read_only(
    visitor: Visitor, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the application sets the visibility, the page shows it without a form."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "visibility_of", lambda repository: "internal")
    page = visitor.get(SETTINGS)
    assert "The site sets the visibility; it is internal." in page.text
    assert visitor.send(f"{SETTINGS}/visibility", visibility="public").status == 400


def test_rename_keeps_names_of_nested_repositories(
    app: Flask, alice: RegistryClient, visitor: Visitor, heard: list[AuditEvent]
) -> None:
    """A repository is renamed; repositories below it keep their names."""
    alice.push_image("alice/hello/tools", "1.0")
    page = visitor.send(f"{SETTINGS}/name", name="alice/moved")
    heard.clear()
    visitor.follow_form(page)
    assert alice.tags("alice/moved") == ["1.0"]
    assert alice.tags("alice/hello/tools") == ["1.0"]
    assert visitor.client.get(HELLO).location == "/images/alice/moved"
    assert heard[-1].detail == {"renamed_from": "alice/hello"}


@pytest.mark.parametrize(
    "name", ["bob/mine", "bob/secret", "Alice/hello", "", "alice/hello/../bob"]
)
def test_rename_without_push_permission_reveals_nothing(
    bob: RegistryClient, visitor: Visitor, name: str
) -> None:
    """A name that the visitor may not push to is refused, with the same message whether
    or not it exists."""
    bob.push_image("bob/secret", "1.0")
    page = visitor.send(f"{SETTINGS}/name", name=name, confirmed="yes")
    assert page.status == 422
    assert f"You cannot use the name “{name}”" in page.text


def test_rename_to_existing_name_is_refused(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A name that another repository has is refused."""
    alice.push_image("alice/other", "1.0")
    page = visitor.send(f"{SETTINGS}/name", name="alice/other", confirmed="yes")
    assert page.status == 422
    assert "already exists" in page.text


def test_transfer_moves_ownership(app: Flask, visitor: Visitor) -> None:
    """The new owner gets the repository, and the former owner loses it."""
    page = visitor.send(f"{SETTINGS}/owner", owner="nobody")
    assert page.status == 422
    visitor.follow_form(visitor.send(f"{SETTINGS}/owner", owner="bob"))
    assert visitor.status(HELLO) == 404
    assert Visitor(app, "bob").status(SETTINGS) == 200


def test_changes_record_their_actor(visitor: Visitor, heard: list[AuditEvent]) -> None:
    """The audit log names the user who transfers a repository or sets its rules, but
    only after the confirmation."""

    def told(address: str, **fields: str) -> tuple[str, dict[str, str]]:
        heard.clear()
        page = visitor.send(f"{SETTINGS}/{address}", **fields)
        if page.forms():
            assert not heard
            page = visitor.follow_form(page)
        assert page.status == 302
        (event,) = heard
        assert (event.actor, event.repository) == ("alice", "alice/hello")
        assert event.address == "127.0.0.1"
        return event.action, event.detail

    assert told("tags", protected="v*", immutable="r*") == (
        "rule-changed",
        {"protect": "v* =r*"},
    )
    rules = "keep 1 newest of w*\ndelete w*"
    assert told("retention", rules=rules) == (
        "rule-changed",
        {"retain": "keep 1 newest of w*; delete w*"},
    )
    assert told("retention", rules="") == ("rule-changed", {"retain": "nothing"})
    assert told("owner", owner="bob") == ("permission-changed", {"owner": "bob"})


def test_deleted_repository_leaves_nothing(
    app: Flask, alice: RegistryClient, visitor: Visitor, heard: list[AuditEvent]
) -> None:
    """After a deletion, a later push to the same name begins anew."""
    alice.push_image("alice/keep", "1.0", layer=b"only here")
    upload = alice.start_upload("alice/hello")
    layer = digest_of(b"in the old one")
    alice.push_blob("alice/hello", b"in the old one")
    visitor.follow_form(visitor.send(f"{SETTINGS}/delete"))
    assert visitor.status(HELLO) == 404
    assert alice.put(f"{upload}?digest={layer}", b"in the old one").status_code == 404
    assert heard[-1].action == "delete"
    assert alice.tags("alice/keep") == ["1.0"]
    alice.push_image("alice/hello", "2.0")
    assert alice.tags("alice/hello") == ["2.0"]
    assert alice.head(f"/v2/alice/hello/blobs/{layer}").status_code == 404
    assert "1.0" not in visitor.get(f"{HELLO}/-/history").links


# Tags


def test_deleted_tags_keep_their_images(
    alice: RegistryClient, visitor: Visitor, heard: list[AuditEvent]
) -> None:
    """Selected tags are deleted together after a confirmation; their images stay."""
    manifest = alice.push_image("alice/hello", "2.0", layer=b"two")
    alice.push_manifest("alice/hello", manifest, "3.0")
    heard.clear()
    page = visitor.send(f"{HELLO}/-/tags/delete", tag=["2.0", "3.0", "missing"])
    assert "2.0, 3.0, missing" in page.text
    visitor.follow_form(page)
    assert "Deleted 2 tags." in visitor.get(HELLO).text
    assert alice.tags("alice/hello") == ["1.0"]
    assert (
        alice.get(f"/v2/alice/hello/manifests/{digest_of(manifest)}").data == manifest
    )
    assert [e.detail["reference"] for e in heard] == ["2.0", "3.0"]
    page = visitor.send(f"{HELLO}/-/tags/delete", tag="<b>")
    assert page.status == 302


def test_history_shows_and_undoes_moves(
    app: Flask, alice: RegistryClient, visitor: Visitor, heard: list[AuditEvent]
) -> None:
    """Each move of a tag is listed with its user, and can be undone."""
    old = alice.get("/v2/alice/hello/manifests/1.0").data
    new = alice.push_image("alice/hello", "1.0", layer=b"new")
    alice.push_manifest("alice/hello", new, "1.0")
    page = visitor.get(f"{HELLO}/-/history", tag="1.0")
    assert page.text.count("by alice") == 2
    assert "was created" in page.text
    assert f"Restore to {digest_of(old)[7:19]} (1.0)" in page.text
    assert visitor.follow_form(page).status == 302
    assert alice.get("/v2/alice/hello/manifests/1.0").data == old
    assert heard[-1].action == "tag-restored"
    assert "1.0 was restored." in visitor.get(HELLO).text


def test_deleted_tag_is_restored_while_image_exists(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A deleted tag can be restored until its image is deleted."""
    manifest = alice.get("/v2/alice/hello/manifests/1.0").data
    assert alice.delete("/v2/alice/hello/manifests/1.0").status_code == 202
    page = visitor.get(f"{HELLO}/-/history")
    assert "was deleted" in page.text
    visitor.follow_form(page)
    assert alice.get("/v2/alice/hello/manifests/1.0").data == manifest
    path = f"/v2/alice/hello/manifests/{digest_of(manifest)}"
    assert alice.delete(path).status_code == 202
    assert "Restore" not in visitor.get(f"{HELLO}/-/history").text
    # A visitor may have opened the page before.
    assert visitor.follow_form(page).status == 302
    assert "no longer exists" in visitor.get(f"{HELLO}/-/history").text


def test_restore_with_move_of_other_repository_is_refused(
    app: Flask, bob: RegistryClient, alice: RegistryClient, visitor: Visitor
) -> None:
    """The id of a move of another repository is refused."""
    bob.push_image("bob/hello", "1.0", layer=b"old")
    bob.push_image("bob/hello", "1.0", layer=b"new")
    page = Visitor(app, "bob").get("/images/bob/hello/-/history")
    move = page.field("move")
    visitor.send(f"{HELLO}/-/history", move=move)
    assert "no longer exists" in visitor.get(HELLO).text
    for wrong in ("", "-1", "x", "9" * 30, str(2**63)):
        assert visitor.send(f"{HELLO}/-/history", move=wrong).status == 400
        assert visitor.get(f"{HELLO}/-/history", before=wrong).status == 200


def test_history_pages_list_every_move_once(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """Each move is on one page of the history, with a bounded number of statements."""
    manifest = alice.get("/v2/alice/hello/manifests/1.0").data
    tags = [f"v{number:02}" for number in range(40)]
    alice.put_manifest(
        "alice/hello", digest_of(manifest), manifest, query={"tag": tags}
    )
    found: list[str] = []
    with statements(app) as sent:
        for page in visitor.pages(f"{HELLO}/-/history"):
            found += [link for link in page.links if link.startswith("v")]
    assert sorted(found) == tags
    assert len(sent) <= 2 * 10


# Comparing


def test_compare_shows_layers_configs_and_sizes(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """Two tags are compared by their layers, configs and sizes."""
    for version, layers in (
        ("a", (b"base", b"x" * 1000)),
        ("b", (b"base", b"y" * 5000)),
    ):
        config = encoded(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["KEPT=1", f"VERSION={version}"], "User": version},
            }
        )
        for blob in (config, *layers):
            alice.push_blob("alice/hello", blob)
        alice.push_manifest("alice/hello", image(*layers, config=config), version)
    address = visitor.get(HELLO).links["Compare"]
    with statements(app) as sent:
        page = visitor.get(address, **{"from": "a", "to": "b"})
    assert len(sent) <= 20
    assert "b is 4.0 kB larger than a." in page.text
    text = page.text
    for title, layer in (
        ("New layers", b"y" * 5000),
        ("Removed layers", b"x" * 1000),
        ("Shared layers", b"base"),
    ):
        part = text.partition(title)[2]
        assert part.index(digest_of(layer)[7:19]) < 60
    assert "VERSION" in text
    assert "KEPT" not in text


def test_compare_of_an_index_takes_the_platform_of_the_other_image(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """If the index has none for it, the page says that the platforms differ."""
    images = {
        f"linux/{architecture}": make_image(b"layer", architecture=architecture)
        for architecture in ("amd64", "arm64", "s390x")
    }
    alice.push("alice/hello", "all", make_index(*list(images.values())[:2]))
    for platform, tag in (("linux/arm64", "arm"), ("linux/s390x", "z")):
        alice.push("alice/hello", tag, images[platform])
    address = f"{HELLO}/-/compare"
    for pair in ({"from": "all", "to": "arm"}, {"from": "arm", "to": "all"}):
        page = visitor.get(address, **pair)
        assert "Both images are for linux/arm64." in page.text
        assert "Both have the same size." in page.text
        assert "New layers" not in page.text
        chosen = visitor.get(address, **pair, platform="linux/amd64")
        assert "all for linux/amd64" in chosen.text
        assert "arm for linux/arm64" in chosen.text
    page = visitor.get(address, **{"from": "all", "to": "z"})
    assert "all for linux/amd64, z for linux/s390x" in page.text
    options = [fields for tag, fields in page.elements if tag == "option"]
    assert options[:2] == [{"selected": ""}, {}]


def test_compare_with_unknown_tag_suggests_similar(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A mistyped tag keeps the form filled in, and a link suggests a similar tag."""
    for tag in ("2.0.3", "2.1.0"):
        alice.push_image("alice/hello", tag)
    address = f"{HELLO}/-/compare"
    page = visitor.get(address, **{"from": "2.0.3", "to": "2.1.O"})
    assert page.status == 404
    assert "“2.1.O” does not exist in this repository." in page.text
    filled = {field["name"]: field.get("value") for field in page.all("input")}
    assert (filled["from"], filled["to"]) == ("2.0.3", "2.1.O")
    meant = visitor.get(page.links["2.1.0"])
    assert "Both have the same size." in meant.text
    for wrong in ("nothing", "sha256:x", "<b>"):
        page = visitor.get(address, **{"from": "2.0.3", "to": wrong})
        assert f"“{wrong}” does not exist in this repository." in page.text
        assert page.links["Show all tags"] == HELLO
    hidden = visitor.get("/images/bob/secret/-/compare")
    assert "Not found" in hidden.text


# Access tokens


def test_token_form_issues_and_revokes(app: Flask, visitor: Visitor) -> None:
    """A token is shown once with its login command, works, and can be revoked."""
    page = visitor.send(
        "/images/-/tokens", name="laptop", repositories="alice/*", actions="pull"
    )
    secret = t.cast("re.Match[str]", re.search(r"oci_pat_\w+", page.html))[0]
    assert "docker login localhost -u alice --password-stdin" in page.text
    assert f" -p {secret}" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "Never used." in visitor.get("/images/-/tokens").text
    client = RegistryClient(app, basic("alice", secret))
    assert client.tags("alice/hello") == ["1.0"]
    listed = visitor.get("/images/-/tokens")
    assert "laptop" in listed.text
    assert "Used just now." in listed.text
    assert secret not in listed.html
    revoke = listed.forms()[-1]
    assert visitor.client.post(revoke.action, data=revoke.fields).status_code == 302
    assert client.get("/v2/alice/hello/tags/list").status_code == 401


def test_token_form_labels_every_action(visitor: Visitor) -> None:
    """Every action has a label; delete and manage are not selected by default."""
    page = visitor.get("/images/-/tokens")
    boxes = [box for box in page.all("input") if box.get("name") == "actions"]
    ticked = [box["value"] for box in boxes if "checked" in box]
    assert [box["value"] for box in boxes] == ["pull", "push", "delete", "manage"]
    assert ticked == ["pull", "push"]
    assert "pull push delete manage (REST only)" in " ".join(page.text.split())


def test_invalid_token_form_keeps_input(visitor: Visitor) -> None:
    """A token without repositories or actions is refused, and the form stays filled
    in."""
    page = visitor.send("/images/-/tokens", name="<i>", repositories=" ")
    assert page.status == 422
    assert "<i>" in [a.get("value") for a in page.all("input")]
    useless = {"repositories": "alice/* Alice/*", "actions": "pull"}
    page = visitor.send("/images/-/tokens", **useless)
    assert page.status == 422
    assert "“Alice/*” matches no repository name." in page.text
    assert "alice/* Alice/*" in [a.get("value") for a in page.all("input")]


def test_tokens_of_other_users_are_hidden(app: Flask, visitor: Visitor) -> None:
    """A user cannot see or revoke another user's token, and an anonymous visitor has
    none."""
    visitor.send("/images/-/tokens", repositories="*", actions="pull")
    form = visitor.get("/images/-/tokens").forms()[-1]
    bob = Visitor(app, "bob")
    assert "There are no tokens yet." in bob.get("/images/-/tokens").text
    bob.send(form.action)
    assert "There are no tokens yet." not in visitor.get("/images/-/tokens").text
    assert Visitor(app).status("/images/-/tokens") == 403
