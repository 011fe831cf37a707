"""The pages of image policies and trusted signers."""

from __future__ import annotations

from flask import Flask

from flask_oci.testing import make_image
from tests.support import signing
from tests.support.registry_client import RegistryClient
from tests.support.signing import Key
from tests.support.visitor import Visitor

REPOSITORY = "/images/alice/app"
PAGE = f"{REPOSITORY}/-/settings/policy"
SIGNERS = f"{REPOSITORY}/-/settings/signers"
PATH = "/images/alice/-/rules"


def test_owner_sets_policy_and_signer_of_a_repository(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    image, key = alice.push("alice/app", "v1", make_image()), Key()
    alice.push("alice/app", None, signing.bundle(key, image.digest, image))
    visitor = Visitor(app, "alice")
    assert "Show the policy" in visitor.get(f"{REPOSITORY}/-/settings").text
    rules = "require signature by release\n"
    done = visitor.send(PAGE, rules=rules)
    page = visitor.get(str(done.location))
    assert "v1 refused" in page.text
    assert "alice/app trusts no signer release" in page.text
    image_page = visitor.get(f"{REPOSITORY}/-/image/v1")
    assert "cannot be pulled" in image_page.text
    visitor.send(SIGNERS, signer="release", value=key.pem, issuer="")
    page = visitor.get(PAGE)
    assert "v1 allowed" in page.text
    assert "signed by release" in page.text
    alice.pull("alice/app", "v1")
    assert "cannot be pulled" not in visitor.get(f"{REPOSITORY}/-/image/v1").text
    visitor.send(f"{SIGNERS}/remove", signer="release")
    assert "v1 refused" in visitor.get(PAGE).text
    visitor.send(PAGE, rules="")
    assert "v1 allowed" in visitor.get(PAGE).text


def test_refused_form_is_shown_again(app: Flask, alice: RegistryClient) -> None:
    alice.push("alice/app", "v1", make_image())
    visitor = Visitor(app, "alice")
    for address in (PAGE, f"{PATH}/policy"):
        page = visitor.send(address, rules="require <b>")
        assert page.status == 422
        assert "require <b>" in page.text
        assert "<b>" not in page.html
    page = visitor.send(SIGNERS, signer="release", value="-----BEGIN nonsense")
    assert page.status == 422
    assert "public key in PEM" in page.text


def test_owner_sets_policy_and_signer_of_a_path(
    app: Flask, alice: RegistryClient
) -> None:
    alice.push("alice/app", "v1", make_image())
    visitor, key = Visitor(app, "alice"), Key()
    visitor.send(f"{PATH}/policy", rules="require signature by release")
    visitor.send(f"{PATH}/signers", signer="release", value=key.pem)
    page = visitor.get(f"{PATH}/policy")
    assert "require signature by release" in page.html
    assert "release key" in page.text
    assert "it has no verified signature by release" in visitor.get(PAGE).text
    visitor.send(f"{PATH}/signers/remove", signer="release")
    assert "alice/* trusts no signer release" in visitor.get(PAGE).text
    stranger = Visitor(app, "bob")
    assert stranger.get(f"{PATH}/policy").status == 404
    sent = {"rules": "", "signer": "release", "value": key.pem}
    for form in ("policy", "signers", "signers/remove"):
        assert stranger.send(f"{PATH}/{form}", **sent).status == 404
        assert Visitor(app).send(f"{PATH}/{form}", **sent).status == 403
    assert "require signature by release" in visitor.get(f"{PATH}/policy").html
