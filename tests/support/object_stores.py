"""Temporary object stores: versitygw, rclone and Azurite."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import subprocess
import tempfile
import typing as t
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from flask_oci.config.bucket_url import storage
from flask_oci.storage.buckets import Bucket
from flask_oci.storage.buckets.opening import open_bucket
from tests.support.forge import free_port
from tests.support.forge import tool
from tests.support.forge import wait_until

#: The credentials of every store.
ACCESS_KEY: t.Final = "forge"
SECRET_KEY: t.Final = "forge-secret-key"
ACCOUNT_KEY: t.Final = base64.b64encode(b"forge-account-key").decode()

#: Installs rclone, of which a build takes minutes.
RCLONE: t.Final = "go install github.com/rclone/rclone@v1.76.0"

ContextOf = t.Callable[[], "contextlib.AbstractContextManager[Store]"]


class Store(t.NamedTuple):
    """A running object store with an empty bucket."""

    url: str
    """The value of ``OCI_STORAGE``, with a slash for a prefix at its end."""

    credentials: dict[str, str]
    process: subprocess.Popen[bytes]

    @property
    def scheme(self) -> str:
        """The kind of the store: ``s3`` or ``azure``."""
        return self.url.partition(":")[0]

    @property
    def port(self) -> int:
        """The port of the store."""
        return int(re.findall(r"127\.0\.0\.1:(\d+)", self.url)[0])

    def at(self, port: int) -> Store:
        """Return the same store behind a proxy.

        :param port: the port of the proxy.
        """
        return self._replace(url=self.url.replace(f":{self.port}", f":{port}"))

    def config(self, prefix: str = "") -> dict[str, object]:
        """Return the configuration of an application, with a prefix."""
        address, _, options = self.url.partition("?")
        return {
            "OCI_STORAGE": f"{address}/{prefix}?{options}",
            "OCI_STORAGE_CREDENTIALS": self.credentials,
        }

    def environment(self, prefix: str = "") -> dict[str, str]:
        """Return the environment of a forge whose blobs are in the store."""
        keys = self.credentials
        if "account_key" in keys:
            found = {"AZURE_STORAGE_KEY": keys["account_key"]}
        else:
            found = {
                "AWS_ACCESS_KEY_ID": keys["access_key"],
                "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
            }
        return {"OCI_STORAGE": str(self.config(prefix)["OCI_STORAGE"]), **found}

    @property
    def address(self) -> str:
        """The scheme, the host and the port of the store."""
        parts = urlsplit(self.url.partition("endpoint=")[2])
        return f"{parts.scheme}://{parts.netloc}"

    def bucket(self, prefix: str = "") -> Bucket:
        """Return the bucket, as an application opens it."""
        url = storage(self.config(prefix)["OCI_STORAGE"])
        return open_bucket(t.cast(t.Any, url), self.credentials)


@contextlib.contextmanager
def versitygw() -> t.Iterator[Store]:
    """Run versitygw in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="versitygw-") as folder:
        Path(folder, "blobs").mkdir()
        port = free_port()
        program = tool("versitygw", ".ci/install")
        command = (program, "--port", f"127.0.0.1:{port}", "posix", folder)
        keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
        with _running(command, port, keys) as process:
            yield _s3(port, process)


@contextlib.contextmanager
def rclone() -> t.Iterator[Store]:
    """Run rclone's S3 server in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="rclone-") as folder:
        Path(folder, "blobs").mkdir()
        port = free_port()
        program = tool("rclone", "built by Go", RCLONE)
        command = (
            *(program, "serve", "s3", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"),
            *("--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "off", folder),
        )
        with _running(command, port, {"RCLONE_CONFIG": f"{folder}.conf"}) as process:
            yield _s3(port, process)


@contextlib.contextmanager
def azurite(certificate: tuple[Path, Path] | None = None) -> t.Iterator[Store]:
    """Run Azurite with its data in a temporary folder.

    :param certificate: the files of a certificate, which is its own issuer, and its
        key. With it, the store has HTTPS and accepts the tokens of an identity.
    """
    from azure.storage.blob import ContainerClient

    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        port = free_port()
        program = tool("azurite-blob", ".ci/install")
        command: tuple[str, ...] = (
            *(program, "--blobPort", str(port), "--blobHost", "127.0.0.1"),
            *("--location", folder, "--skipApiVersionCheck", "--silent"),
        )
        scheme, is_ready = "http", _answers
        verify: str | bool = True
        if certificate is not None:
            file, key_file = map(str, certificate)
            command += ("--oauth", "basic", "--cert", file, "--key", key_file)
            scheme, verify, is_ready = "https", file, _accepts
        accounts = {"AZURITE_ACCOUNTS": f"forge:{ACCOUNT_KEY}"}
        with _running(command, port, accounts, is_ready) as process:
            endpoint = f"{scheme}://127.0.0.1:{port}/forge"
            key = {"account_name": "forge", "account_key": ACCOUNT_KEY}
            with ContainerClient(
                endpoint, "blobs", credential=key, connection_verify=verify
            ) as container:
                container.create_container()
            url = f"azure://forge/blobs?endpoint={endpoint}"
            yield Store(url, {"account_key": ACCOUNT_KEY}, process)


#: The functions that start each store.
STORES: t.Final[dict[str, ContextOf]] = {
    "versitygw": versitygw,
    "rclone": rclone,
    "azurite": azurite,
}


def _s3(port: int, process: subprocess.Popen[bytes]) -> Store:
    url = f"s3://blobs?endpoint=http://127.0.0.1:{port}"
    credentials = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    return Store(url, credentials, process)


@contextlib.contextmanager
def _running(
    command: tuple[str, ...],
    port: int,
    variables: dict[str, str],
    is_ready: t.Callable[[int], bool] | None = None,
) -> t.Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**os.environ, **variables}, stdout=log, stderr=log
        )
        try:
            ready = is_ready or _answers
            wait_until(lambda: ready(port), 30, f"the start of {command[0]}")
            yield process
        finally:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def _accepts(port: int) -> bool:
    """Return True if a server with TLS listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True
