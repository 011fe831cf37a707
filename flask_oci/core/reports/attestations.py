"""Attestations: statements of in-toto, also within DSSE envelopes."""

from __future__ import annotations

import typing as t

from .. import documents
from ..messages import marked
from . import cyclonedx
from . import spdx
from .base import decoded_object
from .base import joined
from .base import present
from .base import Report

#: The names of known predicate types, by their beginnings.
_PREDICATES: t.Final = {
    "https://slsa.dev/provenance/": "SLSA provenance",
    "https://slsa.dev/verification_summary/": "SLSA verification summary",
    "https://spdx.dev/Document": "SPDX",
    "https://cyclonedx.org/bom": "CycloneDX",
    "https://cosign.sigstore.dev/attestation/vuln/": "Vulnerability scan",
    "https://openvex.dev/ns": "OpenVEX",
    "https://sigstore.dev/cosign/sign/": "cosign",
}


def read_statement(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of an in-toto statement, or None if it is none."""
    if not documents.text(fields.get("_type")).startswith(
        "https://in-toto.io/Statement"
    ):
        return None
    kind = documents.text(fields.get("predicateType"))
    predicate = documents.mapping(fields.get("predicate"))
    # Cosign wraps the predicate of some types.
    data = documents.mapping(predicate.get("Data")) or predicate
    within = spdx.read(data) or cyclonedx.read(data)
    report = within or Report(_title(kind), _provenance(predicate))
    return Report(
        report.title,
        [
            *present(
                (marked("Predicate type"), kind),
                (marked("Subjects"), joined(_subjects(fields))),
            ),
            *report.facts,
        ],
        packages=report.packages,
        left_out=report.left_out,
        is_claim=True,
    )


def read_envelope(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a DSSE envelope, or None if it is none."""
    kind = documents.text(fields.get("payloadType"))
    if not kind or not isinstance(fields.get("signatures"), list):
        return None
    statement = read_statement(decoded_object(fields.get("payload")))
    report = statement or Report(
        "DSSE", [(marked("Payload type"), kind)], is_claim=True
    )
    keys = (
        documents.text(signature.get("keyid"))
        for signature in documents.objects(fields["signatures"])
    )
    return report.about(
        (marked("Signatures"), str(len(fields["signatures"]))),
        (marked("Key"), joined(keys)),
    )


def _title(kind: str) -> str:
    known = (name for start, name in _PREDICATES.items() if kind.startswith(start))
    return next(known, "in-toto")


def _subjects(fields: dict[str, t.Any]) -> t.Iterator[str]:
    for subject in documents.objects(fields.get("subject"))[:20]:
        digests = documents.pairs(subject.get("digest"))
        name = documents.text(subject.get("name"))
        yield " ".join(filter(None, (name, *(f"{k}:{v}" for k, v in digests))))


def _provenance(predicate: dict[str, t.Any]) -> documents.Pairs:
    """Return the facts of a SLSA provenance (versions 0.2 and 1)."""
    definition = documents.mapping(predicate.get("buildDefinition"))
    details = documents.mapping(predicate.get("runDetails"))
    builder = documents.mapping(details.get("builder") or predicate.get("builder"))
    metadata = documents.mapping(details.get("metadata") or predicate.get("metadata"))
    invocation = documents.mapping(predicate.get("invocation"))
    source = documents.mapping(invocation.get("configSource"))
    materials = documents.objects(
        definition.get("resolvedDependencies") or predicate.get("materials")
    )
    first = _first_text
    return present(
        (marked("Builder"), documents.text(builder.get("id"))),
        (marked("Build type"), first(definition, predicate, keys=("buildType",))),
        (marked("Source"), documents.text(source.get("uri"))),
        (marked("Entry point"), documents.text(source.get("entryPoint"))),
        (marked("Started"), first(metadata, keys=("startedOn", "buildStartedOn"))),
        (marked("Finished"), first(metadata, keys=("finishedOn", "buildFinishedOn"))),
        (
            marked("Materials"),
            joined(documents.text(entry.get("uri")) for entry in materials[:20]),
        ),
    )


def _first_text(*objects: dict[str, t.Any], keys: tuple[str, ...]) -> str:
    values = (documents.text(fields.get(key)) for fields in objects for key in keys)
    return next((value for value in values if value), "")
