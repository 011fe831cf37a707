"""Findings about upstreams."""

from __future__ import annotations

from ..finding import FindingType

UPSTREAM_FAILS = FindingType(
    "upstream-fails",
    "warning",
    "An upstream does not answer, or refuses the credentials.",
    "Clients get only the images that are cached already.",
    {"command": "flask --app forge oci upstream check  # Try each upstream again."},
)
