"""The pages, as a person reads them."""

from __future__ import annotations

import itertools
import json
import re
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from flask_oci.http import readable
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.web.paging import PAGE
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
from tests.support.rest_client import RestClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import Page
from tests.support.visitor import statements
from tests.support.visitor import Visitor

LIST = "/images/"
HELLO = "/images/alice/hello"

#: Hostile text, for configs, labels and other pushed content.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7777*7777}}\u202e"

#: The maximum number of statements of a page.
MOST_STATEMENTS = 20


@pytest.fixture(name="visitor")
def _visitor(app: Flask) -> Visitor:
    """Alice, signed in."""
    return Visitor(app, "alice")


@pytest.fixture(name="stranger")
def _stranger(app: Flask) -> Visitor:
    """An anonymous visitor."""
    return Visitor(app)


def config(**fields: object) -> bytes:
    """Return the config of an image."""
    return encoded({"architecture": "amd64", "os": "linux", **fields})


# The list of repositories


def test_empty_list_shows_commands_to_push(visitor: Visitor) -> None:
    """A visitor without images sees the commands that push one."""
    page = visitor.get(LIST)
    assert "docker login localhost -u alice" in page.text
    assert "docker push localhost/alice/hello" in page.text


def test_list_shows_only_repositories_the_visitor_may_pull(
    alice: RegistryClient, visitor: Visitor, stranger: Visitor, admin: Administrator
) -> None:
    """A repository is listed for users who may pull from it, and hidden from others."""
    alice.push_image("alice/hello", "1.0")
    alice.push_image("alice/secret", "1.0")
    admin.publish("alice/hello")
    assert {"alice/hello", "alice/secret"} <= set(visitor.get(LIST).links)
    page = stranger.get(LIST)
    assert "alice/hello" in page.links
    assert "secret" not in page.html


def test_list_shows_tags_size_and_visibility(
    alice: RegistryClient, visitor: Visitor
) -> None:
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
def test_list_pages_list_every_repository_once(
    make_app: t.Any, sort: str, host_policy: bool
) -> None:
    """Each repository is on one page, in order, with every policy."""

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


def test_list_search_matches_parts_of_names(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A search finds the names that contain the text, and says if there are none."""
    alice.push_image("alice/hello", "1")
    alice.push_image("alice/tools/hammer", "1")
    assert "alice/hello" not in visitor.get(LIST, q="HAMM").links
    assert "alice/tools/hammer" in visitor.get(LIST, q="HAMM").links
    assert "100%" in visitor.get(LIST, q="100%").text
    assert visitor.get(LIST, q="a\0b").status == 200


def test_list_shows_owner_unless_name_does(
    app: Flask, alice: RegistryClient, admin: Administrator
) -> None:
    """The owner is shown if the name of the repository does not show it."""
    for name in ("alice/hers", "alice/given", "alice/left"):
        alice.push_image(name, "1")
        admin.publish(name)
    with app.app_context():
        registry.repositories.transfer("alice/given", user_named("bob"))
        registry.repositories.transfer("alice/left", user_named("carol"))
    admin.delete_user("carol")
    page = Visitor(app).get(LIST, sort="name")
    assert "alice/given owned by bob linux/amd64 1 tag" in page.text
    assert "alice/hers linux/amd64 1 tag" in page.text
    assert "alice/left no owner linux/amd64 1 tag" in page.text


def test_list_links_keep_query_parameters(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Query parameters are kept in the links to the same list, and only as query
    parameters."""
    alice.push_image("alice/hello", "1")
    for odd in ("endpoint", "_method", "_external", "_anchor", "_scheme"):
        page = visitor.get(f"{LIST}?q=hello&{odd}=POST")
        assert page.status == 200
        assert page.links["Show all repositories"] == f"{LIST}?{odd}=POST"


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01", "x"]
)
def test_list_with_invalid_time_begins_at_start(
    alice: RegistryClient, visitor: Visitor, at: str
) -> None:
    """An invalid time is ignored, and the list begins at its start."""
    alice.push_image("alice/hello", "1")
    for address in (LIST, HELLO):
        page = visitor.get(address, after="zzz", at=at)
        assert (page.status, "Nothing" in page.text) == (200, False)


def test_list_under_a_name_shows_nested_repositories(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A page of the application can link to the repositories below one name."""
    for name in ("alice/tools", "alice/tools/hammer", "alice/toolshed"):
        alice.push_image(name, "1")
    links = visitor.get(LIST, under="alice/tools").links
    assert {"alice/tools", "alice/tools/hammer"} <= set(links)
    assert "alice/toolshed" not in links


# A repository


def test_repository_shows_command_for_newest_tag(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page of a repository has the command that pulls its newest tag."""
    # MariaDB stores times in whole seconds.
    with time_machine.travel(datetime.now(timezone.utc) - timedelta(minutes=1)):
        alice.push_image("alice/hello", "1.0")
    alice.push_image("alice/hello", "2.0")
    text = visitor.get(HELLO).text
    assert "docker pull localhost/alice/hello:2.0" in text
    assert "podman pull localhost/alice/hello:2.0" in text


def test_commands_do_not_follow_sort_search_and_page(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Each list of the page has the commands of the newest tag, and the description of
    its image."""
    start = datetime.now(timezone.utc) - timedelta(hours=1)
    described = {"org.opencontainers.image.description": "The newest image."}
    with time_machine.travel(start, tick=False) as clock:
        for number in range(PAGE + 1):
            clock.shift(60)
            alice.push_image("alice/hello", f"a{number:02}", layer=b"%d" % number)
        alice.push_image("alice/hello", f"sha256-{'a' * 64}.sig")
        clock.shift(60)
        alice.push_blob("alice/hello", LAYER)
        newest = image(LAYER, annotations=described)
        alice.push_manifest("alice/hello", newest, "m")
        clock.shift(60)
        alice.push_manifest("alice/hello", image(LAYER, annotations={"is": "untagged"}))
    pages = [
        visitor.get(f"{HELLO}?{query}")
        for query in (
            "",
            "sort=name",
            "q=a0",
            "q=none",
            "show=untagged",
            "show=attached",
        )
    ]
    pages += [visitor.get(pages[n].links["Next page"]) for n in (0, 1)]
    for page in pages:
        assert "docker pull localhost/alice/hello:m" in page.text, page.path
        assert page.text.count("docker pull") == 2
        assert "The newest image." in page.text


def test_tag_search_finds_tags_of_other_pages(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The search covers all pages, ignores case, and keeps the order."""
    for number in range(PAGE + 1):
        alice.push_image("alice/hello", f"v{number:02}")
    alice.push_image("alice/hello", "zEbra")
    page = visitor.get(HELLO, sort="name")
    assert "zEbra" not in page.links
    assert page.field("sort") == "name"
    assert "zEbra" in visitor.get(HELLO, sort="name", q="Zebra").links


def test_repository_with_untagged_images_only_shows_command_by_digest(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The command pulls the newest one."""
    manifest = alice.push_image("alice/hello")
    assert f"docker pull localhost/alice/hello@{digest_of(manifest)}" in (
        visitor.get(HELLO).text
    )


@pytest.mark.options(oci_external_url="https://images.example.org:8443/forge")
def test_commands_use_the_external_url(alice: RegistryClient, visitor: Visitor) -> None:
    """Commands contain the configured address, not the host of the request."""
    alice.push_image("alice/hello", "1.0")
    assert "images.example.org:8443/alice/hello:1.0" in visitor.get(HELLO).text


def test_tag_shows_digest_size_platform_and_user(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A tag is listed with its digest, size, platform and the user who pushed it."""
    manifest = alice.push_image("alice/hello", "1.0", layer=b"x" * 123_000)
    page = visitor.get(HELLO)
    assert digest_of(manifest) in page.html
    assert digest_of(manifest)[7:19] in page.text
    assert "123 kB" in page.text
    assert "linux/amd64" in page.text
    assert "by alice" in page.text


def push_index(alice: RegistryClient, tag: str, *architectures: str) -> bytes:
    """Push an image for several platforms, with an attestation as BuildKit adds it."""
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


def test_index_shows_platforms_and_total_size(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """An index lists its platforms without attestations, and the size of all its
    content."""
    push_index(alice, "1.0", "amd64", "arm64")
    page = visitor.get(HELLO)
    assert "linux/amd64" in page.text
    assert "linux/arm64" in page.text
    assert "unknown" not in page.text
    assert "attestation attached" in page.text
    # The layer is shared, and counted once.
    (total,) = re.findall(r"([\d.]+) kB in all", page.text)
    assert 4 < float(total) < 8


def test_index_shows_what_one_pull_takes_and_the_total(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """A client pulls one platform. Lists have the range, and attestations do not
    count."""
    children = []
    for architecture, length in (("amd64", 20_000), ("arm64", 70_000)):
        manifest = alice.push_image(
            "alice/hello",
            layer=architecture.encode() * (length // 5),
            config=config(architecture=architecture),
        )
        platform = {"os": "linux", "architecture": architecture}
        children.append(descriptor(manifest, OCI_MANIFEST, platform=platform))
    statement = descriptor(b"{}", "application/vnd.in-toto+json")
    alice.push_blob("alice/hello", b"{}")
    alice.push_blob("alice/hello", CONFIG)
    attestation = image(layers=[statement])
    alice.push_manifest("alice/hello", attestation)
    children.append(descriptor(attestation, OCI_MANIFEST))
    alice.push_manifest("alice/hello", index(*children), "1.0")
    text = visitor.get(HELLO).text
    assert re.search(r"20\.\d kB to 70\.\d kB 90\.\d kB in all", text)
    page = visitor.get(f"{HELLO}/-/image/1.0")
    assert re.search(r"Size of a pull 20\.\d kB for linux/amd64", page.text)
    assert re.search(r"All platforms 90\.\d kB", page.text)
    assert "Platforms linux/amd64, linux/arm64" in page.text
    assert "Platform linux" not in page.text
    other = visitor.get(f"{HELLO}/-/image/1.0", platform=children[1]["digest"])
    assert re.search(r"Size of a pull 70\.\d kB for linux/arm64", other.text)
    one = visitor.get(f"{HELLO}/-/image/{children[0]['digest']}").text
    assert re.search(r"Size of a pull 20\.\d kB Platform linux/amd64", one)
    assert "All platforms" not in one

    client = RestClient.of(app, "alice")
    whole = client.get("/repositories/alice/hello/-/images/1.0")
    assert [c["bytes"] // 1000 for c in whole["children"]] == [20, 70, 0]
    operator = Upkeep(app)
    (row,) = json.loads(operator.run("tags", "alice/hello", "--json").stdout)
    shown = json.loads(operator.run("show", "alice/hello:1.0", "--json").stdout)
    tag = client.get("/repositories/alice/hello/-/tags/1.0")
    for found in (tag, whole, row, shown):
        sizes = [found[k] // 1000 for k in ("smallest_pull", "largest_pull", "bytes")]
        assert sizes == [20, 70, 90]
    printed = operator.run("show", "alice/hello:1.0").stdout
    assert re.search(
        r"One pull: +20\.\d kB to 70\.\d kB\nAll content: +90\.\d kB", printed
    )


def test_untagged_manifests_are_listed_separately(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Manifests without a tag, an index or a subject have their own list."""
    old = alice.push_image("alice/hello", "1.0", layer=b"old")
    push_index(alice, "1.0", "amd64")
    text = visitor.get(HELLO, show="untagged").text
    assert digest_of(old)[7:19] in text
    assert text.count("linux/amd64") == 1
    assert digest_of(old)[7:19] not in visitor.get(HELLO).text


def test_cosign_tags_are_attached_to_their_image(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A tag of cosign is not listed as a version. The lists and the page of the image
    have the same attached artifacts, and do not call them verified."""
    manifest = alice.push_image("alice/hello", "1.0")
    simple = "application/vnd.dev.cosign.simplesigning.v1+json"
    alice.push_blob("alice/hello", b"{}")
    signature = image(descriptor(b"{}", simple))
    name = digest_of(manifest).replace(":", "-")
    for suffix in ("sig", "att", "sbom"):
        alice.push_manifest("alice/hello", signature, f"{name}.{suffix}")
    page = visitor.get(HELLO)
    assert name not in page.html
    badges = ("Attestation attached", "SBOM attached", "signature attached")
    for badge in badges:
        assert badge.lower() in page.text.lower()
    assert "signed" not in page.text
    assert "oci-good" not in page.html
    assert f"{name}.sig" in visitor.get(HELLO, show="attached").links
    assert "Signature" in visitor.get(HELLO, show="attached").text
    links = visitor.get(f"{HELLO}/-/image/1.0").links
    assert links["Signature"].endswith(f"/image/{name}.sig")
    assert {"Attestation", "SBOM"} <= links.keys()


def test_tags_are_each_in_one_list(alice: RegistryClient, visitor: Visitor) -> None:
    """Each tag is either in the list of tags or in the list of attached artifacts."""
    manifest = alice.push_image("alice/hello")
    push = {"tag": [*ATTACHED, *LOOKS_ATTACHED]}
    alice.put_manifest("alice/hello", digest_of(manifest), manifest, query=push)
    for sort in ("", "name"):
        links = visitor.get(HELLO, sort=sort).links
        assert {*push["tag"]} & {*links} == {*LOOKS_ATTACHED}
        links = visitor.get(HELLO, sort=sort, show="attached").links
        assert {*push["tag"]} & {*links} == {*ATTACHED}


def test_tag_pages_list_every_tag_once(alice: RegistryClient, visitor: Visitor) -> None:
    """Each tag is on one page, by name or newest first."""
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


def test_image_shows_config_and_commands_of_layers(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page of an image has its config, and the command that created each layer."""
    written = config(
        created="0001-01-01T00:00:00Z",
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
    assert "0001-01-01" not in page.text
    widths = [
        rect["width"]
        for rect in page.all("rect")
        if rect["height"] == "6" and "class" not in rect
    ]
    assert widths == ["100.0", "50.0"]


def test_raw_manifest_has_original_bytes(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page of a manifest links to its original bytes."""
    manifest = alice.push_image("alice/hello", "1.0")
    address = visitor.get(f"{HELLO}/-/image/1.0").links["Show the original bytes"]
    response = visitor.client.get(address)
    assert response.data == manifest
    assert response.mimetype == "text/plain"
    assert "sandbox" in response.headers["Content-Security-Policy"]


def test_long_manifest_is_truncated_visibly(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A truncated manifest says so."""
    alice.push_blob("alice/hello", CONFIG)
    for count, is_cut in ((10, False), (7000, True)):
        annotations = {str(key): "" for key in range(count)}
        fields = json.loads(image(annotations=annotations))
        manifest = json.dumps(fields, separators=(",", ":")).encode()
        assert len(manifest) < 100_000
        alice.push_manifest("alice/hello", manifest, "1.0")
        page = visitor.get(f"{HELLO}/-/image/1.0")
        assert ("…</code></pre>" in page.html) is is_cut


def test_index_shows_one_platform_and_links_others(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page of an index shows one platform, with links to the others."""
    pushed = json.loads(push_index(alice, "1.0", "amd64", "arm64"))["manifests"]
    page = visitor.get(f"{HELLO}/-/image/1.0")
    assert page.links["Attestation"].endswith(pushed[2]["digest"])
    arm64 = visitor.get(f"{HELLO}/-/image/1.0", platform=pushed[1]["digest"])
    assert "kB for linux/arm64" in arm64.text
    child = visitor.get(f"{HELLO}/-/image/{pushed[0]['digest']}")
    assert "Belongs to 1.0" in child.text


def test_image_lists_its_referrers(alice: RegistryClient, visitor: Visitor) -> None:
    """Signatures, SBOMs and attestations are listed on the page of their subject."""
    manifest = alice.push_image("alice/hello", "1.0")
    alice.push_blob("alice/hello", b"{}")
    for kind in (
        "application/vnd.dev.cosign.artifact.sig.v1+json",
        "application/spdx+json",
        "application/vnd.in-toto+json",
        "application/sarif+json",
        "application/vnd.example.report",
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
    for badge in ("signature", "SBOM", "attestation", "scan report", "artifact"):
        assert listed.count(f"{badge} attached") == 1


@pytest.mark.parametrize(
    ("kind", "label", "command"),
    [
        ("application/vnd.cncf.helm.config.v1+json", "Helm chart", "helm pull oci://"),
        ("application/vnd.wasm.config.v0+json", "WebAssembly", "oras pull "),
        ("application/vnd.buildkit.cacheconfig.v0", "Build cache", "--cache-from"),
        ("application/vnd.example.thing.v1+json", "Artifact", "oras pull "),
    ],
)
def test_artifact_shows_type_files_and_command(
    alice: RegistryClient, visitor: Visitor, kind: str, label: str, command: str
) -> None:
    """An artifact is shown with its type, its files and its own command."""
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


# Permissions


ADDRESSES = (HELLO, f"{HELLO}/-/image/1.0", f"{HELLO}/-/raw/{{digest}}")


@pytest.mark.parametrize("address", ADDRESSES)
def test_hidden_repository_is_like_a_missing_one(
    alice: RegistryClient, app: Flask, address: str
) -> None:
    """The pages of a hidden repository are equal to those of a missing one."""
    manifest = alice.push_image("alice/hello", "1.0")
    address = address.format(digest=digest_of(manifest))
    for visitor in (Visitor(app), Visitor(app, "bob"), Visitor(app, "carol")):
        hidden = visitor.get(address)
        missing = visitor.get(address.replace("hello", "nobdy"))
        assert hidden.status == missing.status == 404
        assert hidden.html == missing.html.replace("nobdy", "hello")
    assert Visitor(app, "alice").status(address) == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_public_repository_is_visible_to_everyone(
    alice: RegistryClient, admin: Administrator, app: Flask, address: str
) -> None:
    """Everyone sees the pages of a public repository, until it is private again."""
    manifest = alice.push_image("alice/hello", "1.0")
    address = address.format(digest=digest_of(manifest))
    admin.publish("alice/hello")
    assert Visitor(app).status(address) == 200
    admin.publish("alice/hello", "private")
    assert Visitor(app).status(address) == 404


@pytest.mark.options(oci_allow_sparse=True)
def test_config_of_other_repository_is_not_shown(
    alice: RegistryClient, bob: RegistryClient, app: Flask
) -> None:
    """A manifest that names a blob of another repository does not show it."""
    secret = config(author="the secret author")
    alice.push_image("alice/hello", "1.0", config=secret)
    bob.push_manifest("bob/thief", image(config=secret), "1.0")
    thief = Visitor(app, "bob")
    assert "the secret author" not in thief.get("/images/bob/thief/-/image/1.0").html
    owner = Visitor(app, "alice")
    assert "the secret author" in owner.get(f"{HELLO}/-/image/1.0").html


def test_old_name_redirects_to_new_name(
    alice: RegistryClient, app: Flask, visitor: Visitor
) -> None:
    """A previous name redirects visitors who may see the repository."""
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
def test_unknown_reference_is_a_404_page(
    alice: RegistryClient, visitor: Visitor, address: str
) -> None:
    """An unknown or invalid tag, digest or name gets a page with 404."""
    alice.push_image("alice/hello", "1.0")
    page = visitor.get(address)
    assert page.status == 404
    assert "Not found" in page.text


# Hostile content


def hostile_pages(alice: RegistryClient, visitor: Visitor) -> t.Iterator[Page]:
    """Push hostile text to every place that clients can write to."""
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


def test_pushed_content_is_escaped(alice: RegistryClient, visitor: Visitor) -> None:
    """Hostile content is escaped everywhere, and media types are not trusted."""
    for page in hostile_pages(alice, visitor):
        assert page.status == 200
        assert "<script>alert" not in page.html
        assert str(7777 * 7777) not in page.text
        assert not [a for _, a in page.elements if "onerror" in a or "style" in a]
        assert len(page.all("script")) == 1
        assert page.all("script")[0]["src"].startswith("/images/-/static/")


def test_invalid_config_is_left_out(alice: RegistryClient, visitor: Visitor) -> None:
    """A config that is invalid or too large makes a page without its properties."""
    deep = b"[" * 100_000
    for number, written in enumerate((b"", b"\xff", b"[]", deep, b" " * 3_000_000)):
        alice.push_image("alice/hello", f"v{number}", config=written)
        assert visitor.get(f"{HELLO}/-/image/v{number}").status == 200
    assert visitor.get(HELLO).status == 200


def test_pages_have_security_headers(alice: RegistryClient, visitor: Visitor) -> None:
    """Every page restricts content with a CSP and forbids caching."""
    alice.push_image("alice/hello", "1.0")
    for address in (LIST, HELLO, f"{HELLO}/-/image/1.0", f"{HELLO}/-/image/2.0"):
        headers = visitor.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "private" in headers["Cache-Control"]


# Statements


def test_pages_have_constant_statements(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
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


# Templates of the application


def test_base_template_of_application_is_used(make_app: t.Any, tmp_path: t.Any) -> None:
    """The pages are in the blocks of the configured base template."""
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


def test_base_template_with_other_blocks_needs_layout(
    make_app: t.Any, tmp_path: Path
) -> None:
    """The documented layout maps the blocks of another base template."""
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
    """Return a function that adds a template to an application with an image, and
    returns a visitor."""

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
def test_template_of_application_overrides_page(
    host_s_own: t.Any, name: str, address: str, known: str, said: str
) -> None:
    """A template in the application's folder overrides the page of the same name, with
    the same variables; other pages stay."""
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


def test_documented_template_lists_repositories(host_s_own: t.Any) -> None:
    """The template of the documentation shows a list of repositories."""
    (block,) = (b for b in ALL_BLOCKS if b.kind == "jinja" and not b.caption)
    visitor = host_s_own("repositories.html", block.code)
    page = visitor.get(LIST)
    assert page.text.startswith("Our images")
    assert "alice/hello, 44 B" in page.text
    assert page.links["alice/hello"] == HELLO


def test_template_of_application_overrides_partial(host_s_own: t.Any) -> None:
    """A template that several pages include can be overridden as well."""
    visitor = host_s_own("_navigation.html", "<p>My way around</p>")
    for address in (LIST, "/images/-/tokens", "/images/nothing"):
        page = visitor.get(address)
        assert "My way around" in page.text
        assert "Storage" not in page.links


def test_csp_of_application_is_kept(make_app: t.Any) -> None:
    """The configured CSP is used, and a CSP header of the application is kept."""
    app = make_app(OCI_WEB_CSP="default-src https:")
    header = "Content-Security-Policy"
    assert Visitor(app).get(LIST).headers[header] == "default-src https:"
    assert header not in Visitor(make_app(OCI_WEB_CSP=None)).get(LIST).headers


def test_visitor_comes_from_current_user_loader(
    make_app: t.Any, monkeypatch: t.Any
) -> None:
    """An application without Flask-Login loads the visitor itself."""
    app = make_app()
    RegistryClient.of(app, "alice").push_image("alice/hello", "1.0")
    with app.app_context():
        alice = app.extensions["oci"].catalog.users.by_name("alice")
    monkeypatch.setattr(
        app.extensions["oci"].hooks, "current_user_loader", lambda: alice
    )
    assert Visitor(app).status(HELLO) == 200


def test_user_with_email_name_sees_valid_image_names(app: Flask) -> None:
    """A user whose name is an e-mail address sees examples with valid image names."""
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


def test_list_with_many_hidden_repositories_reaches_its_end(
    alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages reach the end of the list, although each page checks a limited number
    of repositories."""
    monkeypatch.setattr(readable, "BATCH_SIZE", 2)
    monkeypatch.setattr(readable, "MAX_BATCHES", 2)
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
