"""Findings about the background work."""

from __future__ import annotations

from ..finding import FindingType

_REMEDIES = {
    "command": "flask --app forge oci work  # As a service that runs all the time.",
    "python": 'OCI_WORK = "thread"  # Or run it inside the application.',
}

WORK_MISSING = FindingType(
    "work-missing",
    "warning",
    "No process applies the rules that are set.",
    "Retention rules delete no tag, and webhooks receive no event, until a process does"
    " the background work.",
    _REMEDIES,
)

COLLECTION_MISSING = FindingType(
    "collection-missing",
    "note",
    "No process runs the collection.",
    "Deleted images take disk space until a collection runs.",
    _REMEDIES,
)

JOB_FAILED = FindingType(
    "job-failed",
    "warning",
    "The last run of a background job failed.",
    "A job that fails is repeated, but the cause may need an administrator.",
    {"command": "flask --app forge oci jobs  # Show the last runs and their results."},
)
