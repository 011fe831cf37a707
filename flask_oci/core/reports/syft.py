"""SBOMs in the JSON of Syft."""

from __future__ import annotations

import typing as t

from .. import documents
from ..messages import marked
from .base import joined
from .base import MAX_ROWS
from .base import Package
from .base import present
from .base import Report


def read(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a document of Syft, or None if it is none."""
    descriptor = documents.mapping(fields.get("descriptor"))
    if descriptor.get("name") != "syft" or not isinstance(
        fields.get("artifacts"), list
    ):
        return None
    found = documents.objects(fields.get("artifacts"), None)
    return Report(
        "Syft",
        present(
            (marked("Created by"), f"syft {documents.text(descriptor.get('version'))}")
        ),
        packages=[
            Package(
                documents.text(package.get("name")),
                documents.text(package.get("version")),
                documents.text(package.get("type")),
                joined(_licenses(package.get("licenses"))),
            )
            for package in found[:MAX_ROWS]
        ],
        left_out=max(len(found) - MAX_ROWS, 0),
    )


def _licenses(value: object) -> list[str]:
    """Return the licences: texts, or objects since version 11 of the schema."""
    named = [documents.text(entry.get("value")) for entry in documents.objects(value)]
    return documents.texts(value) + named
