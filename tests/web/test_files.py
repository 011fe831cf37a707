"""Files of artifacts: their contents on the pages, and downloads."""

from __future__ import annotations

import base64
import gzip
import typing as t

import pytest
from flask import Flask

from flask_oci.core import reports
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.web.files import MAX_FILE_SIZE
from flask_oci.web.files import MAX_ROWS
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Page
from tests.support.visitor import Visitor

HELLO = "/images/alice/hello"

#: Hostile text, for every field of a file.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7777*7777}}"

DIGEST = f"sha256:{'1' * 64}"


def packed(fields: object) -> str:
    """Return JSON in base64."""
    return base64.urlsafe_b64encode(encoded(fields)).decode().rstrip("=")


PURL = {"referenceType": "purl", "referenceLocator": "pkg:deb/debian/zlib@1.3"}
SPDX: t.Final = {
    "spdxVersion": "SPDX-2.3",
    "creationInfo": {"creators": ["Tool: syft-1", HOSTILE], "created": "2026-11-20"},
    "packages": [
        {"name": "zlib", "versionInfo": "1:1.3-2", "externalRefs": [PURL, 1]},
        {
            "name": HOSTILE,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "GPL-2.0",
        },
        "no package",
    ],
}
CYCLONEDX: t.Final = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"tools": {"components": [{"name": "trivy", "version": "0.57"}]}},
    "components": [
        {
            "type": "library",
            "group": "org.example",
            "name": "outer",
            "licenses": [{"license": {"id": "MIT"}}, {"expression": "Zlib"}],
            "components": [{"name": "inner", "purl": "pkg:pypi/inner@2", "type": 3}],
        }
    ],
}
STATEMENT: t.Final = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://slsa.dev/provenance/v1",
    "subject": [{"name": "hello", "digest": {"sha256": "1234"}}],
    "predicate": {
        "buildDefinition": {"buildType": "https://example.org/workflow"},
        "runDetails": {"builder": {"id": f"https://example.org/{HOSTILE}"}},
    },
}
ENVELOPE: t.Final = {
    "payloadType": "application/vnd.in-toto+json",
    "payload": packed(STATEMENT),
    "signatures": [{"keyid": "key-1", "sig": "AAAA"}],
}
RULE: t.Final = {"id": "CVE-1", "properties": {"security-severity": "9.8"}}
SARIF: t.Final = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "Scanner", "version": "3", "rules": [RULE, 7]}},
            "results": [
                {"ruleId": "STYLE-9", "level": "note", "message": {"text": HOSTILE}},
                {
                    "ruleId": "CVE-1",
                    "message": {"text": "a hole"},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "lib/x.c"},
                                "region": {"startLine": 12},
                            }
                        }
                    ],
                },
            ],
        }
    ],
}
COSIGN: t.Final = {
    "critical": {
        "image": {"docker-manifest-digest": DIGEST},
        "identity": {"docker-reference": "example.org/hello"},
        "type": "cosign container image signature",
    },
    "optional": {"by": HOSTILE},
}
NOTATION: t.Final = {
    "payload": packed({"targetArtifact": {"digest": DIGEST}}),
    "protected": packed({"alg": "ES256", "io.cncf.notary.signingTime": "2026-11-20"}),
    "header": {"x5c": ["AAAA", "BBBB"]},
    "signature": "AAAA",
}
BUNDLE: t.Final = {
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {
        "certificate": {"rawBytes": "AAAA"},
        "tlogEntries": [{"logIndex": "4711", "integratedTime": "1763632931"}],
    },
    "dsseEnvelope": ENVELOPE,
}

#: Files, and the texts of their pages.
FORMATS: t.Final[dict[str, tuple[object, tuple[str, ...]]]] = {
    "SPDX": (
        SPDX,
        ("2 packages", "Tool: syft-1", "zlib 1:1.3-2 deb", "GPL-2.0", HOSTILE),
    ),
    "SPDX 3": (
        {
            "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
            "@graph": [
                {
                    "type": "software_Package",
                    "name": "zlib",
                    "software_packageVersion": "1.3",
                    "software_packageUrl": "pkg:deb/zlib@1.3",
                }
            ],
        },
        ("1 package", "zlib 1.3 deb"),
    ),
    "CycloneDX": (
        CYCLONEDX,
        ("2 packages", "trivy 0.57", "org.example/outer library MIT, Zlib", "pypi"),
    ),
    "Syft": (
        {
            "descriptor": {"name": "syft", "version": "1.18"},
            "artifacts": [
                {
                    "name": "zlib",
                    "version": "1.3",
                    "type": "deb",
                    "licenses": [{"value": "Zlib"}],
                }
            ],
        },
        ("Created by syft 1.18", "zlib 1.3 deb Zlib"),
    ),
    "SARIF": (
        SARIF,
        ("Scanner 3", "2 findings", "Critical 1 Low 1", "a hole lib/x.c:12", HOSTILE),
    ),
    "statement": (
        STATEMENT,
        (
            "SLSA provenance Not verified",
            "Predicate type https://slsa.dev/provenance/v1",
            f"Builder https://example.org/{HOSTILE}",
            "hello sha256:1234",
        ),
    ),
    "SBOM in a statement": (
        {**STATEMENT, "predicate": SPDX},
        ("SPDX Not verified", "zlib 1:1.3-2 deb"),
    ),
    "envelope": (
        ENVELOPE,
        ("Not verified", "Key key-1", "Build type https://example.org/workflow"),
    ),
    "envelope of nonsense": (
        {**ENVELOPE, "payload": "%"},
        ("DSSE Not verified", "Payload type application/vnd.in-toto+json"),
    ),
    "bundle": (
        BUNDLE,
        (
            "SLSA provenance Not verified",
            "Certificates 1",
            "Log entry 4711",
            "Logged at 2025-11-20 10:02:11 UTC",
        ),
    ),
    "cosign": (
        COSIGN,
        ("cosign Not verified", f"Signed digest {DIGEST}", "example.org/hello"),
    ),
    "Notation": (
        NOTATION,
        (
            "Notation Not verified",
            f"Signed digest {DIGEST}",
            "Algorithm ES256",
            "Certificates 2",
        ),
    ),
    "JSON": ({"unknown": [HOSTILE]}, ("Show the text", '"unknown": [')),
}


@pytest.fixture(name="visitor")
def _visitor(app: Flask) -> Visitor:
    """Alice, signed in."""
    return Visitor(app, "alice")


def attach(alice: RegistryClient, *files: bytes, name: str = "a file.json") -> str:
    """Push an artifact with files, and return the address of its page."""
    title = {"org.opencontainers.image.title": name}
    layers = [descriptor(file, "application/json", annotations=title) for file in files]
    for content in (b"{}", *files):
        alice.push_blob("alice/hello", content)
    manifest = image(
        *layers, config=descriptor(b"{}", OCI_EMPTY), artifactType="application/x.file"
    )
    alice.push_manifest("alice/hello", manifest)
    return f"{HELLO}/-/image/{digest_of(manifest)}"


def shown(alice: RegistryClient, visitor: Visitor, content: bytes) -> Page:
    """Return the page of an artifact with one file."""
    return visitor.get(attach(alice, content))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("name", FORMATS)
def test_file_of_known_format_is_shown_as_text(
    alice: RegistryClient, visitor: Visitor, name: str
) -> None:
    """The page shows the facts, packages or findings of a file, always escaped, and
    calls no signature verified."""
    fields, texts = FORMATS[name]
    page = shown(alice, visitor, encoded(fields))
    for text in texts:
        assert text in page.text
    assert "<script>alert" not in page.html
    assert "<img" not in page.html
    assert not [a for a in page.links.values() if a.startswith("javascript")]


def test_file_with_wrong_types_is_read(alice: RegistryClient, visitor: Visitor) -> None:
    """A value of any type, at each place of each format, makes nothing fail."""
    values: list[object] = [
        None,
        7,
        1e400,
        "x",
        "\ud800",
        [],
        [7],
        [[]],
        [{}],
        {"a": 7},
    ]
    for fields, _ in FORMATS.values():
        for value in values:
            for changed in broken(fields, value):
                if isinstance(changed, dict):
                    reports.read(changed)
    page = shown(alice, visitor, encoded({**SPDX, "name": "\ud800", "packages": 7}))
    assert "Document ?" in page.text


def broken(fields: object, value: object) -> t.Iterator[object]:
    """Yield a JSON value with each of its parts replaced."""
    yield value
    if isinstance(fields, dict):
        for key, inner in fields.items():
            yield from ({**fields, key: changed} for changed in broken(inner, value))
    if isinstance(fields, list):
        for changed in broken(fields[0], value):
            yield [changed, *fields[1:]]


def test_table_is_truncated_and_searched(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A long table shows its first rows and counts the others, which a search finds."""
    packages = [{"name": f"lib{n:04}", "versionInfo": "1"} for n in range(MAX_ROWS + 7)]
    address = attach(alice, encoded({**SPDX, "packages": packages}))
    page = visitor.get(address)
    assert page.text.partition("Show the text")[0].count("lib0") == MAX_ROWS
    assert "And 7 more." in page.text
    found = visitor.get(address, q="LIB0306").text.partition("Show the text")[0]
    assert ("lib0306 1" in found, "lib0001" in found) == (True, False)
    assert "Nothing in the file contains" in visitor.get(address, q="other").text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (encoded(SPDX) + b" " * MAX_FILE_SIZE, "too large to show"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "Show the text"),
        (b'{"packages":[' + b"{}," * 210_000 + b'{}],"spdxVersion":"SPDX-2.3"}', "…"),
    ],
    ids=["size", "depth", "values"],
)
def test_excessive_file_is_not_read_as_report(
    alice: RegistryClient, visitor: Visitor, content: bytes, text: str
) -> None:
    """A file that is too large, deep or long is not parsed."""
    page = shown(alice, visitor, content)
    assert text in page.text
    assert "package" not in page.text.partition("Show the text")[0]


def test_compressed_file_is_only_downloaded(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The page does not decompress a file."""
    page = shown(alice, visitor, gzip.compress(encoded(SPDX)))
    assert "Download" in page.text
    assert "zlib" not in page.text
    assert "Show the text" not in page.text


def test_each_file_of_an_artifact_can_be_opened(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """The first file is open; a link opens another one."""
    first, second = encoded(SPDX), encoded(COSIGN)
    address = attach(alice, first, second)
    assert "2 packages" in visitor.get(address).text
    assert "Signed digest" in visitor.get(address, file=digest_of(second)).text
    assert "2 packages" in visitor.get(address, file=DIGEST).text


@pytest.mark.parametrize(
    ("name", "filename"),
    [
        ("../../a b.json", "a_b.json"),
        ("\r\nX-Injected: yes\r\n\u202egpj.exe", "X-Injected_yes_gpj.exe"),
        ("", None),
    ],
)
def test_download_is_an_attachment_with_the_bytes(
    alice: RegistryClient, visitor: Visitor, name: str, filename: str | None
) -> None:
    """A browser saves the exact bytes, and shows them never."""
    content = b"<script>alert(1)</script>" * 30_000
    page = visitor.get(attach(alice, content, name=name))
    address = next(a for a in page.links.values() if "/-/file/" in a)
    filename = filename or digest_of(content)[7:19]
    with visitor.client.get(address) as response:
        assert response.data == content
        headers = response.headers
        assert headers["Content-Disposition"] == f"attachment; filename={filename}"
        assert headers["Content-Length"] == str(len(content))
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        assert "X-Injected" not in headers


@pytest.mark.options(oci_allow_sparse=True)
def test_download_needs_the_manifest_and_the_link(
    alice: RegistryClient, bob: RegistryClient, visitor: Visitor
) -> None:
    """A blob is sent only if a manifest of the repository names it and the repository
    links it, whatever an address or a manifest says."""
    secret = b"a secret of bob's"
    bob.push_image("bob/hello", "1.0", layer=secret)
    sparse = image(descriptor(secret, "application/json"))
    alice.push_manifest("alice/hello", sparse, "1.0")
    other = alice.push_image("alice/hello", "2.0", layer=b"hers")
    config = b'{"architecture":"amd64","os":"linux"}'
    for manifest, blob in (
        (sparse, secret),
        (other, secret),
        (other, config),
        (sparse, b"hers"),
    ):
        address = f"{HELLO}/-/file/{digest_of(manifest)}/{digest_of(blob)}"
        assert visitor.status(address) == 404
    assert visitor.status(f"{HELLO}/-/file/{digest_of(other)}/nothing") == 404
    assert "a secret" not in visitor.get(f"{HELLO}/-/image/1.0").html
    address = f"{HELLO}/-/file/{digest_of(other)}/{digest_of(b'hers')}"
    assert visitor.status(address) == 200
    with visitor.app.app_context():
        registry.blocks.add(digest_of(b"hers"), path="*", reason="leaked")
    assert visitor.status(address) == 403
    assert visitor.status(address.replace("alice", "bob")) == 404


def test_bundle_is_called_by_its_predicate(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """A Sigstore bundle with an SBOM or a provenance is not called a signature."""
    subject = alice.push_image("alice/hello", "1.0")
    alice.push_blob("alice/hello", b"{}")
    kinds = {
        "https://sigstore.dev/cosign/sign/v1": "Signature",
        "https://spdx.dev/Document": "SBOM",
        "https://slsa.dev/provenance/v1": "Attestation",
        f"https://example.org/{'x' * 300}": "Attestation",
    }
    for predicate in kinds:
        notes = {"dev.sigstore.bundle.predicateType": predicate}
        bundle = image(
            descriptor(b"{}", "application/json"),
            config=descriptor(b"{}", OCI_EMPTY),
            artifactType="application/vnd.dev.sigstore.bundle.v0.3+json",
            subject=descriptor(subject, OCI_MANIFEST),
            annotations=notes,
        )
        alice.push_manifest("alice/hello", bundle)
        page = visitor.get(f"{HELLO}/-/image/1.0")
        assert f"{kinds[predicate]} {predicate[:200]}" in page.text
        assert "x" * 201 not in page.html
    listed = visitor.get(HELLO).text
    for kind in ("signature", "SBOM", "attestation"):
        assert listed.count(f"{kind} attached") == 1
