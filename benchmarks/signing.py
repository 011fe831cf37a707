"""Tokens for Distribution (its docs/content/spec/auth/jwt.md), signed by openssl."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import typing as t
from collections.abc import Mapping
from pathlib import Path

#: The lifetime of a token, in seconds: longer than any run.
LIFETIME: t.Final = 24 * 3600


class Signer:
    """The token service that Distribution needs.

    :param folder: for the key.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.certificate = folder / "certificate.pem"
        self._key = folder / "key.pem"
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=benchmark", "-addext", "keyUsage=digitalSignature"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def token(self, repository: str) -> str:
        """Issue a token for pull and push; ``*`` is for the list of repositories."""
        now = int(time.time())
        access = (
            {"type": "registry", "name": "catalog", "actions": ["*"]}
            if repository == "*"
            else {
                "type": "repository",
                "name": repository,
                "actions": ["pull", "push"],
            }
        )
        der = _openssl("x509", "-in", str(self.certificate), "-outform", "DER")
        head = {
            "typ": "JWT",
            "alg": "RS256",
            "x5c": [base64.b64encode(der).decode()],
        }
        claims = {
            **{"iss": "benchmark", "sub": "bench", "aud": "benchmark", "jti": "1"},
            **{"iat": now, "nbf": now - 60, "exp": now + LIFETIME},
            "access": [access],
        }
        signed = f"{_part(head)}.{_part(claims)}"
        signature = _openssl(
            "dgst", "-sha256", "-sign", str(self._key), given=signed.encode()
        )
        return f"{signed}.{_base64(signature)}"


def _part(fields: Mapping[str, object]) -> str:
    return _base64(json.dumps(fields).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["openssl", *arguments], input=given, capture_output=True, check=True
    )
    return done.stdout
