"""Authentication and authorization: credentials, tokens, principals and the policy."""
