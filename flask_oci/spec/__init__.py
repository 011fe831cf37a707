"""The vocabulary of the OCI specifications: digests, references, manifests, ranges and
scopes."""
