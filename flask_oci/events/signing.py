"""Signatures of webhook requests, as "Standard Webhooks" specifies them.

The signature covers the id, the timestamp and the body, joined by dots. A receiver that
compares the timestamp with its clock rejects replayed requests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import typing as t

#: The prefix of a secret. The key follows in Base64.
PREFIX: t.Final = "whsec_"

_KEY_LENGTH = 32


def new_secret() -> str:
    """Return a new secret for a webhook."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_KEY_LENGTH)).decode()


def headers(secret: str, key: str, moment: int, body: bytes) -> dict[str, str]:
    """Return the headers by which a receiver verifies a request.

    :param secret: a secret from :func:`new_secret`.
    :param key: the id of the event, which is the same in a retry.
    :param moment: the current time, in seconds since the epoch.
    :param body: the body of the request.
    """
    signed = f"{key}.{moment}.".encode() + body
    mac = hmac.new(base64.b64decode(secret[len(PREFIX) :]), signed, hashlib.sha256)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(moment),
        "webhook-signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
    }
