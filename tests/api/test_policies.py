"""Image policies, trusted signers and signatures over REST."""

from __future__ import annotations

from flask import Flask

from flask_oci.testing import make_image
from tests.support import signing
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.signing import Key

NAME = "alice/app"
REPOSITORY = f"/repositories/{NAME}/-"
RULES = ["require signature by release"]


def test_owner_sets_policy_and_signers(app: Flask, alice: RegistryClient) -> None:
    rest, key = RestClient.of(app, "alice"), Key()
    image = alice.push(NAME, "v1", make_image())
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    for scope in (REPOSITORY, "/paths/alice/-"):
        found = rest.send("PUT", f"{scope}/policy", {"rules": RULES})
        assert found.status_code == 200
        assert rest.get(f"{scope}/policy") == {"rules": RULES}
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 403
    (decision,) = rest.get(f"{REPOSITORY}/policy/preview")["items"]
    assert (decision["tag"], decision["result"]) == ("v1", "refused")
    assert len(decision["verdicts"]) == 2
    for scope in (REPOSITORY, "/paths/alice/-"):
        signer = f"{scope}/signers/release"
        found = rest.send("PUT", signer, {"key": key.pem})
        assert found.status_code == 200
        (trusted,) = rest.get(f"{scope}/signers")["items"]
        assert trusted["name"] == "release"
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200
    (signature,) = rest.get(f"{REPOSITORY}/signatures/v1")["items"]
    assert signature["signer"] == "release"
    assert rest.send("DELETE", "/paths/alice/-/signers/release").status_code == 204
    assert rest.send("DELETE", "/paths/alice/-/signers/release").status_code == 404
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 403


def test_invalid_policy_and_signer_are_refused(
    app: Flask, alice: RegistryClient
) -> None:
    rest = RestClient.of(app, "alice")
    alice.push(NAME, "v1", make_image())
    for scope in (REPOSITORY, "/paths/alice/-"):
        rules = {"rules": ["warn only"]}
        assert rest.send("PUT", f"{scope}/policy", rules).status_code == 422
        signer = f"{scope}/signers/x"
        assert rest.send("PUT", signer, {"key": "x"}).status_code == 422
        assert rest.send("PUT", signer, {}).status_code == 422


def test_other_users_cannot_set_policies(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    rest = RestClient.of(app, "bob")
    alice.push(NAME, "v1", make_image())
    for method, address, body in (
        ("GET", "policy", None),
        ("PUT", "policy", {"rules": []}),
        ("GET", "signers", None),
        ("PUT", "signers/x", {"key": Key().pem}),
        ("DELETE", "signers/x", None),
    ):
        for scope, status in ((REPOSITORY, 404), ("/paths/alice/-", 403)):
            arguments: tuple[object, ...] = () if body is None else (body,)
            found = rest.send(method, f"{scope}/{address}", *arguments)
            assert found.status_code == status
