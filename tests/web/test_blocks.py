"""Blocks on the page of an image."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_oci.testing import make_image
from flask_oci.testing import make_index
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor

PAGE = "/images/alice/app"
REASON = "Has <b>malware</b>"


def test_manager_blocks_an_image_and_removes_the_block(
    app: Flask, alice: RegistryClient
) -> None:
    child = make_image()
    image = make_index(child)
    alice.push("alice/app", "v1", image)
    alice.push("alice/app", "v2", make_image())
    visitor = Visitor(app, "alice")
    assert "blocked" not in visitor.get(PAGE).text
    assert "Block this image" in visitor.get(f"{PAGE}/-/image/v1").text
    done = visitor.send(f"{PAGE}/-/block", digest=image.digest, reason=f" {REASON}\n!")
    page = visitor.get(str(done.location))
    assert "Blocked: no client can pull or push this image." in page.text
    assert f"{REASON} !" in page.text
    assert "<b>malware" not in page.html
    assert alice.get("/v2/alice/app/manifests/v1").status_code == 403
    assert visitor.get(PAGE).text.count(" blocked ") == 1
    part = visitor.get(f"{PAGE}/-/image/{child.digest}")
    assert "It is blocked as a part of" in part.text
    visitor.send(f"{PAGE}/-/unblock", digest=image.digest)
    assert "Blocked" not in visitor.get(f"{PAGE}/-/image/v1").text
    alice.pull("alice/app", "v1")


def test_blocked_newest_tag_is_named_and_the_next_one_is_offered(
    app: Flask, alice: RegistryClient
) -> None:
    """The page offers no command that fails, also if all tags are blocked."""
    older = alice.push("alice/app", "v1", make_image())
    newest = alice.push("alice/app", "v2", make_image())
    visitor = Visitor(app, "alice")
    assert f"docker pull localhost{PAGE[7:]}:v2" in visitor.get(PAGE).text
    for image, offered in ((newest, ":v1"), (older, "")):
        visitor.send(f"{PAGE}/-/block", digest=image.digest, reason=REASON)
        page = visitor.get(PAGE).text
        assert "The newest tag, v2, is blocked and cannot be pulled." in page
        assert f"{PAGE[7:]}:v2" not in page
        assert (f"docker pull localhost{PAGE[7:]}{offered}" in page) == bool(offered)


def test_block_of_a_path_is_shown_and_stays(app: Flask, alice: RegistryClient) -> None:
    image = alice.push("alice/app", "v1")
    with app.app_context():
        registry.blocks.add(image.digest, path="alice/*", reason=REASON)
    visitor = Visitor(app, "alice")
    visitor.send(f"{PAGE}/-/unblock", digest=image.digest)
    page = visitor.get(f"{PAGE}/-/image/v1")
    assert "Blocked in alice/*" in page.text
    assert " blocked " in visitor.get(PAGE).text
    assert alice.get("/v2/alice/app/manifests/v1").status_code == 403


@pytest.mark.parametrize("username", [None, "bob"])
def test_others_cannot_block(
    app: Flask, alice: RegistryClient, username: str | None
) -> None:
    image = alice.push("alice/app", "v1")
    for visibility, status in (("private", 404), ("public", 403)):
        with app.app_context():
            registry.repositories.set_visibility("alice/app", visibility)
        visitor = Visitor(app, username)
        page = visitor.send(f"{PAGE}/-/block", digest=image.digest, reason="x")
        assert page.status in (status, 302)
        if visibility == "public":
            assert "Block this image" not in visitor.get(f"{PAGE}/-/image/v1").text
    assert alice.pull("alice/app", "v1").digest == image.digest


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_useless_reason_blocks_nothing(
    app: Flask, alice: RegistryClient, reason: str
) -> None:
    image = alice.push("alice/app", "v1")
    visitor = Visitor(app, "alice")
    done = visitor.send(f"{PAGE}/-/block", digest=image.digest, reason=reason)
    assert "needs a reason" in visitor.get(str(done.location)).text
    alice.pull("alice/app", "v1")
    assert visitor.send(f"{PAGE}/-/block", digest="x", reason="x").status == 400
