"""Findings about image policies and trusted signers."""

from __future__ import annotations

from ..finding import FindingType

EXTRA_MISSING = FindingType(
    "signature-extra-missing",
    "error",
    "Signers are trusted, and the packages that verify signatures are not installed.",
    "New signatures are not verified, so images that need one cannot be pulled.",
    {"command": "pip install 'flask-oci[verify]'"},
)

ROOT_MISSING = FindingType(
    "signature-root-missing",
    "warning",
    "An identity is trusted, and OCI_SIGSTORE_ROOT is not set.",
    "Signatures by identities are not verified.",
    {"python": 'OCI_SIGSTORE_ROOT = "/srv/forge/trusted_root.json"'},
)

ROOT_UNUSABLE = FindingType(
    "signature-root-unusable",
    "error",
    "An identity is trusted, and the trusted root of Sigstore cannot be used.",
    "Signatures by identities are not verified, so images that need one cannot be"
    " pulled.",
    {"command": "cosign trusted-root create --help"},
)

SIGNER_UNKNOWN = FindingType(
    "policy-signer-unknown",
    "warning",
    "A policy requires a signer that its scope does not trust.",
    "No image can meet the policy, so pulls are refused.",
    {
        "command": "flask --app forge oci trust add release --path 'website/*'"
        " --key cosign.pub"
    },
)

NO_TIME_TO_SIGN = FindingType(
    "policy-without-time-to-sign",
    "warning",
    "A policy requires a signature, and allows no time after a push.",
    "Clients pull an image before they sign it, so new images cannot be signed.",
    {
        "command": "flask --app forge oci policy set --path 'website/*' 'require"
        " signature by release' 'allow 1 hour after push'"
    },
)
