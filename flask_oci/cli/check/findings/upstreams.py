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

NAMESPACE_TAKEN = FindingType(
    "upstream-namespace-taken",
    "warning",
    "Users have repositories in the namespace of an upstream.",
    "Clients that ask for an image of the upstream by such a name get the image of the"
    " user.",
    {
        "command": "flask --app forge oci rename NAME NEW-NAME  # Or delete it.",
        "python": 'OCI_UPSTREAMS = {"cache-hub": "docker.io"}  # Another namespace.',
    },
)
