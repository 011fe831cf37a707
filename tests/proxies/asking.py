"""Running the check on a forge, and listing what it leaves."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import typing as t

from tests.support.forge import Forge

Findings = dict[str, t.Any]


def check(forge: Forge, url: str, *arguments: str, **settings: str) -> Findings:
    """Run the check as alice, and return what it finds, by code."""
    done = forge.run(
        *("oci", "check", "--json", "--url", url, "--user", "alice", *arguments),
        **settings,
    )
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)["findings"]
    return {finding["code"]: finding for finding in found}


def left_behind(forge: Forge) -> list[str]:
    """Return the files, and the tables with rows, except the identity of the folder,
    the totals and the servers."""
    found = [
        str(path)
        for path in (forge.instance / "oci").rglob("*")
        if path.is_file() and not {"locks", "identity"} & {*path.parts}
    ]
    with contextlib.closing(sqlite3.connect(forge.instance / "forge.db")) as database:
        tables = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'oci%'"
        )
        for (name,) in tables.fetchall():
            if name in ("oci_storage", "oci_total", "oci_node"):
                continue
            found += [name for _ in database.execute(f"SELECT 1 FROM {name}")]
    return found
