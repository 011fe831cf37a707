"""Signatures of cosign, Sigstore and Notation: their claims, which are not verified."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timezone

from .. import documents
from ..messages import marked
from .attestations import read_envelope
from .base import decoded_object
from .base import present
from .base import Report

#: The media types of Sigstore bundles begin with this text.
_BUNDLE: t.Final = "application/vnd.dev.sigstore.bundle"


def read_cosign(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a payload that cosign signs ("simple signing"), or None if
    it is none."""
    critical = documents.mapping(fields.get("critical"))
    image = documents.mapping(critical.get("image"))
    digest = documents.text(image.get("docker-manifest-digest"))
    if not digest:
        return None
    identity = documents.mapping(critical.get("identity"))
    return Report(
        "cosign",
        [
            *present(
                (marked("Signed digest"), digest),
                (
                    marked("Signed name"),
                    documents.text(identity.get("docker-reference")),
                ),
                (marked("Type"), documents.text(critical.get("type"))),
            ),
            *documents.pairs(fields.get("optional"))[:20],
        ],
        is_claim=True,
    )


def read_notation(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a signature of Notation in JWS, or None if it is none."""
    protected = decoded_object(fields.get("protected"))
    if not protected or not documents.text(fields.get("signature")):
        return None
    payload = decoded_object(fields.get("payload"))
    target = documents.mapping(payload.get("targetArtifact"))
    header = documents.mapping(fields.get("header"))
    return Report(
        "Notation",
        present(
            (marked("Signed digest"), documents.text(target.get("digest"))),
            (marked("Signed type"), documents.text(target.get("mediaType"))),
            (marked("Algorithm"), documents.text(protected.get("alg"))),
            (
                marked("Signed at"),
                documents.text(protected.get("io.cncf.notary.signingTime")),
            ),
            (
                marked("Created by"),
                documents.text(header.get("io.cncf.notary.signingAgent")),
            ),
            (marked("Certificates"), _count(header.get("x5c"))),
        ),
        is_claim=True,
    )


def read_bundle(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a Sigstore bundle, or None if it is none."""
    if not documents.text(fields.get("mediaType")).startswith(_BUNDLE):
        return None
    material = documents.mapping(fields.get("verificationMaterial"))
    within = read_envelope(documents.mapping(fields.get("dsseEnvelope")))
    report = within or Report("Sigstore", _message(fields), is_claim=True)
    entries = documents.objects(material.get("tlogEntries"))
    chain = documents.mapping(material.get("x509CertificateChain"))
    certificates = _count(chain.get("certificates"))
    key = documents.mapping(material.get("publicKey"))
    return report.about(
        (marked("Certificates"), certificates or "1" if _certificate(material) else ""),
        (marked("Key"), documents.text(key.get("hint"))),
        (marked("Log entry"), documents.text(_first(entries).get("logIndex"))),
        (marked("Logged at"), _moment(_first(entries).get("integratedTime"))),
    )


def _certificate(material: dict[str, t.Any]) -> bool:
    return "certificate" in material or "x509CertificateChain" in material


def _message(fields: dict[str, t.Any]) -> documents.Pairs:
    signature = documents.mapping(fields.get("messageSignature"))
    digest = documents.mapping(signature.get("messageDigest"))
    return present((marked("Algorithm"), documents.text(digest.get("algorithm"))))


def _first(entries: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return entries[0] if entries else {}


def _count(value: object) -> str:
    return str(len(value)) if isinstance(value, list) and value else ""


def _moment(value: object) -> str:
    """Return the time of a log entry, which is a text with a number of seconds."""
    try:
        at = datetime.fromtimestamp(int(documents.text(value)), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
