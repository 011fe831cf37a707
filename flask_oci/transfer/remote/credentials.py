"""Credentials for other registries, from Docker's configuration.

``~/.docker/config.json``, or that in ``$DOCKER_CONFIG``, contains secrets or the names
of credential helpers: ``docker-credential-<name> get`` reads a host and prints a JSON
document.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
import typing as t

from ...config.upstreams import HUB_HOSTS
from ..base import TransferError

#: The name of Docker Hub in the file.
HUB_KEY: t.Final = "https://index.docker.io/v1/"

#: The timeout of a helper, which may prompt the user, in seconds.
PATIENCE: t.Final = 60

#: The user name that marks a secret as a refresh token.
IDENTITY: t.Final = "<token>"

_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


class Login(t.NamedTuple):
    """A user name and a password, or a refresh token."""

    username: str
    secret: str

    @property
    def is_identity(self) -> bool:
        """Return True if the secret is a refresh token, which only token services
        accept."""
        return self.username == IDENTITY

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        pair = f"{self.username}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def find(host: str) -> Login | None:
    """Return the credentials for a registry, or None.

    :param host: its name and port.
    :raises TransferError: if the file or a helper cannot be read.
    """
    config = _config()
    key = HUB_KEY if host in HUB_HOSTS else host
    helper = _mapping(config.get("credHelpers")).get(host) or config.get("credsStore")
    if helper:
        return _ask(str(helper), key)
    auths = _mapping(config.get("auths"))
    spellings = (key, f"https://{host}", f"http://{host}", f"https://{host}/v1/")
    for spelling in (*spellings, f"https://{host}/v2/", f"{host}/"):
        if spelling in auths:
            return _read(_mapping(auths[spelling]), host)
    return None


def _config() -> dict[str, t.Any]:
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    path = os.path.join(folder, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            return _mapping(json.load(file))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise TransferError(f"{path} cannot be read: {error}.") from error


def _read(entry: dict[str, t.Any], host: str) -> Login | None:
    if entry.get("identitytoken"):
        return Login(IDENTITY, str(entry["identitytoken"]))
    if entry.get("username"):
        return Login(str(entry["username"]), str(entry.get("password", "")))
    if not entry.get("auth"):
        return None
    try:
        pair = base64.b64decode(str(entry["auth"]), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TransferError(f"Docker's credentials for {host} are damaged.") from error
    username, _, secret = pair.partition(":")
    return Login(username, secret.rstrip("\0"))


def _ask(helper: str, key: str) -> Login | None:
    if not _HELPER.fullmatch(helper):
        raise TransferError(f"{helper} is not a valid name of a credential helper.")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(  # noqa: S603 - its name is checked, and there is no shell
            [program, "get"],
            input=key.encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransferError(f"{program} does not respond: {error}.") from error
    if done.returncode:
        said = (done.stdout or done.stderr).decode(errors="replace").strip()
        if "not found" in said:
            return None
        raise TransferError(f"{program} failed: {said[:200]}")
    try:
        found = json.loads(done.stdout)
        return Login(str(found["Username"]), str(found["Secret"]))
    except (ValueError, KeyError, TypeError) as error:
        raise TransferError(f"The response of {program} is invalid.") from error


def _mapping(value: object) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}
