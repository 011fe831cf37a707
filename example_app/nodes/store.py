"""An S3 store for the nodes: versitygw, which keeps objects as files."""

from __future__ import annotations

import json
import secrets
import typing as t
from pathlib import Path

from .parts import answers
from .parts import free_port
from .parts import Part

BUCKET: t.Final = "forge-images"


def start(
    programs: t.Mapping[str, str], folder: Path
) -> tuple[Part, int, dict[str, str]]:
    """Start a store with an empty bucket.

    :param folder: an absent folder for its objects.
    :return: the store, its port on 127.0.0.1, and the settings of the registry.
    :raises Failed: if it does not start.
    """
    # A folder below the store's folder is a bucket.
    Path(folder, BUCKET).mkdir(mode=0o700, parents=True)
    port, secret = free_port(), secrets.token_hex(16)
    part = Part(
        "The store",
        folder.with_suffix(".log"),
        [programs["versitygw"], "--port", f"127.0.0.1:{port}", "posix", str(folder)],
        environment={"ROOT_ACCESS_KEY": "forge", "ROOT_SECRET_KEY": secret},
    )
    part.wait(lambda: answers(port))
    credentials = {"access_key": "forge", "secret_key": secret}
    return (
        part,
        port,
        {
            "OCI_STORAGE": f"s3://{BUCKET}?endpoint=http://127.0.0.1:{port}",
            "OCI_STORAGE_CREDENTIALS": json.dumps(credentials),
            "OCI_DOWNLOADS": "nginx",
        },
    )
