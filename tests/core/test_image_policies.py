"""Image policies: images that may not be pulled without signatures and scans."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from flask_oci import Denied
from flask_oci.clock import utcnow
from flask_oci.services import services
from flask_oci.testing import Image
from flask_oci.testing import make_image
from flask_oci.testing import make_index
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.requests import basic
from tests.support import signing
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import PASSWORDS
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.robots import as_robot
from tests.support.robots import robots_decided_by
from tests.support.signing import Key

NAME = "alice/app"
SIGNED = "require signature by release"


@pytest.fixture
def key(app: Flask) -> Key:
    """The key of a signer that the path trusts."""
    found = Key()
    with app.app_context():
        registry.trusted_signers.add("release", key=found.pem, path="alice/*")
    return found


def require(app: Flask, *rules: str, path: str = "alice/*") -> None:
    """Set the policy of a path."""
    with app.app_context():
        registry.image_policies.set(rules, path=path)


def refusal(client: RegistryClient, reference: str, name: str = NAME) -> str:
    """Return the message with which a pull is refused; empty if it is not."""
    response = client.get(f"/v2/{name}/manifests/{reference}")
    assert client.head(f"/v2/{name}/manifests/{reference}").status_code == (
        response.status_code
    )
    if response.status_code == 200:
        return ""
    assert response.status_code == 403
    (error,) = response.get_json()["errors"]
    assert error["code"] == "DENIED"
    return str(error["message"])


def scan(
    image: Image, *severities: str, at: str | None = None, published: str = ""
) -> Image:
    """Return the results of a scan, as Trivy writes them."""
    found = [
        {"VulnerabilityID": f"CVE-{n}", "Severity": each, "PublishedDate": published}
        for n, each in enumerate(severities)
    ]
    content = signing.encoded(
        {
            "SchemaVersion": 2,
            "ArtifactType": "container_image",
            "CreatedAt": at or utcnow().isoformat(),
            "Results": [{"Vulnerabilities": found}],
        }
    )
    kind = "application/vnd.aquasec.trivy.report+json"
    return signing.artifact(descriptor(content, kind), content, kind, image)


def test_unsigned_image_is_refused_until_it_is_signed(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    image = alice.push(NAME, "v1", make_image())
    require(app, SIGNED)
    for reference in ("v1", image.digest):
        said = refusal(alice, reference)
        assert "does not meet the policy of alice/* (require signature by release)" in (
            said
        )
        assert "it has no verified signature by release" in said
    alice.push(NAME, None, signing.bundle(Key(), image.digest, image))
    assert refusal(alice, "v1")
    signature = alice.push(NAME, None, signing.bundle(key, image.digest, image))
    assert not refusal(alice, "v1")
    # The tag moves to an image without a signature.
    other = alice.push(NAME, "v1", make_image())
    assert refusal(alice, "v1")
    assert refusal(alice, other.digest)
    assert not refusal(alice, image.digest)
    # The signature stays readable, and its deletion ends its effect.
    assert not refusal(alice, signature.digest)
    alice.delete(f"/v2/{NAME}/manifests/{signature.digest}")
    assert refusal(alice, image.digest)


def test_signature_of_an_index_covers_its_images_and_no_others(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    child, other = make_image(), make_image(architecture="arm64")
    index = alice.push(NAME, "v1", make_index(child, other))
    single = alice.push(NAME, "v2", make_image())
    require(app, SIGNED)
    alice.push(NAME, None, signing.bundle(key, index.digest, index))
    for reference in ("v1", index.digest, child.digest, other.digest):
        assert not refusal(alice, reference)
    # The signature of an image says nothing about an index that contains it.
    alice.push(NAME, None, signing.bundle(key, single.digest, single))
    mixed = alice.push(NAME, "mixed", make_index(single, make_image()))
    assert not refusal(alice, single.digest)
    assert refusal(alice, mixed.digest)


def test_image_with_a_subject_is_no_attachment(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    """Attachments are exempt, so an image with a subject must not count as one."""
    image = alice.push(NAME, "v1", make_image())
    require(app, SIGNED)
    disguised = alice.push(NAME, None, make_image(subject=image.descriptor()))
    assert refusal(alice, disguised.digest)
    tag = signing.cosign_tag(image.digest)
    alice.push(NAME, tag, make_image())
    assert refusal(alice, tag)
    sbom = signing.encoded({"spdxVersion": "SPDX-2.3"})
    layer = descriptor(sbom, "application/spdx+json")
    attached = alice.push(NAME, None, signing.artifact(layer, sbom, "a/sbom", image))
    assert not refusal(alice, attached.digest)


def test_policy_of_a_path_means_its_own_signers(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    """The owner of a repository cannot take the name of a signer of the path."""
    image, mine = alice.push(NAME, "v1", make_image()), Key()
    require(app, SIGNED)
    with app.app_context():
        registry.trusted_signers.add("release", key=mine.pem, repository=NAME)
    alice.push(NAME, None, signing.bundle(mine, image.digest, image))
    assert refusal(alice, "v1")
    with app.app_context():
        registry.image_policies.unset(path="alice/*")
        registry.image_policies.set([SIGNED], repository=NAME)
    assert not refusal(alice, "v1")


def test_removed_signer_does_not_count_from_the_next_request(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    image = alice.push(NAME, "v1", make_image())
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    require(app, SIGNED)
    assert not refusal(alice, "v1")
    with app.app_context():
        registry.trusted_signers.remove("release", path="alice/*")
    assert "alice/* trusts no signer release" in refusal(alice, "v1")


def test_signed_name_counts_if_the_policy_demands_it(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    image = alice.push(NAME, "v1", make_image())
    require(app, f"{SIGNED} for this repository")
    tag = signing.cosign_tag(image.digest)
    for name in ("forge.example.org/mallory/app", "alice/app2", ""):
        alice.push(NAME, tag, signing.simple_signing(key, image.digest, name))
        assert "its signature names another repository" in refusal(alice, "v1")
    name = f"forge.example.org:5000/{NAME}"
    alice.push(NAME, tag, signing.simple_signing(key, image.digest, name))
    assert not refusal(alice, "v1")


def test_grace_exemption_and_warning(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    image = alice.push(NAME, "v1", make_image())
    require(app, SIGNED, "allow 1 hour after push", "exempt dev-*")
    assert not refusal(alice, "v1")
    with time_machine.travel(utcnow() + timedelta(hours=2)):
        assert refusal(alice, "v1")
        alice.push(NAME, "dev-1", image)
        assert not refusal(alice, "dev-1")
        assert refusal(alice, "v1")
    require(app, SIGNED, "warn only")
    response = alice.get(f"/v2/{NAME}/manifests/v1")
    assert response.status_code == 200
    assert "no verified signature by release" in response.headers["Warning"]


def test_pushed_tag_needs_a_signed_image_if_the_policy_says_so(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    """The image is pushed by its digest first, and signed."""
    require(app, SIGNED, "allow 1 hour after push", "check pushed tags")
    image = make_image()
    alice.push(NAME, None, image)
    refused = alice.put_manifest(NAME, "v1", image.manifest)
    assert refused.status_code == 403
    assert "no verified signature by release" in refused.text
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 404
    alice.push(NAME, signing.cosign_tag(image.digest), make_image())
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    assert alice.put_manifest(NAME, "v1", image.manifest).status_code == 201


def test_restored_tag_needs_a_signed_image_if_the_policy_says_so(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    """The history of a tag leads back to an image from before the policy."""
    old, new = alice.push(NAME, "v1", make_image()), make_image()
    alice.push(NAME, None, new)
    alice.push(NAME, None, signing.bundle(key, new.digest, new))
    require(app, SIGNED, "check pushed tags")
    assert alice.put_manifest(NAME, "v1", new.manifest).status_code == 201
    rest = RestClient(alice)
    history = f"/repositories/{NAME}/-/history"
    (move,) = (m for m in rest.items(history) if m.get("from_digest") == old.digest)
    refused = rest.send("POST", f"{history}/{move['id']}/undo")
    assert refused.status_code == 403
    assert "no verified signature by release" in refused.text
    assert not refusal(alice, "v1")


def test_scan_counts_only_from_the_named_user(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """A user who pushes an image can attach an empty report."""
    registry.authorize(lambda user, action, repository: True)
    image = alice.push(NAME, "v1", make_image())
    require(app, "require scan by bob at most 30 days old", "refuse high by bob")
    alice.push(NAME, None, scan(image))
    assert "it has no scan by bob" in refusal(alice, "v1")
    old = (utcnow() - timedelta(days=40)).isoformat()
    bob.push(NAME, None, scan(image, at=old))
    assert "scanned 40 days ago by bob" in refusal(alice, "v1")
    bob.push(NAME, None, scan(image, "MEDIUM"))
    assert not refusal(alice, "v1")
    bob.push(NAME, None, scan(image, "CRITICAL", "LOW"))
    assert "1 critical finding, known for 0 days" in refusal(alice, "v1")
    alice.push(NAME, None, scan(image))
    assert refusal(alice, "v1")


def test_many_scans_of_one_user_do_not_hide_those_of_another(
    app: Flask,
    alice: RegistryClient,
    bob: RegistryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user who may push, and not delete, attaches more empty reports than a decision
    considers, to the image and to indexes of it."""
    monkeypatch.setattr("flask_oci.catalog.attachments.MAX_FACTS", 4)
    registry.authorize(lambda user, action, repository: True)
    image = alice.push(NAME, "v1", make_image())
    require(app, "refuse critical")
    alice.push(NAME, None, scan(image, "CRITICAL"))
    for number in range(5):
        annotations = {"n": str(number)}
        index = make_index(image, annotations=annotations)
        bob.push(NAME, None, index)
        bob.push(NAME, None, scan(image))
        bob.push(NAME, None, scan(index))
    assert "1 critical finding" in refusal(bob, "v1")


def test_user_with_the_name_of_a_robot_is_no_scanner(
    app: Flask, alice: RegistryClient, bob: RegistryClient, admin: Administrator
) -> None:
    """A name with a plus sign means a robot, in whose place a user could register."""
    robot = as_robot(app, name="scan", actions=["pull", "push"])
    admin.change_user("bob", username="alice+scan")
    user = RegistryClient(app, basic("alice+scan", PASSWORDS["bob"]))
    registry.authorize(lambda user, action, repository: True)
    with robots_decided_by(lambda robot, action, repository: True):
        image = alice.push(NAME, "v1", make_image())
        require(app, "require scan by alice+scan")
        user.push(NAME, None, scan(image))
        assert "it has no scan by alice+scan" in refusal(alice, "v1")
        assert refusal(user, "v1")
        assert not refusal(robot, "v1")
        robot.push(NAME, None, scan(image))
        assert not refusal(alice, "v1")


def test_finding_is_refused_after_its_time(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    registry.authorize(lambda user, action, repository: True)
    image = alice.push(NAME, "v1", make_image())
    require(app, "refuse critical older than 7 days by alice")
    alice.push(NAME, None, scan(image, "CRITICAL"))
    assert not refusal(bob, "v1")
    published = (utcnow() - timedelta(days=8)).isoformat()
    alice.push(NAME, None, scan(image, "CRITICAL", published=published))
    assert "known for 8 days" in refusal(bob, "v1")
    # The scanner has to read the image to scan it again.
    assert not refusal(alice, "v1")


def test_images_that_do_not_meet_a_policy_are_not_exported_or_copied(
    app: Flask, alice: RegistryClient, key: Key, tmp_path: t.Any
) -> None:
    alice.push(NAME, "v1", make_image())
    require(app, SIGNED)
    with app.app_context(), pytest.raises(Denied, match="no verified signature"):
        registry.images.export_to(str(tmp_path / "image.tar"), NAME, "v1")


def test_site_policy_applies_to_all_repositories(
    make_app: t.Callable[..., Flask],
) -> None:
    app = make_app(OCI_IMAGE_POLICY=["refuse low by bob", SIGNED])
    alice = RegistryClient.of(app, "alice")
    alice.push(NAME, "v1", make_image())
    assert "policy of *" in refusal(alice, "v1")


def test_preview_explains_each_tag(app: Flask, alice: RegistryClient, key: Key) -> None:
    image = alice.push(NAME, "v1", make_image())
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    alice.push(NAME, "v2", make_image())
    require(app, SIGNED)
    with app.app_context():
        repository = registry.repositories.find(NAME)
        found = services().content.policies.preview(repository)
    assert [(each.tag, each.result) for each in found] == [
        ("v1", "allowed"),
        ("v2", "refused"),
    ]
    assert found[0].verdicts[0].reason == "signed by release"


@pytest.mark.parametrize(
    "rule",
    [
        "require signature",
        "require signature by",
        "refuse everything",
        "refuse critical older than 0 days",
        "allow 1 hour after push",
        "exempt *",
        "warn only",
        "",
    ],
)
def test_rules_that_require_nothing_are_refused(app: Flask, rule: str) -> None:
    with app.app_context(), pytest.raises(ValueError, match=r"rule|Rule"):
        registry.image_policies.set([rule], path="alice/*")


def test_policies_do_not_apply_elsewhere(
    app: Flask, alice: RegistryClient, bob: RegistryClient, key: Key
) -> None:
    bob.push("bob/app", "v1", make_image())
    require(app, SIGNED)
    assert not refusal(bob, "v1", "bob/app")
    with app.app_context():
        assert db.session.scalar(db.select(User).filter_by(username="bob"))


def test_signers_of_a_path_end_with_their_owner(
    app: Flask, alice: RegistryClient, key: Key
) -> None:
    """A later user of the same name inherits neither policies nor trusted keys."""
    image = alice.push(NAME, "v1", make_image())
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    with app.app_context():
        user = db.session.scalar(db.select(User).filter_by(username="alice"))
        registry.trusted_signers.remove("release", path="alice/*")
        registry.trusted_signers.add("release", key=key.pem, path="alice/*", owner=user)
        registry.image_policies.set([SIGNED], path="alice/*", owner=user)
    assert not refusal(alice, "v1")
    with app.app_context():
        found = registry.repositories.find(NAME)
        bob = db.session.scalar(db.select(User).filter_by(username="bob"))
        registry.repositories.transfer(found, bob)
        registry.image_policies.set([SIGNED], path="alice/*")
        gate = services().content.policies
        (verdict,) = gate.verdicts(
            registry.repositories.find(NAME), image.digest, image.media_type, "v1"
        )
        assert verdict.reason == "alice/* trusts no signer release"
        user = db.session.scalar(db.select(User).filter_by(username="alice"))
        db.session.delete(user)
        db.session.commit()
        assert not registry.trusted_signers.list()
