"""The programs and packages that the nodes need."""

from __future__ import annotations

import importlib.util
import os
import shutil
import typing as t
from pathlib import Path

#: The folders of Debian's daemons, which the PATH of a user may lack.
FOLDERS: t.Final = ("/usr/sbin", "/usr/local/sbin")

INSTALL: t.Final = {
    "initdb": "apt install postgresql",
    "postgres": "apt install postgresql",
    "nginx": "apt install nginx-light",
    "versitygw": "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0",
    "gunicorn": "pip install -e '.[example]'",
    "botocore": "pip install -e '.[s3]'",
    "psycopg": "pip install 'psycopg[binary]'",
}
PACKAGES: t.Final = ("gunicorn", "botocore", "psycopg")


class Missing(Exception):
    """Programs or packages that are not installed."""

    def __init__(self, names: t.Sequence[str]) -> None:
        lines = (f"  {name:10} {INSTALL[name]}" for name in names)
        super().__init__("Install what is missing:\n" + "\n".join(lines))


def find_programs() -> dict[str, str]:
    """Return the path of each program.

    :raises Missing: if a program or a package is not installed.
    """
    found = {name: _find(name) for name in INSTALL if name not in PACKAGES}
    missing = [name for name, path in found.items() if path is None]
    missing += [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Missing(missing)
    return {name: path for name, path in found.items() if path is not None}


def _find(name: str) -> str | None:
    # Debian's programs of PostgreSQL are in a folder of their version.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders = (
        *(os.environ.get("OCI_TOOLS", ""), os.environ.get("PATH", "")),
        *(*FOLDERS, *map(str, versions)),
    )
    return shutil.which(name, path=os.pathsep.join(filter(None, folders)))
