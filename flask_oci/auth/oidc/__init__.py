"""Identity tokens of jobs (OpenID Connect): their issuers' keys and their
verification. Needs the extra ``oidc``."""
