"""Encodings of certificates and of log entries."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t


def utf8_string(text: str) -> bytes:
    """Return a text as an ASN.1 string in DER."""
    content = text.encode()
    return b"\x0c" + length(content) + content


def length(content: bytes) -> bytes:
    """Return the length of a value in DER, below 256 bytes."""
    size = len(content)
    return bytes([size]) if size < 128 else b"\x81" + bytes([size])


def sha256_value(content: bytes) -> dict[str, str]:
    """Return a digest as the log of Sigstore writes it."""
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}


def canonical(value: t.Any) -> bytes:
    """Return JSON as RFC 8785 has it; these values have only ASCII and integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def in_base64(content: bytes) -> str:
    """Return bytes as text."""
    return base64.b64encode(content).decode()
