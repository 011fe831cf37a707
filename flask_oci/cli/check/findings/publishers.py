"""Findings about trusted publishers."""

from __future__ import annotations

from ..finding import FindingType

ISSUER_FAILS = FindingType(
    "issuer-fails",
    "warning",
    "The keys of an issuer of identity tokens cannot be read.",
    "Jobs whose identity tokens come from this issuer cannot log in.",
    {
        "command": "flask --app forge oci publisher verify TOKEN  # After a change.",
        "python": 'OCI_OIDC_NETWORKS = ["10.0.0.0/8"]  # For an issuer that is not'
        " public.",
    },
)

ISSUER_REMOVED = FindingType(
    "issuer-removed",
    "warning",
    "Publishers name an issuer that the registry does not trust any more.",
    "The jobs of these publishers cannot log in any more.",
    {
        "python": 'OCI_OIDC_ISSUERS = {"https://gitlab.com": "gitlab"}',
        "command": "flask --app forge oci publisher remove ROBOT ID  # Or remove them.",
    },
)

ISSUER_CLOCK = FindingType(
    "issuer-clock",
    "warning",
    "The clock of this machine differs from that of an issuer of identity tokens.",
    "Identity tokens may be refused as expired or as not valid yet.",
    {"command": "timedatectl set-ntp true  # Set the clock by NTP."},
)
