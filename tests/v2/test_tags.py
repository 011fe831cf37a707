"""Tags: setting, moving, listing and deleting them."""

from __future__ import annotations

import pytest

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from tests.support.registry_client import RegistryClient

LIST = "/v2/alice/app/tags/list"

#: In the order of their bytes, which is no language's.
TAGS = ["0", "10", "9", "A", "Z", "_x", "a", "a-b", "a.b", "a..b", "aa", "a_b", "b"]
TAGS.sort()


@pytest.fixture(name="tagged")
def _tagged(alice: RegistryClient) -> RegistryClient:
    """A user with an image of many tags, set in no particular order."""
    manifest = alice.push_image("alice/app")
    tags = TAGS[::2] + TAGS[1::2]
    alice.put_manifest("alice/app", digest_of(manifest), manifest, query={"tag": tags})
    return alice


def test_tags_are_listed_in_byte_order(tagged: RegistryClient) -> None:
    """All tags are listed, in the order of their bytes."""
    response = tagged.get(LIST)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.get_json() == {"name": "alice/app", "tags": TAGS}
    assert "Link" not in response.headers


def test_tags_of_untagged_repository_is_empty(alice: RegistryClient) -> None:
    """A repository without tags has an empty list, not none at all."""
    alice.push_image("alice/app")

    assert alice.get(LIST).get_json() == {"name": "alice/app", "tags": []}


def test_tags_of_unknown_repository_returns_404(alice: RegistryClient) -> None:
    """A repository that does not exist has no list of tags."""
    assert refusal(alice.get(LIST)) == (404, "NAME_UNKNOWN")


def test_tags_deleted_keep_the_repository(alice: RegistryClient) -> None:
    """A repository stays when its last tag is deleted."""
    alice.push_image("alice/app", "latest")

    alice.delete("/v2/alice/app/manifests/latest")

    assert alice.tags("alice/app") == []


@pytest.mark.parametrize("n", [1, 2, 3, 12, 13, 14, 1000])
def test_tags_pages_list_all_tags(tagged: RegistryClient, n: int) -> None:
    """Links lead through all tags, n at a time, and end with the last one."""
    pages = list(tagged.pages(f"{LIST}?n={n}", "tags"))

    assert [tag for page in pages for tag in page] == TAGS
    assert [len(page) for page in pages[:-1]] == [n] * (len(pages) - 1)
    assert len(pages) == -(-len(TAGS) // n)


def test_tags_link_is_a_path_on_this_host(tagged: RegistryClient) -> None:
    """The link to the next page is a path on this host with both parameters."""
    response = tagged.get(LIST, query={"n": "2"})

    last = TAGS[1]
    assert response.headers["Link"] == f'<{LIST}?n=2&last={last}>; rel="next"'


@pytest.mark.parametrize("n", ["0", "00", "000000"])
def test_tags_page_of_zero_entries_is_empty(tagged: RegistryClient, n: str) -> None:
    """A page of no entries is empty and leads nowhere."""
    response = tagged.get(LIST, query={"n": n})

    assert response.get_json() == {"name": "alice/app", "tags": []}
    assert "Link" not in response.headers


@pytest.mark.parametrize("last", [*TAGS, "", "~", "B", "a.", "\u00e4", "\0", "a\0"])
@pytest.mark.parametrize("n", [None, "3"])
def test_tags_last_begins_after_that_entry(
    tagged: RegistryClient, last: str, n: str | None
) -> None:
    """A list begins behind the last entry of the one before, which need not
    exist any more."""
    query = {"last": last} if n is None else {"last": last, "n": n}

    response = tagged.get(LIST, query=query)

    behind = [tag for tag in TAGS if tag > last.replace("\0", "")]
    expected = behind if n is None else behind[:3]
    assert response.get_json()["tags"] == expected
    assert ("Link" in response.headers) is (len(expected) < len(behind))


BAD_NUMBERS = [
    "-1",
    "\u0663",
    "1e3",
    "+5",
    " 5 ",
    "5\n",
    "",
    "abc",
    "1.0",
    "0x1",
    "1_0",
    "9" * 5000,
]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("n", BAD_NUMBERS)
@pytest.mark.parametrize(
    "path", [LIST, "/v2/_catalog", f"/v2/alice/app/referrers/{digest_of(LAYER)}"]
)
def test_page_size_malformed_is_refused(
    tagged: RegistryClient, path: str, n: str
) -> None:
    """A number of entries that is not written in digits is refused."""
    response = tagged.get(path, query={"n": n})

    assert refusal(response) == (400, "UNSUPPORTED")


@pytest.mark.options(oci_max_page_size=5)
@pytest.mark.parametrize("query", ["", "?n=6", "?n=1000000000000000000"])
def test_tags_page_size_is_limited(tagged: RegistryClient, query: str) -> None:
    """A page size above the maximum returns a full page and a link to the next one."""
    pages = list(tagged.pages(LIST + query, "tags"))

    assert [len(page) for page in pages] == [5, 5, 3]
    assert [tag for page in pages for tag in page] == TAGS


def test_tags_pages_end_while_tags_are_pushed(tagged: RegistryClient) -> None:
    """Links come to an end and miss nothing while tags are pushed in between."""
    manifest = image(LAYER)
    seen: list[str] = []

    for number, page in enumerate(tagged.pages(f"{LIST}?n=2", "tags")):
        seen += page
        tagged.put_manifest("alice/app", f"{page[-1]}{number}", manifest)
        tagged.put_manifest("alice/app", f"0{number}", manifest)
        if number > 100:
            break

    assert len(seen) == len(set(seen))
    assert set(TAGS) <= set(seen)
    assert seen == sorted(seen)


def test_tag_moved_keeps_the_old_manifest(alice: RegistryClient) -> None:
    """A tag that moves leaves its old manifest where its digest finds it."""
    old = alice.push_image("alice/app", "latest")
    new = alice.push_image("alice/app", "latest", layer=b"another layer")

    assert alice.get("/v2/alice/app/manifests/latest").data == new
    assert alice.get(f"/v2/alice/app/manifests/{digest_of(old)}").data == old
    assert alice.tags("alice/app") == ["latest"]


def test_tags_are_case_sensitive(alice: RegistryClient) -> None:
    """Tags that differ in case only are two tags."""
    lower = alice.push_image("alice/app", "latest")
    upper = alice.push_image("alice/app", "LATEST", layer=b"another layer")

    assert alice.get("/v2/alice/app/manifests/latest").data == lower
    assert alice.get("/v2/alice/app/manifests/LATEST").data == upper
    assert alice.head("/v2/alice/app/manifests/Latest").status_code == 404
    assert alice.delete("/v2/alice/app/manifests/LATEST").status_code == 202
    assert alice.tags("alice/app") == ["latest"]


@pytest.mark.parametrize("tag", ["a", "_", "0", "a" * 128, "a..b", "v1.0-rc_1", "A"])
def test_tag_of_every_allowed_form_works(alice: RegistryClient, tag: str) -> None:
    """Every tag that the grammar allows can be pushed, listed, pulled and deleted."""
    manifest = alice.push_image("alice/app", tag)

    assert alice.tags("alice/app") == [tag]
    assert alice.get(f"/v2/alice/app/manifests/{tag}").data == manifest
    assert alice.delete(f"/v2/alice/app/manifests/{tag}").status_code == 202


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_push_by_digest_sets_all_tags_once(
    alice: RegistryClient, algorithm: str
) -> None:
    """A push by digest sets all the tags it names, once each, and says which."""
    manifest = alice.push_image("alice/app")
    tags = [f"v{number}" for number in range(12)]

    response = alice.put_manifest(
        "alice/app",
        digest_of(manifest, algorithm),
        manifest,
        query={"tag": [*tags, "v0"]},
    )

    assert response.status_code == 201
    assert response.headers.getlist("OCI-Tag") == tags
    assert alice.tags("alice/app") == sorted(tags)
    for tag in tags:
        pulled = alice.get(f"/v2/alice/app/manifests/{tag}")
        assert pulled.data == manifest
        digest = digest_of(manifest, algorithm)
        assert pulled.headers["Docker-Content-Digest"] == digest


def test_push_too_many_tags_returns_414(alice: RegistryClient) -> None:
    """A push of more tags than one may set is a 414 and sets none."""
    manifest = alice.push_image("alice/app")

    response = alice.put_manifest(
        "alice/app",
        digest_of(manifest),
        manifest,
        query={"tag": [f"v{number}" for number in range(101)]},
    )

    assert refusal(response) == (414, "MANIFEST_INVALID")
    assert alice.tags("alice/app") == []


def test_push_refused_moves_no_tag(alice: RegistryClient) -> None:
    """A manifest that is refused leaves the tag where it was."""
    manifest = alice.push_image("alice/app", "latest")

    response = alice.put_manifest("alice/app", "latest", image(b"missing"))

    assert response.status_code == 400
    assert alice.get("/v2/alice/app/manifests/latest").data == manifest
