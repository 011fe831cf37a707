"""Rules that are typed at the machine of the example forge, and hold over HTTP."""

from __future__ import annotations

import json
import typing as t

import pytest
import requests

from forge import Forge
from forge import PASSWORD
from forge import USERNAME
from registry_client import CONFIG
from registry_client import digest_of
from registry_client import image
from registry_client import media_type_of

pytestmark = pytest.mark.real

NAME = "alice/hello"


class Somebody:
    """Who pushes to a forge that really runs."""

    def __init__(self, forge: Forge) -> None:
        self._url = f"{forge.url}/v2/{NAME}"
        self._session = requests.Session()
        self._session.auth = (USERNAME, PASSWORD)

    def blob(self, content: bytes) -> requests.Response:
        """Push a blob."""
        return self._session.post(
            f"{self._url}/blobs/uploads/",
            params={"digest": digest_of(content)},
            data=content,
            timeout=30,
        )

    def image(self, tag: str, layer: bytes) -> requests.Response:
        """Push an image."""
        for content in (CONFIG, layer):
            assert self.blob(content).status_code == 201
        manifest = image(layer)
        return self._session.put(
            f"{self._url}/manifests/{tag}",
            data=manifest,
            headers={"Content-Type": media_type_of(manifest)},
            timeout=30,
        )

    def tags(self) -> list[str]:
        """Return the tags that there are."""
        listed = self._session.get(f"{self._url}/tags/list", timeout=30).json()
        return t.cast("list[str]", listed["tags"])


@pytest.fixture(name="forge", scope="module")
def _forge() -> t.Iterator[Forge]:
    with Forge("gunicorn") as forge:
        yield forge


def oci(forge: Forge, *arguments: str) -> t.Any:
    """Type a command, and return what it lists."""
    printed = forge.command("oci", *arguments)
    return json.loads(printed) if "--json" in arguments else printed


def test_commands(forge: Forge) -> None:
    """Protection, retention and quotas hold from the next request on."""
    alice, where = Somebody(forge), ("--repository", NAME)
    for tag in ("v1", "pr-1"):
        assert alice.image(tag, tag.encode()).status_code == 201

    oci(forge, "protect", "set", *where, "--immutable", "v*")
    assert oci(forge, "protect", "list", "--json")[-1]["immutable"] == ["v*"]
    refused = alice.image("v1", b"another")
    assert refused.status_code == 403
    assert "immutable" in refused.json()["errors"][0]["message"]

    oci(forge, "retention", "set", *where, "delete *")
    assert oci(forge, "retention", "list", "--json")[-1]["rules"] == ["delete *"]
    previewed = oci(forge, "retention", "preview", NAME, "--json")
    # The image that was refused left no manifest.
    assert {row["tag"]: row["deleted"] for row in previewed} == {
        "pr-1": True,
        "v1": False,
    }
    assert alice.tags() == ["pr-1", "v1"]
    oci(forge, "retention", "run")
    assert alice.tags() == ["v1"]
    oci(forge, "retention", "unset", *where)
    oci(forge, "protect", "unset", *where)
    assert alice.image("v1", b"another").status_code == 201

    oci(forge, "quota", "set", "--owner", "alice", "--bytes", "1MB")
    assert oci(forge, "quota", "list", "--json")[-1]["bytes"] == 1_000_000
    refused = alice.blob(b"x" * 1_000_000)
    assert refused.status_code == 403
    assert "of 1.0 MB" in refused.json()["errors"][0]["message"]
    shown = oci(forge, "quota", "show", "--owner", "alice", "--json")
    assert shown["images"]["used"] == 1
    oci(forge, "quota", "unset", "--owner", "alice")
    assert alice.blob(b"x" * 1_000_000).status_code == 201
