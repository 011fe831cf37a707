"""An issuer of identity tokens on 127.0.0.1, whose keys can be rotated."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import typing as t
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from flask_oci.rules.publishers import KINDS as ISSUER_KINDS
from tests.support.loopback_server import LoopbackServer
from tests.support.loopback_server import QuietHandler

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"

#: The audience of the registries in tests.
AUDIENCE = "https://forge.example.org"


class IdentityIssuer(LoopbackServer):
    """An issuer, which serves its keys while it is entered."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        """The paths of all requests."""

        self.documents: dict[str, t.Any] = {}
        """Documents to serve instead of the usual ones, by path. A number is the status
        of an empty answer; a text is the target of a redirect."""

        self.gate = threading.Event()
        """Answers wait for it."""

        self.gate.set()
        self.private: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.kid = ""
        self.rotate()
        issuer = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                issuer.gate.wait(30)
                document = issuer.documents.get(self.path, issuer.usual(self.path))
                status = document if isinstance(document, int) else 200
                body = b"" if status != 200 else json.dumps(document).encode()
                with contextlib.suppress(OSError):
                    self.send(document, status, body)

            def send(self, document: t.Any, status: int, body: bytes) -> None:
                self.send_response(302 if isinstance(document, str) else status)
                if isinstance(document, str):
                    self.send_header("Location", document)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)

    def __exit__(self, *error: object) -> None:
        self.gate.set()
        super().__exit__(*error)

    def address(self, kind: str) -> str:
        """Return the address of an issuer of a kind."""
        return f"{self.url}/{kind}"

    def config(self, *kinds: str) -> dict[str, t.Any]:
        """Return the configuration of an application that trusts issuers of kinds; by
        default, of all kinds."""
        return {
            "OCI_OIDC_ISSUERS": {self.address(k): k for k in kinds or ISSUER_KINDS},
            "OCI_OIDC_AUDIENCE": AUDIENCE,
            "OCI_OIDC_NETWORKS": ["127.0.0.0/8"],
        }

    def known(self, *kinds: str) -> dict[str, t.Any]:
        """Return issuers of kinds whose present keys the configuration has."""
        keys = self.key_set()
        return {self.address(kind): {"kind": kind, "keys": keys} for kind in kinds}

    def usual(self, path: str) -> t.Any:
        """Return the document at a path, or 404. Each path is an issuer of its own."""
        own = self.url + path.removesuffix(DISCOVERY)
        if path.endswith(DISCOVERY):
            return {"issuer": own, "jwks_uri": self.url + KEYS}
        return self.key_set() if path == KEYS else 404

    def key_set(self) -> dict[str, t.Any]:
        """Return the public keys as a JSON Web Key Set."""
        return {"keys": [self.public(kid) for kid in self.private]}

    def public(self, kid: str) -> dict[str, t.Any]:
        """Return a public key as a JSON Web Key."""
        public = ECAlgorithm.to_jwk(self.private[kid].public_key(), as_dict=True)
        return {**public, "kid": kid, "use": "sig", "alg": "ES256"}

    def rotate(self) -> None:
        """Replace the key."""
        self.kid = uuid.uuid4().hex
        self.private = {self.kid: ec.generate_private_key(ec.SECP256R1())}

    def token(
        self,
        claims: dict[str, t.Any],
        *,
        headers: dict[str, t.Any] | None = None,
        **changes: t.Any,
    ) -> str:
        """Return a signed identity token.

        :param claims: the claims of the job.
        :param headers: fields of the header to set; None removes one.
        :param changes: claims to set; None removes one.
        """
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": str(uuid.uuid4()),
        }
        wanted = {**usual, **claims, **changes}
        kept = {name: value for name, value in wanted.items() if value is not None}
        header = {"kid": self.kid, **(headers or {})}
        return jwt.encode(kept, self.private[self.kid], "ES256", header)
