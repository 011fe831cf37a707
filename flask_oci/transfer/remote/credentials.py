"""What to log in to a registry with, as Docker keeps it.

``~/.docker/config.json``, or that in ``$DOCKER_CONFIG``, has secrets, or the names of
programs that have them: ``docker-credential-<name> get`` reads a host and writes a JSON
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

from ..base import TransferError
from .address import HUB_HOSTS

#: What Docker Hub is called in the file.
HUB_KEY: t.Final = "https://index.docker.io/v1/"

#: How long a program may take, in seconds. It may have to ask somebody.
PATIENCE: t.Final = 60

#: The user name beside a secret that is a refresh token.
IDENTITY: t.Final = "<token>"

_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


class Login(t.NamedTuple):
    """A user name and a password, or a refresh token."""

    username: str
    secret: str

    @property
    def is_identity(self) -> bool:
        """Whether the secret is a refresh token, which only the token service takes."""
        return self.username == IDENTITY

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        pair = f"{self.username}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def find(host: str) -> Login | None:
    """Return what to log in to a registry with, or None.

    :param host: its name and port.
    :raises TransferError: when the file or a program cannot be read.
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
        raise TransferError(f"What Docker keeps for {host} is damaged.") from error
    username, _, secret = pair.partition(":")
    return Login(username, secret.rstrip("\0"))


def _ask(helper: str, key: str) -> Login | None:
    if not _HELPER.fullmatch(helper):
        raise TransferError(f"{helper} is no name of a program that keeps passwords.")
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
        raise TransferError(f"{program} does not answer: {error}.") from error
    if done.returncode:
        said = (done.stdout or done.stderr).decode(errors="replace").strip()
        if "not found" in said:
            return None
        raise TransferError(f"{program} failed: {said[:200]}")
    try:
        found = json.loads(done.stdout)
        return Login(str(found["Username"]), str(found["Secret"]))
    except (ValueError, KeyError, TypeError) as error:
        raise TransferError(f"{program} did not answer as it should.") from error


def _mapping(value: object) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}
