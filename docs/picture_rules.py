"""The robots, publishers, policies, blocks and rules in the screenshots."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from functools import partial

from example_app.registry import registry
from flask_oci.testing import Image
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import OCI_INDEX
from tests.support.signing import bundle
from tests.support.signing import Key

if t.TYPE_CHECKING:
    from tests.support.registry_client import RegistryClient

#: The issuer of the identity tokens of jobs.
ISSUER: t.Final = "https://token.actions.githubusercontent.com"

WORKFLOW: t.Final = (
    "https://github.com/alice/weather/.github/workflows/release.yml@refs/heads/main"
)

NAME: t.Final = "alice/weather"

RETENTION: t.Final = (
    "keep 5 newest of *.*.*",
    "keep latest",
    "delete * older than 30 days",
    "delete untagged after 14 days",
)


def add_robots(alice: t.Any) -> str:
    """Create the robots of a path, and return the id of one with a publisher."""
    robots = registry.robots
    release = robots.create(
        "release",
        path="alice",
        description="Pushes the releases of all projects",
        repositories=["alice/*"],
        expires=timedelta(days=365),
        by=alice,
    ).robot
    robots.create(
        "cluster",
        path="alice",
        description="Pulls the images that run in the cluster",
        actions=["pull"],
        by=alice,
    )
    idle = robots.create("nightly", path="alice", actions=["pull", "push"], by=alice)
    robots.disable(idle.robot, by=alice)
    registry.publishers.add(
        release,
        ISSUER,
        {
            "repository": "alice/weather",
            "repository_owner_id": "583231",
            "repository_id": "1296269",
            "workflow": "release.yml",
            "ref": "refs/tags/v*",
        },
        by=alice,
    )
    return release.id


def add_policy(client: RegistryClient, signed: bytes, by: t.Any) -> None:
    """Trust signers and set a policy, in a repository with one signed image.

    :param signed: the index that the first signer signs.
    """
    key, digest = Key(), digest_of(signed)
    subject = Image(OCI_INDEX, digest, {digest: signed})
    trust = partial(registry.trusted_signers.add, repository=NAME, by=by)
    trust("release@example.org", key=key.pem)
    client.push(NAME, None, bundle(key, digest, subject))
    trust("weather-workflow", identity=WORKFLOW, issuer=ISSUER)
    registry.image_policies.set(
        ["require signature by release@example.org", "warn only"],
        repository=NAME,
        by=by,
    )


def add_rules(blocked: bytes, by: t.Any) -> None:
    """Set the rules of a repository and of a path, and block an image.

    :param blocked: the index of the image to block.
    """
    registry.retention.set(RETENTION, repository=NAME, by=by)
    registry.quotas.set(path="alice/*", bytes=40_000_000, images=100, by=by)
    registry.tag_protection.set(path="alice/*", protected=["latest"], by=by)
    registry.retention.set(["delete untagged after 14 days"], path="alice/*", by=by)
    registry.default_visibility.set("internal", path="alice/*", by=by)
    reason = "It contains CVE-2026-0001. Use 2.1.0 or newer."
    registry.blocks.add(digest_of(blocked), reason=reason, repository=NAME, by=by)
