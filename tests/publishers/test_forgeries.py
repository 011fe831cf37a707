"""Identity tokens that are not accepted, and issuers that do not answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
import typing as t

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from flask_oci.auth.oidc import key_cache
from tests.conftest import MakeApp
from tests.publishers.ci import Ci
from tests.publishers.ci import message
from tests.support.identity_issuer import AUDIENCE
from tests.support.identity_issuer import DISCOVERY
from tests.support.identity_issuer import IdentityIssuer
from tests.support.identity_issuer import KEYS


def after(seconds: int) -> int:
    """Return the time after some seconds. The tests may begin long after their import.

    :param seconds: negative for a time in the past.
    """
    return int(time.time()) + seconds


#: A key of RSA, whose public part is known to everyone.
RSA = rsa.generate_private_key(65537, 2048)


def encoded(fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()


def with_header(token: str, **changes: object) -> str:
    """Replace fields of the header of a token, whose signature then is invalid."""
    _, payload, signature = token.split(".")
    return f"{encoded({'alg': 'ES256', 'typ': 'JWT', **changes})}.{payload}.{signature}"


def by_other_key(ci: Ci) -> str:
    """Return a token of the right key id, signed by another key."""
    own = ci.issuer.private[ci.issuer.kid]
    ci.issuer.private[ci.issuer.kid] = ec.generate_private_key(ec.SECP256R1())
    token = ci.token()
    ci.issuer.private[ci.issuer.kid] = own
    return token


def by_public_key(ci: Ci) -> str:
    """Return a token with an HMAC, whose secret is the public key of the issuer."""
    public = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = with_header(ci.token(), alg="HS256", kid="rsa").rpartition(".")[0]
    mac = hmac.new(public, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


FORGERIES: dict[str, tuple[t.Callable[[Ci], str], str]] = {
    "audience": (lambda ci: ci.token(aud="https://other"), "is for another service"),
    "audiences": (lambda ci: ci.token(aud=[AUDIENCE, "x"]), "is for another service"),
    "no audience": (lambda ci: ci.token(aud=None), "is for another service"),
    "expired": (lambda ci: ci.token(exp=after(-60)), "has expired"),
    "no end": (lambda ci: ci.token(exp=None), "claim exp"),
    "end is text": (lambda ci: ci.token(exp=True), "claim exp"),
    "endless": (lambda ci: ci.token(exp=after(10**6)), "more than 24 hours"),
    "future": (lambda ci: ci.token(iat=after(999), exp=after(9999)), "not valid yet"),
    "not yet": (lambda ci: ci.token(nbf=after(999), exp=after(9999)), "not valid yet"),
    "slash": (lambda ci: ci.token(iss=f"{ci.url}/"), "slash at the end"),
    "case": (lambda ci: ci.token(iss=ci.url.upper()), "in its case"),
    "issuer": (lambda ci: ci.token(iss="https://evil"), "does not trust the issuer"),
    "other kind": (lambda ci: ci.token(iss=ci.issuer.address("oidc")), "No robot has"),
    "signature": (by_other_key, "signature of the identity token is invalid"),
    "none": (lambda ci: with_header(ci.token(), alg="none"), "public-key algorithm"),
    "unsigned": (
        lambda ci: with_header(ci.token(), alg="none").rpartition(".")[0] + ".",
        "public-key algorithm",
    ),
    "confusion": (by_public_key, "public-key algorithm"),
    "wrong key type": (
        lambda ci: with_header(ci.token(), alg="RS256", kid=ci.issuer.kid),
        "does not fit the key",
    ),
    "kid traversal": (
        lambda ci: ci.token(headers={"kid": "../../../../dev/null"}),
        "no key with the 'kid'",
    ),
    "kid is a list": (lambda ci: with_header(ci.token(), kid=["a"]), "no 'kid'"),
    "own key": (
        lambda ci: ci.token(
            headers={"kid": "x", "jwk": ci.issuer.public(ci.issuer.kid)}
        ),
        "no key with the 'kid'",
    ),
    "critical": (
        lambda ci: with_header(ci.token(), kid=ci.issuer.kid, crit=["b64"], b64=False),
        "extensions",
    ),
    "access token": (
        lambda ci: ci.token(headers={"typ": "at+jwt"}),
        "another type than JWT",
    ),
    "oversized": (lambda ci: ci.token(x="y" * 20_000), "more than 16384 characters"),
    "deep": (
        lambda ci: f"{encoded({'alg': 'ES256'})}.{encoded(nested())}.AAAA",
        "malformed",
    ),
    "repeated claim": (
        lambda ci: f"{encoded({'alg': 'ES256'})}.eyJhIjoxLCJhIjoxfQ.AAAA",
        "malformed",
    ),
    "claims": (
        lambda ci: ci.token(ref="refs/heads/main"),
        "the claim ref must be 'refs/tags/v*', but is 'refs/heads/main'",
    ),
    "renewed account": (
        lambda ci: ci.token(repository_owner_id="99"),
        "for this job. Add one with repository_owner_id '99', repository_id '74'",
    ),
}


def nested() -> object:
    found: object = {}
    for _ in range(100):
        found = {"a": found}
    return found


def test_forged_identity_tokens_are_refused_with_remedy(
    ci: Ci, caplog: pytest.LogCaptureFixture
) -> None:
    """No refusal and no log has a part of the token, and none begins a session."""
    caplog.set_level(logging.DEBUG)
    numbers = RSA.public_key()
    entry = jwt.algorithms.RSAAlgorithm.to_jwk(numbers, as_dict=True)
    keys = [*ci.issuer.key_set()["keys"], {**entry, "kid": "rsa"}, {"kty": "oct"}]
    ci.issuer.documents[KEYS] = {"keys": keys}
    for name, (forge, text) in FORGERIES.items():
        token = forge(ci)
        refused = ci.exchange(token)
        assert refused.status_code == 400, name
        assert text in message(refused), name
        if len(token) < 16_000:
            login = ci.login(token)
            assert login.status_code == 401, name
            assert text in message(login), name
        for part in filter(None, token.split(".")):
            assert part[:40] not in caplog.text + refused.text, name
    assert ci.exchange(ci.token()).status_code == 200


def test_rotated_keys_are_fetched_again_and_old_ones_end(
    ci: Ci, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown keys cause a fetch at most every half minute."""
    assert ci.exchange(ci.token()).status_code == 200
    old = ci.token()
    ci.issuer.rotate()
    asked = len(ci.issuer.requests)
    for _ in range(3):
        assert "no key with the 'kid'" in message(ci.exchange(ci.token()))
    assert len(ci.issuer.requests) == asked
    monkeypatch.setattr(key_cache, "PAUSE", 0)
    assert ci.exchange(ci.token()).status_code == 200
    assert len(ci.issuer.requests) == asked + 2
    assert "no key with the 'kid'" in message(ci.exchange(old))


def test_keys_are_used_for_a_while_if_issuer_fails(
    ci: Ci, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ci.exchange(ci.token()).status_code == 200
    ci.issuer.documents[KEYS] = 500
    monkeypatch.setattr(key_cache, "PAUSE", 0)
    monkeypatch.setattr(key_cache, "FRESH", 0)
    assert ci.exchange(ci.token()).status_code == 200
    monkeypatch.setattr(key_cache, "STALE", 0)
    assert ci.exchange(ci.token()).status_code == 503


def test_issuer_that_fails_makes_login_unavailable(
    app: Flask,
    issuer: IdentityIssuer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failure is remembered, so the next job does not wait for it."""
    own = issuer.address("github")
    discovery = own.removeprefix(issuer.url) + DISCOVERY
    failures: list[tuple[str, object, str]] = [
        (KEYS, f"{issuer.url}/elsewhere", "redirects are not followed"),
        (KEYS, {"keys": []}, "has no public key"),
        (KEYS, {"keys": "x" * 300_000}, "more than 262144 bytes"),
        (KEYS, [1], "is not a JSON object"),
        (discovery, 404, "answered 404"),
        (discovery, {"issuer": f"{own}/"}, "names another issuer"),
        (discovery, {"issuer": own, "jwks_uri": "http://10.0.0.1/"}, "with https"),
        (
            discovery,
            {"issuer": own, "jwks_uri": "https://10.0.0.1/"},
            "10.0.0.1 is not a public address, nor in OCI_OIDC_NETWORKS",
        ),
    ]
    ci = Ci(app, issuer)
    for path, document, reason in failures:
        issuer.documents = {path: document}
        caplog.clear()
        with monkeypatch.context() as later:
            later.setattr(key_cache, "PAUSE", 0)
            refused = ci.exchange(ci.token())
        asked = len(issuer.requests)
        assert ci.login(ci.token()).status_code == 503
        assert refused.status_code == 503, reason
        assert refused.get_json()["error"] == "temporarily_unavailable"
        assert refused.headers["Retry-After"] == "60"
        assert reason in caplog.text
        assert len(issuer.requests) == asked
    assert "/elsewhere" not in issuer.requests


def test_issuer_that_hangs_holds_few_requests(
    ci: Ci, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request waits for the time limit at most, without a database connection."""
    monkeypatch.setattr(key_cache, "TIMEOUT", 0.05)
    ci.issuer.gate.clear()
    token = ci.token()
    assert ci.exchange(token).status_code == 503
    monkeypatch.setattr(key_cache, "MOST_WAITING", 0)
    assert "Many jobs log in" in message(ci.exchange(token))
    assert len(ci.issuer.requests) == 1


def test_issuer_in_private_network_needs_permission_of_operator(
    make_app: MakeApp, issuer: IdentityIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    ci = Ci(make_app(**{**issuer.config(), "OCI_OIDC_NETWORKS": ()}), issuer)
    assert ci.exchange(ci.token()).status_code == 503
    assert "OCI_OIDC_NETWORKS" in caplog.text
    assert not issuer.requests


def test_issuer_with_configured_keys_is_not_asked(
    make_app: MakeApp, issuer: IdentityIssuer
) -> None:
    url = issuer.address("github")
    settings = {"kind": "github", "keys": issuer.key_set()}
    config = {**issuer.config(), "OCI_OIDC_ISSUERS": {url: settings}}
    ci = Ci(make_app(**config), issuer)
    assert ci.exchange(ci.token()).status_code == 200
    assert not issuer.requests


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"OCI_OIDC_AUDIENCE": None}, "needs OCI_EXTERNAL_URL or OCI_OIDC_AUDIENCE"),
        ({"OCI_OIDC_ISSUERS": {"http://ci.example": "github"}}, "with https"),
        ({"OCI_OIDC_ISSUERS": {"https://ci.example": "jenkins"}}, "one of the kinds"),
        ({"OCI_OIDC_ISSUERS": {"ci.example": "github"}}, "exact text of the claim"),
        ({"OCI_OIDC_ISSUERS": ["github"]}, "must be a mapping"),
        ({"OCI_OIDC_AUDIENCE": "a b"}, "without spaces"),
    ],
)
def test_invalid_setting_of_issuers_stops_application(
    make_app: MakeApp, issuer: IdentityIssuer, changes: dict[str, t.Any], text: str
) -> None:
    with pytest.raises(ValueError, match="OCI_OIDC") as error:
        make_app(**{**issuer.config("github"), **changes})
    assert text in str(error.value)
