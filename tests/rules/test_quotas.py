"""How much somebody may have, and what is said to who wants more."""

from __future__ import annotations

import json
import os
import threading
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_oci.catalog import quotas as catalog_quotas
from flask_oci.rules.quota import parse_size
from flask_oci.rules.quota import readable
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from flask_oci.v2 import quota_check as endpoint_quotas
from tests.conftest import MakeApp
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.registry_client import ATTACHED
from tests.support.registry_client import LOOKS_ATTACHED
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.upkeep import Upkeep
from tests.support.visitor import statements
from tests.support.visitor import Visitor

NAME = "alice/app"
#: What a small image takes beside its layer.
SMALL = 2_000


def limit(app: Flask, *, name: str | None = None, **values: t.Any) -> None:
    """Lay a quota down, for alice or for a repository."""
    with app.app_context():
        if name is None:
            registry.quotas.set(owner=user_named("alice"), **values)
        else:
            registry.quotas.set(repository=name, **values)


def used(app: Flask, name: str | None = None) -> int:
    """Return how many bytes alice, or a repository, has."""
    with app.app_context():
        if name is None:
            return registry.quotas.show(owner=user_named("alice")).bytes
        return registry.quotas.show(repository=name).bytes


def message(response: t.Any) -> str:
    """Return what docker prints, if it is what docker does not try again."""
    assert refusal(response) == (403, "DENIED")
    return errors(response)[0]["message"]


def post(
    client: RegistryClient, content: bytes, name: str = NAME, **kw: t.Any
) -> t.Any:
    """Push a blob in one request."""
    query = {"digest": digest_of(content)}
    return client.post(f"/v2/{name}/blobs/uploads/", content, query=query, **kw)


# Refusing early


def test_the_first_request(app: Flask, alice: RegistryClient) -> None:
    """Who has all that they may have is told so before they send a layer."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=10_000)
    said = message(alice.post(f"/v2/{NAME}/blobs/uploads/"))
    assert said.startswith("alice uses 10.")
    assert "of 10.0 kB" in said
    assert "Delete images, or ask for more room." in said


def test_a_new_repository(app: Flask, alice: RegistryClient) -> None:
    """A quota of an owner is no less theirs where there is no repository yet."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=10_000)
    message(alice.post("/v2/alice/new/blobs/uploads/"))
    message(post(alice, b"y" * 100, "alice/new"))
    assert alice.get("/v2/alice/new/tags/list").status_code == 404


@pytest.mark.parametrize("way", ["POST", "PATCH", "PUT"])
def test_an_announced_length(app: Flask, alice: RegistryClient, way: str) -> None:
    """What says how long it is is refused before any of it is read."""
    limit(app, bytes=10_000)
    content = b"x" * 10_001
    source = Source(content)
    environ = source.environ(len(content))
    if way == "POST":
        response = post(alice, b"", environ=environ)
    else:
        location = alice.start_upload(NAME)
        if way == "PUT":
            location = with_query(location, digest=digest_of(content))
        response = alice.request(way, location, environ=environ)
    assert "this takes 10.0 kB more" in message(response)
    assert used(app) == 0


@pytest.mark.parametrize("way", ["POST", "PATCH", "PUT"])
def test_mid_stream(app: Flask, alice: RegistryClient, way: str) -> None:
    """What does not say how long it is is refused as soon as it is too long, and
    leaves nothing."""
    limit(app, bytes=10_000)
    content = b"x" * 3_000_000
    source = Source(content)
    environ = source.environ(None)
    location = ""
    if way == "POST":
        query = {"digest": digest_of(content)}
        path = f"/v2/{NAME}/blobs/uploads/"
        response = alice.post(path, query=query, environ=environ)
    else:
        location = alice.start_upload(NAME)
        target = location
        if way == "PUT":
            target = with_query(location, digest=digest_of(content))
        response = alice.request(way, target, environ=environ)
    assert "alice uses 0 B of 10.0 kB" in message(response)
    if location:
        assert alice.get(location).headers["Range"] == "0-0"
    assert used(app) == 0


def test_a_quota_that_comes_while_bytes_flow(app: Flask, alice: RegistryClient) -> None:
    """What holds at the end of a push counts, whatever held at its beginning."""
    location = alice.start_upload(NAME)
    content = b"x" * 10_001
    source = Source(content, on_read=lambda: limit(app, bytes=10_000))
    message(
        alice.put(
            with_query(location, digest=digest_of(content)),
            environ=source.environ(len(content)),
        )
    )
    assert used(app) == 0


def test_several_chunks(app: Flask, alice: RegistryClient) -> None:
    """The chunks of an upload count together, and it can go on where it fits."""
    limit(app, bytes=10_000)
    location = alice.start_upload(NAME)
    assert alice.patch(location, b"x" * 6_000).status_code == 202
    message(alice.patch(location, b"x" * 6_000))
    assert alice.get(location).headers["Range"] == "0-5999"
    assert alice.patch(location, b"x" * 3_000).status_code == 202
    content = b"x" * 9_000
    done = alice.put(with_query(location, digest=digest_of(content)))
    assert done.status_code == 201
    assert used(app) == 9_000


def test_the_manifest(app: Flask, alice: RegistryClient) -> None:
    """Manifests count as well, and one that does not fit is refused with its tag."""
    alice.push_blob(NAME, CONFIG)
    alice.push_blob(NAME, b"a layer")
    limit(app, bytes=used(app) + 100)
    response = alice.put_manifest(NAME, "v1", image(b"a layer"))
    assert "alice uses" in message(response)
    assert alice.tags(NAME) == []
    limit(app, bytes=used(app) + SMALL)
    assert alice.put_manifest(NAME, "v1", image(b"a layer")).status_code == 201


# What counts


def test_shared_layers_count_once_for_an_owner(
    app: Flask, alice: RegistryClient
) -> None:
    """A layer that an owner has takes no more room in another repository of theirs,
    whichever way it comes, and takes it in the repository."""
    layer = b"x" * 10_000
    alice.push_image("alice/one", "v1", layer=layer)
    limit(app, bytes=used(app) + SMALL)
    alice.push_image("alice/two", "v1", layer=layer)
    mounted = alice.post(
        "/v2/alice/three/blobs/uploads/",
        query={"mount": digest_of(layer), "from": "alice/one"},
    )
    assert mounted.status_code == 201
    assert used(app) < 13_000
    assert used(app, "alice/two") >= 10_000
    alice.push_blob("alice/four", b"small")
    limit(app, name="alice/four", bytes=5_000)
    response = alice.post(
        "/v2/alice/four/blobs/uploads/",
        query={"mount": digest_of(layer), "from": "alice/one"},
    )
    assert message(response).startswith("alice/four uses 5 B of 5.0 kB")


def test_a_mount_of_what_somebody_else_has(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """What is mounted from another owner takes room, and is refused where there is
    none."""
    layer = b"x" * 10_000
    bob.push_image("bob/app", "v1", layer=layer)
    with app.app_context():
        registry.repositories.set_visibility("bob/app", "public")
    limit(app, bytes=9_000)
    query = {"mount": digest_of(layer), "from": "bob/app"}
    message(alice.post(f"/v2/{NAME}/blobs/uploads/", query=query))
    limit(app, bytes=11_000)
    path = f"/v2/{NAME}/blobs/uploads/"
    assert alice.post(path, query=query).status_code == 201


def test_what_is_there_can_be_pushed_again(app: Flask, alice: RegistryClient) -> None:
    """Who has more than they may have can push again what they have, move their tags,
    pull, and delete."""
    manifest = alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=10, images=1)
    assert post(alice, b"x" * 10_000).status_code == 201
    assert alice.put_manifest(NAME, "v1", manifest).status_code == 201
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200
    assert alice.delete(f"/v2/{NAME}/manifests/v1").status_code == 202
    message(post(alice, b"new"))


def test_of_whoever_owns(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """An owner's quota is for what they own, whoever pushes, and for nothing else."""
    limit(app, bytes=10)
    bob.push_image("bob/app", "v1", layer=b"x" * 10_000)
    with app.app_context():
        registry.repositories.transfer("bob/app", user_named("alice"))
    message(alice.post("/v2/bob/app/blobs/uploads/"))
    with app.app_context():
        registry.repositories.transfer("bob/app", user_named("bob"))
    assert bob.post("/v2/bob/app/blobs/uploads/").status_code == 202


def test_images(app: Flask, alice: RegistryClient) -> None:
    """Images with a tag are counted: an index with its children is one, several tags
    of one image are one, and a signature is none."""
    limit(app, images=2)
    children = [alice.push_image(NAME, layer=bytes([n])) for n in range(3)]
    whole = index(*(descriptor(child, OCI_MANIFEST) for child in children))
    for tag in ("v1", "latest"):
        alice.push_manifest(NAME, whole, tag)
    attached = digest_of(whole).replace(":", "-") + ".sig"
    alice.push_image(NAME, attached, layer=b"signature")
    alice.push_image("alice/other", "v1", layer=b"another")
    response = alice.put_manifest("alice/other", "v2", image(b"another", n=2))
    assert message(response) == (
        "alice has 2 of 2 images. Delete tags, or ask for more."
    )
    assert alice.tags("alice/other") == ["v1"]
    # Moving a tag makes no image more.
    assert (
        alice.put_manifest("alice/other", "v1", image(b"another", n=2)).status_code
        == 201
    )
    alice.delete("/v2/alice/other/manifests/v1")
    alice.push_manifest("alice/other", image(b"another", n=3), "v3")


def test_unfinished_uploads_count(app: Flask, alice: RegistryClient) -> None:
    """What is being uploaded takes room from what else is, until it is cancelled."""
    alice.push_blob(NAME, b"z" * 3_000)
    limit(app, bytes=10_000)
    location = alice.start_upload(NAME)
    alice.patch(location, b"x" * 4_000)
    said = message(post(alice, b"y" * 4_000))
    assert "uses 7.0 kB of 10.0 kB (4.0 kB by unfinished uploads)" in said
    assert alice.delete(location).status_code == 204
    assert post(alice, b"y" * 4_000).status_code == 201


def test_broken_uploads_are_in_nobodys_way(app: Flask, alice: RegistryClient) -> None:
    """What was broken off takes no room from who tries again, unless that would be
    more than the whole quota."""
    alice.push_blob(NAME, b"z" * 3_000)
    limit(app, bytes=10_000)
    for byte in (b"x", b"y"):
        assert alice.patch(alice.start_upload(NAME), byte * 4_000).status_code == 202
        for path in Upkeep(app).folder.glob("uploads/*"):
            os.utime(path, (0, 0))
    message(alice.patch(alice.start_upload(NAME), b"w" * 4_000))
    assert alice.patch(alice.start_upload(NAME), b"v" * 2_000).status_code == 202


@pytest.mark.options(oci_owner_quota=10_000, oci_repository_quota=5_000)
def test_everywhere(app: Flask, alice: RegistryClient, bob: RegistryClient) -> None:
    """Who has no quota of their own has the one that is configured."""
    for client, owner in ((alice, "alice"), (bob, "bob")):
        assert post(client, b"x" * 4_000, f"{owner}/a").status_code == 201
        assert post(client, b"y" * 4_000, f"{owner}/b").status_code == 201
        assert f"{owner}/b uses 4.0 kB of 5.0 kB" in message(
            post(client, b"z" * 1_500, f"{owner}/b")
        )
        assert f"{owner} uses 8.0 kB of 10.0 kB" in message(
            post(client, b"z" * 4_000, f"{owner}/c")
        )
    limit(app, bytes=None)
    assert post(alice, b"z" * 4_000, "alice/c").status_code == 201
    limit(app, name="alice/c", bytes=50_000)
    assert post(alice, b"a" * 40_000, "alice/c").status_code == 201


# Warning


def test_a_warning(app: Flask, alice: RegistryClient) -> None:
    """From nine tenths on, who pushes is warned, in every step of it."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=20_000)
    assert "Warning" not in alice.post(f"/v2/{NAME}/blobs/uploads/").headers
    limit(app, bytes=11_000, images=10)
    manifest = image(b"x" * 10_000)
    begun = alice.post(f"/v2/{NAME}/blobs/uploads/")
    sent = alice.patch(begun.headers["Location"], b"one")
    whole = with_query(sent.headers["Location"], digest=digest_of(b"onetwo"))
    mount = {"mount": digest_of(b"onetwo"), "from": NAME}
    for status, response in (
        (202, begun),
        (202, sent),
        (201, alice.put(whole, b"two")),
        (201, post(alice, b"three")),
        (202, alice.post("/v2/alice/other/blobs/uploads/")),
        (201, alice.post("/v2/alice/other/blobs/uploads/", query=mount)),
        (201, alice.put_manifest(NAME, "v1", manifest)),
    ):
        assert response.status_code == status
        assert response.headers["Warning"].startswith('299 - "alice uses 10.')
    limit(app, images=1)
    warned = alice.put_manifest(NAME, "v1", manifest).headers["Warning"]
    assert warned == '299 - "alice has 1 of 1 images."'


# Rivals


@pytest.mark.parametrize("images", [False, True])
def test_rivals(app: Flask, alice: RegistryClient, images: bool) -> None:
    """Whatever many push at once into repositories of one owner, no more is recorded
    than there may be."""
    for number in range(6):
        alice.push_blob(f"alice/{number}", CONFIG)
        alice.push_blob(f"alice/{number}", b"a layer")
    bound = ("images", 3) if images else ("bytes", used(app) + 3_500)
    limit(app, **t.cast("t.Any", dict([bound])))
    statuses: list[int] = []
    start = threading.Barrier(6)

    def push(number: int) -> None:
        client = RegistryClient.of(app, "alice")
        start.wait()
        if images:
            made = client.put_manifest(
                f"alice/{number}", "v1", image(b"a layer", n=number)
            )
        else:
            made = post(client, bytes([number]) * 1_000, f"alice/{number}")
        statuses.append(made.status_code)

    threads = [threading.Thread(target=push, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 3 + [403] * 3
    with app.app_context():
        standing = registry.quotas.show(owner=user_named("alice"))
    assert standing.images <= 3
    assert images or standing.bytes <= (standing.quota.bytes or 0)


# Without a quota


def test_without_a_quota(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """Somebody else's quota costs nobody a statement."""
    alice.push_image(NAME, "v1")

    def push(client: RegistryClient, name: str) -> int:
        with statements(app) as sent:
            content = name.encode()
            location = client.start_upload(name)
            client.patch(location, content)
            client.put(with_query(location, digest=digest_of(content)))
            client.put_manifest(name, "v2", image(b"a layer", config=CONFIG, name=name))
        return len([s for s in sent if not s.startswith("BEGIN")])

    before = push(alice, NAME)
    bob.push_image("bob/app", "v1")
    with app.app_context():
        registry.quotas.set(owner=user_named("bob"), bytes=1_000_000)
    alice.push_image("alice/two", "v1")
    assert push(alice, "alice/two") == before
    assert push(bob, "bob/app") > before


# Command and page


def test_the_command(app: Flask, alice: RegistryClient) -> None:
    """What is typed holds for the next push, is shown with what is used, and can be
    taken back."""
    keeper = Upkeep(app)
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    done = keeper.run("quota", "set", "--owner", "alice", "--bytes", "10kB")
    assert done.exit_code == 0, done.output
    message(post(alice, b"new"))
    shown = keeper.run("quota", "show", "--owner", "alice", "--json")
    assert shown.exit_code == 1
    fields = json.loads(shown.output)
    assert fields["bytes"] == {"used": used(app), "quota": 10_000}
    assert fields["images"] == {"used": 1, "quota": None}
    text = keeper.run("quota", "show", "--repository", NAME)
    assert text.exit_code == 0
    assert "of any size" in text.output
    listed = json.loads(keeper.run("quota", "list", "--json").output)
    assert listed == [
        {"repository": None, "owner": "alice", "bytes": 10_000, "images": None}
    ]
    assert "everything of alice" in keeper.run("quota", "list").output
    assert keeper.run("quota", "unset", "--owner", "alice").exit_code == 0
    assert post(alice, b"new").status_code == 201
    assert keeper.run("quota", "unset", "--owner", "alice").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("set", "--bytes", "1GB"), 2),
        (("set", "--owner", "alice", "--bytes", "much"), 1),
        (("set", "--owner", "alice", "--images", "-1"), 2),
        (("set", "--owner", "nobody", "--bytes", "1GB"), 1),
        (("set", "--repository", "alice/none", "--bytes", "1GB"), 1),
        (("show", "--repository", "alice/none"), 1),
    ],
)
def test_what_cannot_be_typed(
    app: Flask, arguments: tuple[str, ...], status: int
) -> None:
    """What makes no sense is refused, and lays nothing down."""
    done = Upkeep(app).run("quota", *arguments)
    assert done.exit_code == status, done.output
    with app.app_context():
        assert registry.quotas.list() == []


def test_the_page(app: Flask, alice: RegistryClient) -> None:
    """The page of storage says how much is used of how much, where there is a
    limit."""
    alice.push_image(NAME, "v1", layer=b"x" * 500_000)
    visitor = Visitor(app, "alice")
    assert "Quota" not in visitor.get("/images/-/storage").text
    limit(app, bytes=2_000_000, images=7)
    text = visitor.get("/images/-/storage").text
    assert "Quota 501 kB of 2.0 MB used" in text
    assert "Images with a tag 1 of 7" in text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000", 1000),
        ("10GB", 10**10),
        ("10 GiB", 10 * 2**30),
        ("1.5MB", 1_500_000),
        ("2k", 2000),
        ("3TB", 3 * 10**12),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """Sizes are written as people write them."""
    assert parse_size(text) == size


@given(st.text(max_size=20))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    """No text is taken for something that it is not."""
    try:
        assert parse_size(text) >= 0
    except ValueError:
        return
    assert readable(parse_size(text))


def test_below_zero(make_app: MakeApp) -> None:
    """A quota cannot be less than nothing."""
    app = make_app()
    with app.app_context(), pytest.raises(ValueError, match="must not be negative"):
        registry.quotas.set(owner=user_named("alice"), bytes=-1)


# Getting around it


def test_a_hidden_blob_is_not_told(app: Flask, alice: RegistryClient) -> None:
    """What somebody is refused says nothing about what they may not pull."""
    alice.push_image("alice/secret", "v1", layer=b"hidden")
    alice.push_image("alice/ci", "v1", layer=b"seen")
    limit(app, bytes=10)
    with app.app_context():
        user = user_named("alice")
        secret = registry.access_tokens.issue(
            user, repositories=["alice/ci"], actions=["push"]
        ).secret
    robot = RegistryClient(app, basic("alice", secret))
    answers = set()
    for content in (b"hidden", b"nowhere"):
        response = robot.post(
            "/v2/alice/ci/blobs/uploads/",
            query={"digest": digest_of(content)},
            environ=Source(b"x").environ(1_000_000),
        )
        answers.add((response.status_code, errors(response)[0]["message"]))
    assert len(answers) == 1


def test_the_name_of_a_blob_is_no_room(app: Flask, alice: RegistryClient) -> None:
    """Whoever names what is there has room for that, and for no more."""
    alice.push_image(NAME, "v1", layer=b"seen")
    limit(app, bytes=10)
    source = Source(b"x" * 1_000_000)
    response = alice.post(
        f"/v2/{NAME}/blobs/uploads/",
        query={"digest": digest_of(b"seen")},
        environ=source.environ(None),
    )
    assert refusal(response) == (403, "DENIED")
    assert post(alice, b"seen").status_code == 201


@pytest.mark.options(oci_repository_quota=1000)
def test_the_first_blob_of_a_repository(
    app: Flask, alice: RegistryClient, tmp_path: Path
) -> None:
    """What would be too much in a repository that is not there yet is not stored."""
    assert refusal(post(alice, b"x" * 1001, "alice/new")) == (403, "DENIED")
    assert not list((tmp_path / "oci").glob("blobs/*/*/*"))


@pytest.mark.parametrize("tag", ["v2", *LOOKS_ATTACHED])
def test_a_tag_that_looks_attached(app: Flask, alice: RegistryClient, tag: str) -> None:
    """A tag that is only nearly one of cosign's is an image like any other."""
    limit(app, images=1)
    alice.push_image(NAME, "v1")
    response = alice.put_manifest(NAME, tag, image(LAYER, annotations={"a": tag}))
    assert refusal(response) == (403, "DENIED")


@pytest.mark.parametrize("tag", ATTACHED)
def test_an_attached_tag(app: Flask, alice: RegistryClient, tag: str) -> None:
    """What a client attaches to an image by a tag is none."""
    limit(app, images=1)
    alice.push_image(NAME, "v1")
    alice.push_manifest(NAME, image(LAYER, annotations={"a": tag}), tag)


def test_too_many_uploads(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has begun more uploads than are looked at has no room for another."""
    for module in (catalog_quotas, endpoint_quotas):
        monkeypatch.setattr(module, "UPLOADS", 3)
    alice.push_image(NAME, "v1")
    limit(app, bytes=1_000_000)
    for _ in range(3):
        assert alice.post(f"/v2/{NAME}/blobs/uploads/").status_code == 202
    assert refusal(alice.post(f"/v2/{NAME}/blobs/uploads/")) == (403, "DENIED")


@pytest.mark.parametrize(("owner", "status"), [("bob", 422), ("carol", 422)])
def test_giving_away_what_nobody_has_room_for(
    app: Flask, alice: RegistryClient, owner: str, status: int
) -> None:
    """Nobody is given more than they may have, and nothing goes to who is switched
    off."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    with app.app_context():
        registry.quotas.set(owner=user_named("bob"), bytes=5_000)
    visitor = Visitor(app, "alice")
    page = visitor.send(
        f"/images/{NAME}/-/settings/owner", owner=owner, confirmed="yes"
    )
    assert page.status == status
    assert alice.get(f"/v2/{NAME}/tags/list").status_code == 200


@pytest.mark.parametrize("owner", ["alice", "bob"])
def test_giving_away_what_its_new_owner_has(
    app: Flask, alice: RegistryClient, bob: RegistryClient, owner: str
) -> None:
    """A layer counts once for an owner, and so does an image, when somebody is given
    what they have already."""
    layer = b"x" * 10_000
    alice.push_image(NAME, "v1", layer=layer)
    bob.push_image("bob/app", "v1", layer=layer)
    with app.app_context():
        new = user_named(owner)
        registry.quotas.set(owner=new, bytes=12_000, images=1 + (owner == "bob"))
    page = Visitor(app, "alice").send(
        f"/images/{NAME}/-/settings/owner", owner=owner, confirmed="yes"
    )
    assert page.status == 302


def test_a_deleted_tag_is_put_back(app: Flask, alice: RegistryClient) -> None:
    """By who has too much as well, since it is nothing new; what is pushed after that
    is refused."""
    manifest = alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    alice.push_image(NAME, "v2", layer=b"y" * 10_000)
    assert alice.delete(f"/v2/{NAME}/manifests/v1").status_code == 202
    limit(app, bytes=1_000, images=1)
    visitor = Visitor(app, "alice")
    visitor.follow_form(visitor.get(f"/images/{NAME}/-/history", tag="v1"))
    assert alice.get(f"/v2/{NAME}/manifests/v1").data == manifest
    assert alice.tags(NAME) == ["v1", "v2"]
    message(post(alice, b"new"))
    assert refusal(alice.put_manifest(NAME, "v3", image(b"x" * 10_000, n=1))) == (
        403,
        "DENIED",
    )
