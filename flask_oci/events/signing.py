"""Signatures, as "Standard Webhooks" has them, so that libraries can check them.

What is signed is the id, the moment and the body, joined by dots. A receiver that
compares the moment with its clock takes no old request again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import typing as t

#: How a secret begins; what follows is the key in Base64.
PREFIX: t.Final = "whsec_"

_KEY_LENGTH = 32


def new_secret() -> str:
    """Return a secret for a webhook."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_KEY_LENGTH)).decode()


def headers(secret: str, key: str, moment: int, body: bytes) -> dict[str, str]:
    """Return the headers by which a webhook knows that a request is ours.

    :param secret: from :func:`new_secret`.
    :param key: what a request that is sent again is known by.
    :param moment: now, in seconds after 1970.
    :param body: what is sent.
    """
    signed = f"{key}.{moment}.".encode() + body
    mac = hmac.new(base64.b64decode(secret[len(PREFIX) :]), signed, hashlib.sha256)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(moment),
        "webhook-signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
    }
