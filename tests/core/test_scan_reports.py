"""Results of scanners: the formats that count, and files that are made to cost much."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci.testing import Image
from flask_oci.testing import make_image
from flask_oci.testing.manifests import descriptor
from tests.support import signing
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.scan_reports import REPORTS

NAME = "alice/app"
SARIF = "application/sarif+json"
NO_SCAN = "it has no scan by alice"


@pytest.fixture
def image(app: Flask, alice: RegistryClient) -> Image:
    """An image that needs a scan by alice without critical findings."""
    image = alice.push(NAME, "v1", make_image())
    with app.app_context():
        registry.repositories.set_visibility(NAME, "public")
        rules = ["require scan by alice", "refuse critical by alice"]
        registry.image_policies.set(rules, repository=NAME)
    return image


def attach(alice: RegistryClient, image: Image, kind: str, content: bytes) -> str:
    """Attach a file, and return why another user may not pull the image."""
    artifact = signing.artifact(descriptor(content, kind), content, kind, image)
    alice.push(NAME, None, artifact)
    found = RegistryClient.of(alice.app, "bob").get(f"/v2/{NAME}/manifests/v1")
    if found.status_code == 200:
        return ""
    assert found.status_code == 403
    return str(found.get_json()["errors"][0]["message"])


def test_results_of_each_format_count(alice: RegistryClient, image: Image) -> None:
    for format, (kind, report) in REPORTS.items():
        said = attach(alice, image, kind, signing.encoded(report))
        assert "1 critical finding, known for" in said
        # Each is another file: MariaDB stores the time of its attachment in seconds.
        clean = {"version": "2.1.0", "runs": [{"results": []}], "properties": format}
        assert attach(alice, image, SARIF, signing.encoded(clean)) == ""


def sarif(results: str) -> bytes:
    return b'{"version": "2.1.0", "runs": [{"results": [%s]}]}' % results.encode()


BOMBS: dict[str, t.Callable[[], bytes]] = {
    "too many results": lambda: sarif("{}," * 210_000 + "{}"),
    "too deep": lambda: sarif("[" * 5000 + "]" * 5000),
    "too large": lambda: sarif('{"ruleId": "%s"}' % ("x" * (4 << 20))),
    "an endless number": lambda: sarif('{"rank": 1%s}' % ("0" * 5000)),
    "not UTF-8": lambda: sarif('"x"').replace(b"x", b"\xff"),
    "compressed": lambda: b"\x1f\x8b\x08\x00" + b"\x00" * 100,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_report_made_to_cost_much_is_stored_and_not_read(
    alice: RegistryClient, image: Image, bomb: t.Callable[[], bytes]
) -> None:
    """The user is told that there is no scan."""
    assert NO_SCAN in attach(alice, image, SARIF, bomb())
    assert NO_SCAN in attach(alice, image, SARIF, b'{"runs": 1}')
