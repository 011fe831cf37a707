"""The pages, as a person reads them."""

from __future__ import annotations

import itertools
import json
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.web import repositories as web_repositories
from tests.support.credentials import user_named
from tests.support.doc_blocks import ALL_BLOCKS
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.host import User
from tests.support.registry_client import ATTACHED
from tests.support.registry_client import LOOKS_ATTACHED
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Page
from tests.support.visitor import statements
from tests.support.visitor import Visitor

LIST = "/images/"
HELLO = "/images/alice/hello"

#: Written by whoever writes configs, labels and the like, to become a part of a page.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7777*7777}}\u202e"

#: No page takes more statements than this, whatever there is.
MOST_STATEMENTS = 20


@pytest.fixture(name="visitor")
def _visitor(app: Flask) -> Visitor:
    """Alice, at her browser."""
    return Visitor(app, "alice")


@pytest.fixture(name="stranger")
def _stranger(app: Flask) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(app)


def config(**fields: object) -> bytes:
    """Write the config of an image."""
    return encoded({"architecture": "amd64", "os": "linux", **fields})


# The list of repositories


def test_an_empty_list_says_what_to_type(visitor: Visitor) -> None:
    """Who has nothing yet is told the commands that bring an image."""
    page = visitor.get(LIST)
    assert "docker login localhost -u alice" in page.text
    assert "docker push localhost/alice/hello" in page.text


def test_the_list_shows_what_may_be_pulled(
    alice: RegistryClient, visitor: Visitor, stranger: Visitor, admin: Administrator
) -> None:
    """A repository is listed for who may pull from it, and hidden from the others."""
    alice.push_image("alice/hello", "1.0")
    alice.push_image("alice/secret", "1.0")
    admin.publish("alice/hello")
    assert {"alice/hello", "alice/secret"} <= set(visitor.get(LIST).links)
    page = stranger.get(LIST)
    assert "alice/hello" in page.links
    assert "secret" not in page.html


def test_the_list_says_what_is_there(alice: RegistryClient, visitor: Visitor) -> None:
    """An entry has the number of tags, the size and the visibility."""
    alice.push_image("alice/hello", "1.0", layer=b"x" * 2500)
    alice.push_image("alice/hello", "2.0", layer=b"x" * 2500)
    text = visitor.get(LIST).text
    assert "2 tags" in text
    assert "2.5 kB" in text
    assert "private" in text
    assert "just now" in text


@pytest.mark.parametrize("sort", ["", "name"])
@pytest.mark.parametrize("host_policy", [False, True])
def test_the_list_has_pages(make_app: t.Any, sort: str, host_policy: bool) -> None:
    """Each repository is on one page of the list, in order, whatever the policy."""

    def may(user: t.Any, action: str, repository: t.Any) -> bool:
        return not repository.name.endswith("7")

    app = make_app(authorize=may if host_policy else None)
    alice = RegistryClient.of(app, "alice")
    names = [f"alice/image{number:02}" for number in range(32)]
    for name in names:
        alice.push_image(name.replace("7", "8") if host_policy else name, "1")
    visitor = Visitor(app, "alice")
    found: list[str] = []
    for page in visitor.pages(f"{LIST}?sort={sort}"):
        found += [link for link in page.links if link.startswith("alice/")]
    expected = sorted({n.replace("7", "8") if host_policy else n for n in names})
    assert sorted(found) == expected
    assert not sort or found == expected


def test_the_list_can_be_searched(alice: RegistryClient, visitor: Visitor) -> None:
    """A search finds names that have the text in them, and says when none has."""
    alice.push_image("alice/hello", "1")
    alice.push_image("alice/tools/hammer", "1")
    assert "alice/hello" not in visitor.get(LIST, q="HAMM").links
    assert "alice/tools/hammer" in visitor.get(LIST, q="HAMM").links
    assert "100%" in visitor.get(LIST, q="100%").text
    assert visitor.get(LIST, q="a\0b").status == 200


def test_the_list_says_whose_something_is(
    app: Flask, alice: RegistryClient, admin: Administrator
) -> None:
    """Who owns a repository is said where its name does not say it."""
    for name in ("alice/hers", "alice/given", "alice/left"):
        alice.push_image(name, "1")
        admin.publish(name)
    with app.app_context():
        registry.repositories.transfer("alice/given", user_named("bob"))
        registry.repositories.transfer("alice/left", user_named("carol"))
    admin.delete_user("carol")
    page = Visitor(app).get(LIST, sort="name")
    assert "alice/given public owned by bob 1 tag" in page.text
    assert "alice/hers public 1 tag" in page.text
    assert "alice/left public no owner 1 tag" in page.text


def test_the_list_goes_on_from_wherever_it_is(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """What an address has in it stays as it is in the links to the same list, and is
    nothing else."""
    alice.push_image("alice/hello", "1")
    for odd in ("endpoint", "_method", "_external", "_anchor", "_scheme"):
        page = visitor.get(f"{LIST}?q=hello&{odd}=POST")
        assert page.status == 200
        assert page.links["Name"] == f"{LIST}?q=hello&{odd}=POST&sort=name"


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01", "x"]
)
def test_no_list_begins_before_all_time(
    alice: RegistryClient, visitor: Visitor, at: str
) -> None:
    """A moment that there is not is none; the list begins where it begins."""
    alice.push_image("alice/hello", "1")
    for address in (LIST, HELLO):
        page = visitor.get(address, after="zzz", at=at)
        assert (page.status, "Nothing" in page.text) == (200, False)


def test_the_list_of_a_project(alice: RegistryClient, visitor: Visitor) -> None:
    """A host's page can lead to the repositories below one name."""
    for name in ("alice/tools", "alice/tools/hammer", "alice/toolshed"):
        alice.push_image(name, "1")
    links = visitor.get(LIST, under="alice/tools").links
    assert {"alice/tools", "alice/tools/hammer"} <= set(links)
    assert "alice/toolshed" not in links


# A repository


def test_the_commands_to_pull(alice: RegistryClient, visitor: Visitor) -> None:
    """The page of a repository has the command for its newest tag."""
    # MariaDB knows moments to the second.
    with time_machine.travel(datetime.now(timezone.utc) - timedelta(minutes=1)):
        alice.push_image("alice/hello", "1.0")
    alice.push_image("alice/hello", "2.0")
    text = visitor.get(HELLO).text
    assert "docker pull localhost/alice/hello:2.0" in text
    assert "podman pull localhost/alice/hello:2.0" in text


@pytest.mark.options(oci_external_url="https://images.example.org:8443/forge")
def test_the_commands_name_the_address_of_clients(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A configured address stands in the commands, whatever the request's host is."""
    alice.push_image("alice/hello", "1.0")
    assert "images.example.org:8443/alice/hello:1.0" in visitor.get(HELLO).text


def test_a_tag_says_what_it_is(alice: RegistryClient, visitor: Visitor) -> None:
    """A tag is listed with digest, size, platform and who pushed it."""
    manifest = alice.push_image("alice/hello", "1.0", layer=b"x" * 123_000)
    page = visitor.get(HELLO)
    assert digest_of(manifest) in page.html
    assert digest_of(manifest)[7:19] in page.text
    assert "123 kB" in page.text
    assert "linux/amd64" in page.text
    assert "by alice" in page.text


def push_index(alice: RegistryClient, tag: str, *architectures: str) -> bytes:
    """Push an image for several platforms, and what BuildKit puts beside it."""
    children = []
    for architecture in architectures:
        written = config(architecture=architecture)
        manifest = alice.push_image("alice/hello", layer=b"y" * 4000, config=written)
        platform = {"os": "linux", "architecture": architecture}
        children.append(descriptor(manifest, OCI_MANIFEST, platform=platform))
    beside = alice.push_image("alice/hello", config=config(os="unknown"))
    about = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": children[0]["digest"],
    }
    children.append(
        descriptor(
            beside,
            OCI_MANIFEST,
            platform={"os": "unknown", "architecture": "unknown"},
            annotations=about,
        )
    )
    manifest = index(*children)
    alice.push_manifest("alice/hello", manifest, tag)
    return manifest


def test_an_image_for_several_platforms(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """An index lists its platforms and not its attestations, and has the size of
    everything below it."""
    push_index(alice, "1.0", "amd64", "arm64")
    page = visitor.get(HELLO)
    assert "linux/amd64" in page.text
    assert "linux/arm64" in page.text
    assert "unknown" not in page.text
    assert "attested" in page.text
    # The layer is shared, and counted once.
    assert float(page.text.partition(" kB")[0].split()[-1]) < 8


def test_untagged_manifests(alice: RegistryClient, visitor: Visitor) -> None:
    """What no tag, index or subject needs is listed apart."""
    old = alice.push_image("alice/hello", "1.0", layer=b"old")
    push_index(alice, "1.0", "amd64")
    text = visitor.get(HELLO, show="untagged").text
    assert digest_of(old)[7:19] in text
    assert text.count("linux/amd64") == 1
    assert digest_of(old)[7:19] not in visitor.get(HELLO).text


def test_tags_that_belong_to_an_image(alice: RegistryClient, visitor: Visitor) -> None:
    """A tag such as cosign makes is no version, and makes its image a signed one."""
    manifest = alice.push_image("alice/hello", "1.0")
    simple = "application/vnd.dev.cosign.simplesigning.v1+json"
    alice.push_blob("alice/hello", b"{}")
    signature = image(descriptor(b"{}", simple))
    tag = f"{digest_of(manifest).replace(':', '-')}.sig"
    alice.push_manifest("alice/hello", signature, tag)
    page = visitor.get(HELLO)
    assert tag not in page.html
    assert "signed" in page.text
    assert tag in visitor.get(HELLO, show="attached").links
    assert "Signature" in visitor.get(HELLO, show="attached").text


def test_tags_that_seem_to_belong_to_an_image(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Each tag is in one list: that of versions, or that of what is attached."""
    manifest = alice.push_image("alice/hello")
    push = {"tag": [*ATTACHED, *LOOKS_ATTACHED]}
    alice.put_manifest("alice/hello", digest_of(manifest), manifest, query=push)
    for sort in ("", "name"):
        links = visitor.get(HELLO, sort=sort).links
        assert {*push["tag"]} & {*links} == {*LOOKS_ATTACHED}
        links = visitor.get(HELLO, sort=sort, show="attached").links
        assert {*push["tag"]} & {*links} == {*ATTACHED}


def test_tags_have_pages(alice: RegistryClient, visitor: Visitor) -> None:
    """Each tag is on one page of the list, by name or the newest first."""
    manifest = alice.push_image("alice/hello")
    tags = [f"v{number:03}" for number in range(60)]
    for chunk in (tags[:30], tags[30:]):
        response = alice.put_manifest(
            "alice/hello", digest_of(manifest), manifest, query={"tag": chunk}
        )
        assert response.status_code == 201
    for sort in ("", "name"):
        found = list(
            itertools.chain.from_iterable(
                (link for link in page.links if link.startswith("v"))
                for page in visitor.pages(f"{HELLO}?sort={sort}")
            )
        )
        assert sorted(found) == tags
        assert not sort or found == tags


# An image


def test_an_image(alice: RegistryClient, visitor: Visitor) -> None:
    """The page of an image has its config, and beside each layer what made it."""
    written = config(
        config={
            "Env": ["PATH=/bin", "TOKEN=a=b"],
            "Entrypoint": ["/bin/app", "--serve"],
            "ExposedPorts": {"8080/tcp": {}},
            "User": "nobody",
            "Labels": {"maintainer": "alice@example.org"},
        },
        history=[
            {"created_by": "/bin/sh -c #(nop) ADD file:1234 in / "},
            {"created_by": "ENV PATH=/bin", "empty_layer": True},
            {"created_by": "RUN /bin/sh -c make install # buildkit"},
        ],
    )
    alice.push_blob("alice/hello", written)
    layers = (b"a" * 5000, b"b" * 2500)
    for layer in layers:
        alice.push_blob("alice/hello", layer)
    notes = {"org.opencontainers.image.source": "https://example.org/hello"}
    alice.push_manifest(
        "alice/hello", image(*layers, config=written, annotations=notes), "1.0"
    )
    page = visitor.get(f"{HELLO}/-/image/1.0")
    for text in (
        "ADD file:1234 in /",
        "RUN make install",
        "ENV PATH=/bin",
        "nobody",
        '["/bin/app", "--serve"]',
        "8080/tcp",
        "a=b",
        "alice@example.org",
        "https://example.org/hello",
        "5.0 kB",
    ):
        assert text in page.text
    widths = [
        rect["width"]
        for rect in page.all("rect")
        if rect["height"] == "6" and "class" not in rect
    ]
    assert widths == ["100.0", "50.0"]


def test_the_manifest_as_it_was_pushed(alice: RegistryClient, visitor: Visitor) -> None:
    """The exact bytes of a manifest are one link away from its page."""
    manifest = alice.push_image("alice/hello", "1.0")
    address = visitor.get(f"{HELLO}/-/image/1.0").links["Show the original bytes"]
    response = visitor.client.get(address)
    assert response.data == manifest
    assert response.mimetype == "text/plain"
    assert "sandbox" in response.headers["Content-Security-Policy"]


def test_a_manifest_that_is_long_when_it_is_indented(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """What is left out of it is told of."""
    alice.push_blob("alice/hello", CONFIG)
    for count, is_cut in ((10, False), (7000, True)):
        annotations = {str(key): "" for key in range(count)}
        fields = json.loads(image(annotations=annotations))
        manifest = json.dumps(fields, separators=(",", ":")).encode()
        assert len(manifest) < 100_000
        alice.push_manifest("alice/hello", manifest, "1.0")
        page = visitor.get(f"{HELLO}/-/image/1.0")
        assert ("…</code></pre>" in page.html) is is_cut


def test_each_platform_of_an_image(alice: RegistryClient, visitor: Visitor) -> None:
    """One platform of an index is shown, and the others are a link away."""
    pushed = json.loads(push_index(alice, "1.0", "amd64", "arm64"))["manifests"]
    page = visitor.get(f"{HELLO}/-/image/1.0")
    assert "1 attestation" in page.text
    arm64 = visitor.get(f"{HELLO}/-/image/1.0", platform=pushed[1]["digest"])
    facts = arm64.text.partition("Platform linux/")[2]
    assert facts.startswith("arm64")
    child = visitor.get(f"{HELLO}/-/image/{pushed[0]['digest']}")
    assert "Belongs to 1.0" in child.text


def test_what_refers_to_an_image(alice: RegistryClient, visitor: Visitor) -> None:
    """Signatures, SBOMs and attestations are listed on the page of their subject."""
    manifest = alice.push_image("alice/hello", "1.0")
    alice.push_blob("alice/hello", b"{}")
    for kind in (
        "application/vnd.dev.cosign.artifact.sig.v1+json",
        "application/spdx+json",
        "application/vnd.in-toto+json",
    ):
        written = image(
            descriptor(b"{}", "application/json"),
            config=descriptor(b"{}", OCI_EMPTY),
            artifactType=kind,
            subject=descriptor(manifest, OCI_MANIFEST),
        )
        alice.push_manifest("alice/hello", written)
    page = visitor.get(f"{HELLO}/-/image/1.0")
    assert {"Signature", "SBOM", "Attestation"} <= set(page.links)
    subject = visitor.get(page.links["SBOM"])
    assert digest_of(manifest)[7:19] in subject.links
    listed = visitor.get(HELLO).text
    assert "signed" in listed
    assert "SBOM" in listed


@pytest.mark.parametrize(
    ("kind", "label", "command"),
    [
        ("application/vnd.cncf.helm.config.v1+json", "Helm chart", "helm pull oci://"),
        ("application/vnd.wasm.config.v0+json", "WebAssembly", "oras pull "),
        ("application/vnd.buildkit.cacheconfig.v0", "Build cache", "--cache-from"),
        ("application/vnd.example.thing.v1+json", "Artifact", "oras pull "),
    ],
)
def test_artifacts(
    alice: RegistryClient, visitor: Visitor, kind: str, label: str, command: str
) -> None:
    """What is no image is shown for what it is, with its files and its own command."""
    said = {
        "name": "its-own-name",
        "version": "1.2.3+meta",
        "appVersion": "9.8-app",
        "description": "Says hello to whoever installs it",
    }
    about = encoded(said)
    alice.push_blob("alice/hello", about)
    alice.push_blob("alice/hello", b"content")
    title = {"org.opencontainers.image.title": "content.txt"}
    file = descriptor(b"content", "text/plain", annotations=title)
    alice.push_manifest(
        "alice/hello", image(file, config=descriptor(about, kind)), "1.2.3"
    )
    assert label in visitor.get(HELLO).text
    page = visitor.get(f"{HELLO}/-/image/1.2.3")
    assert label in page.text
    assert command in page.text
    assert "content.txt" in page.text
    for key, value in said.items():
        assert (f"{key} {value}" in page.text) == (label == "Helm chart")


# Who may see what


ADDRESSES = (HELLO, f"{HELLO}/-/image/1.0", f"{HELLO}/-/raw/{{digest}}")


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_hidden_is_not_there(
    alice: RegistryClient, app: Flask, address: str
) -> None:
    """The pages of a hidden repository are those of one that does not exist, word for
    word."""
    manifest = alice.push_image("alice/hello", "1.0")
    address = address.format(digest=digest_of(manifest))
    for visitor in (Visitor(app), Visitor(app, "bob"), Visitor(app, "carol")):
        hidden = visitor.get(address)
        missing = visitor.get(address.replace("hello", "nobdy"))
        assert hidden.status == missing.status == 404
        assert hidden.html == missing.html.replace("nobdy", "hello")
    assert Visitor(app, "alice").status(address) == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_public_is_seen(
    alice: RegistryClient, admin: Administrator, app: Flask, address: str
) -> None:
    """The pages of a public repository are for everybody, until it is private again."""
    manifest = alice.push_image("alice/hello", "1.0")
    address = address.format(digest=digest_of(manifest))
    admin.publish("alice/hello")
    assert Visitor(app).status(address) == 200
    admin.publish("alice/hello", "private")
    assert Visitor(app).status(address) == 404


@pytest.mark.options(oci_allow_sparse=True)
def test_a_config_of_another_repository(
    alice: RegistryClient, bob: RegistryClient, app: Flask
) -> None:
    """A manifest that names content of somebody else's repository does not show it."""
    secret = config(author="the secret author")
    alice.push_image("alice/hello", "1.0", config=secret)
    bob.push_manifest("bob/thief", image(config=secret), "1.0")
    thief = Visitor(app, "bob")
    assert "the secret author" not in thief.get("/images/bob/thief/-/image/1.0").html
    owner = Visitor(app, "alice")
    assert "the secret author" in owner.get(f"{HELLO}/-/image/1.0").html


def test_an_old_name_leads_to_the_new_one(
    alice: RegistryClient, app: Flask, visitor: Visitor
) -> None:
    """The page of a renamed repository is found by the old name, by who may see it."""
    alice.push_image("alice/hello", "1.0")
    with app.app_context():
        app.extensions["oci"].administration.rename("alice/hello", "alice/moved")
    response = visitor.client.get(f"{HELLO}/-/image/1.0")
    assert response.location == "/images/alice/moved/-/image/1.0"
    page = visitor.get(HELLO, show="untagged", q="a&b")
    assert page.location == "/images/alice/moved?show=untagged&q=a%26b"
    page = visitor.send(f"{HELLO}/-/settings/description", description="<b> & more")
    assert page.status == 307
    page = visitor.send(page.location or "", description="<b> & more")
    assert "<b> & more" in visitor.get(page.location or "").text
    assert Visitor(app, "bob").status(f"{HELLO}/-/image/1.0") == 404


@pytest.mark.parametrize(
    "address",
    [
        f"{HELLO}/-/image/2.0",
        f"{HELLO}/-/image/sha256:abc",
        f"{HELLO}/-/image/.hidden",
        f"{HELLO}/-/raw/{digest_of(b'nothing')}",
        f"/images/{'a' * 300}",
    ],
)
def test_what_is_not_there(
    alice: RegistryClient, visitor: Visitor, address: str
) -> None:
    """A tag, digest or name that there cannot be is answered with a page."""
    alice.push_image("alice/hello", "1.0")
    page = visitor.get(address)
    assert page.status == 404
    assert "Not found" in page.text


# What somebody pushed is text


def hostile_pages(alice: RegistryClient, visitor: Visitor) -> t.Iterator[Page]:
    """Push what wants to be a part of a page wherever a client may write, and look."""
    half = {"half": "\ud800", HOSTILE: HOSTILE}
    written = encoded(
        {
            "architecture": HOSTILE,
            "os": HOSTILE,
            "author": HOSTILE,
            "created": HOSTILE,
            "config": {
                "Env": [HOSTILE, 7, None, f"{HOSTILE}={HOSTILE}"],
                "Entrypoint": [HOSTILE, ["nested"]],
                "Cmd": HOSTILE,
                "Labels": half,
                "ExposedPorts": {HOSTILE: HOSTILE},
                "Volumes": [HOSTILE],
                "User": {"not": "text"},
            },
            "history": [{"created_by": HOSTILE, "comment": 7}, "nothing", {}],
        }
    )
    alice.push_blob("alice/hello", written)
    alice.push_blob("alice/hello", b"layer")
    title = {"org.opencontainers.image.title": HOSTILE, "number": 7}
    layer = descriptor(b"layer", "text/x.a&b", annotations=title)
    notes = {HOSTILE: HOSTILE}
    config_type = "application/vnd.oci.image.config.v1+json"
    pushed = image(
        layer, layer, config=descriptor(written, config_type), annotations=notes
    )
    alice.push_manifest("alice/hello", pushed, "hostile")
    platform = {"os": HOSTILE, "architecture": [7], "variant": {}}
    child = descriptor(pushed, OCI_MANIFEST, platform=platform, annotations=half)
    alice.push_manifest("alice/hello", index(child, annotations=notes), "index")
    chart = encoded({"name": HOSTILE, "version": [7], "description": HOSTILE})
    alice.push_blob("alice/hello", chart)
    helm = descriptor(chart, "application/vnd.cncf.helm.config.v1+json")
    alice.push_manifest("alice/hello", image(layer, config=helm), "chart")
    for tag in ("hostile", "index", "chart"):
        yield visitor.get(f"{HELLO}/-/image/{tag}")
    yield visitor.get(HELLO)
    yield visitor.get(HELLO, q=HOSTILE, show=HOSTILE, after=HOSTILE, at=HOSTILE)
    yield visitor.get(LIST, q=HOSTILE, under=HOSTILE, sort=HOSTILE)


def test_nothing_that_was_pushed_is_a_part_of_a_page(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Hostile texts are escaped wherever they stand, and no type is believed."""
    for page in hostile_pages(alice, visitor):
        assert page.status == 200
        assert "<script>alert" not in page.html
        assert str(7777 * 7777) not in page.text
        assert not [a for _, a in page.elements if "onerror" in a or "style" in a]
        assert len(page.all("script")) == 1
        assert page.all("script")[0]["src"].startswith("/images/-/static/")


def test_a_config_that_is_none(alice: RegistryClient, visitor: Visitor) -> None:
    """A config of any bytes, or of many, makes a page that says less."""
    deep = b"[" * 100_000
    for number, written in enumerate((b"", b"\xff", b"[]", deep, b" " * 3_000_000)):
        alice.push_image("alice/hello", f"v{number}", config=written)
        assert visitor.get(f"{HELLO}/-/image/v{number}").status == 200
    assert visitor.get(HELLO).status == 200


def test_headers(alice: RegistryClient, visitor: Visitor) -> None:
    """Every page forbids what nobody has written into it, and keeps out of caches."""
    alice.push_image("alice/hello", "1.0")
    for address in (LIST, HELLO, f"{HELLO}/-/image/1.0", f"{HELLO}/-/image/2.0"):
        headers = visitor.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "private" in headers["Cache-Control"]


# What a page costs


def test_statements(app: Flask, alice: RegistryClient, visitor: Visitor) -> None:
    """No page sends more statements for many images than for few."""

    def count() -> dict[str, int]:
        counts = {}
        for address in (LIST, HELLO, f"{HELLO}?show=untagged", f"{HELLO}/-/image/v0"):
            with statements(app) as sent:
                assert visitor.status(address) == 200
            counts[address] = len(sent)
        return counts

    for name in ("alice/hello", "alice/other"):
        for number in range(2):
            alice.push_image(name, f"v{number}", layer=b"%d" % number)
    alice.push_image("alice/hello", layer=b"untagged")
    few = count()
    for number in range(30):
        alice.push_image(f"alice/more{number}", "v1")
        alice.push_image("alice/hello", layer=b"untagged %d" % number)
        alice.push_image("alice/hello", f"w{number}", layer=b"%d" % number)
    assert count() == few
    assert max(few.values()) <= MOST_STATEMENTS


# The host's own clothes


def test_the_host_s_own_base(make_app: t.Any, tmp_path: t.Any) -> None:
    """A host names its own base template, and the pages are in its blocks."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "mine.html").write_text(
        "<title>{% block title %}{% endblock %} at home</title>"
        "<main id=mine>{% block content %}{% endblock %}</main>"
    )
    app = make_app(OCI_WEB_BASE_TEMPLATE="mine.html")
    app.jinja_loader.searchpath.append(str(folder))
    page = Visitor(app, "alice").get(LIST)
    assert page.text.startswith("Images at home")
    assert page.all("main") == [{"id": "mine"}]


def test_a_base_with_other_blocks(make_app: t.Any, tmp_path: Path) -> None:
    """The template of the documentation stands between it and the pages."""
    (block,) = (b for b in ALL_BLOCKS if b.kind == "jinja" and b.caption)
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / Path(block.caption or "").name).write_text(block.code)
    (folder / "site.html").write_text(
        "<title>{% block heading %}{% endblock %} at home</title>"
        "<main id=mine>{% block body %}{% endblock %}</main>"
    )
    app = make_app(OCI_WEB_BASE_TEMPLATE=Path(block.caption or "").name)
    app.jinja_loader.searchpath.append(str(folder))
    page = Visitor(app, "alice").get(LIST)
    assert page.text.startswith("Images at home")
    assert "Repositories" in page.links


@pytest.fixture(name="host_s_own")
def _host_s_own(make_app: t.Any, tmp_path: Path) -> t.Callable[[str, str], Visitor]:
    """Return a function that puts a template into the folder of a host with an image,
    and returns somebody who looks at it."""

    def replace(name: str, text: str) -> Visitor:
        folder = tmp_path / "templates"
        (folder / "oci").mkdir(parents=True)
        (folder / "oci" / name).write_text(text)
        app = make_app()
        app.jinja_loader.searchpath.append(str(folder))
        RegistryClient.of(app, "alice").push_image("alice/hello", "1.0")
        return Visitor(app, "alice")

    return replace


@pytest.mark.parametrize(
    ("name", "address", "known", "said"),
    [
        ("repositories", LIST, "rows|length", "1"),
        ("repository", HELLO, "entries[0].reference", "1.0"),
        ("manifest", f"{HELLO}/-/image/1.0", "tag", "1.0"),
        ("settings", f"{HELLO}/-/settings", "repository.name", "alice/hello"),
        ("error", f"{HELLO}/-/image/2.0", "error.code", "404"),
    ],
)
def test_a_page_of_the_host_s_own(
    host_s_own: t.Any, name: str, address: str, known: str, said: str
) -> None:
    """A template in the host's folder is taken in the place of the one of that name,
    and knows what that one does; the other pages stay as they are."""
    visitor = host_s_own(
        f"{name}.html",
        '{% extends "oci/layout.html" %}{% block oci_title %}Mine{% endblock %}'
        "{% block oci_main %}<h1>Mine, {{ oci_visitor.username }}, with"
        f" {{{{ {known} }}}}</h1>{{% endblock %}}",
    )
    page = visitor.get(address)
    assert page.text.endswith(f"Mine, alice, with {said}")
    assert (page.status == 404) == (name == "error")
    assert "Mine" not in visitor.get("/images/-/tokens").text


def test_the_page_that_is_in_the_documentation(host_s_own: t.Any) -> None:
    """Whoever copies the example has a list of repositories."""
    (block,) = (b for b in ALL_BLOCKS if b.kind == "jinja" and not b.caption)
    visitor = host_s_own("repositories.html", block.code)
    page = visitor.get(LIST)
    assert page.text.startswith("Our images")
    assert "alice/hello, 44 B" in page.text
    assert page.links["alice/hello"] == HELLO


def test_a_part_of_every_page_of_the_host_s_own(host_s_own: t.Any) -> None:
    """What several pages include can be replaced as well."""
    visitor = host_s_own("_navigation.html", "<p>My way around</p>")
    for address in (LIST, "/images/-/tokens", "/images/nothing"):
        page = visitor.get(address)
        assert "My way around" in page.text
        assert "Storage" not in page.links


def test_the_host_s_own_policy(make_app: t.Any) -> None:
    """A host with scripts of its own says so, and its own header is left alone."""
    app = make_app(OCI_WEB_CSP="default-src https:")
    header = "Content-Security-Policy"
    assert Visitor(app).get(LIST).headers[header] == "default-src https:"
    assert header not in Visitor(make_app(OCI_WEB_CSP=None)).get(LIST).headers


def test_a_visitor_of_the_host_s_own(make_app: t.Any, monkeypatch: t.Any) -> None:
    """A host without Flask-Login says who looks at a page."""
    app = make_app()
    RegistryClient.of(app, "alice").push_image("alice/hello", "1.0")
    with app.app_context():
        alice = app.extensions["oci"].catalog.users.by_name("alice")
    monkeypatch.setattr(app.extensions["oci"].hooks, "current_user_loader", lambda: alice)
    assert Visitor(app).status(HELLO) == 200


def test_a_visitor_whose_name_no_image_has(app: Flask) -> None:
    """Whoever is called by an address is told of images that there can be."""
    with app.app_context():
        db.session.add(
            User(username="eve@example.org", password="apple", is_active=True)
        )
        db.session.commit()
    eve = Visitor(app, "eve@example.org")
    empty = eve.get(LIST)
    assert "docker login localhost -u eve@example.org" in empty.text
    assert "docker push localhost/project/hello" in empty.text
    (field,) = (
        f
        for f in eve.get("/images/-/tokens").all("input")
        if f.get("id") == "repositories"
    )
    assert field["value"] == "*"


def test_a_list_of_which_much_is_hidden(
    alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on to its end, though a page has asked about as many as it may."""
    monkeypatch.setattr(web_repositories, "UNFILTERED_BATCH_SIZE", 2)
    monkeypatch.setattr(web_repositories, "MAX_BATCHES", 2)
    for number in range(9):
        alice.push_image(f"alice/n{number}", "v1")
    set_policy(lambda user, action, info: info.name[-1] in "18")
    visitor, found, pages = Visitor(alice.app, "alice"), [], 0
    page = visitor.get(LIST, sort="name")
    while True:
        pages += 1
        found += [name for name in page.links if name.startswith("alice/")]
        if "Next page" not in page.links:
            break
        page = visitor.get(page.links["Next page"])
    assert (found, pages) == (["alice/n1", "alice/n8"], 3)
