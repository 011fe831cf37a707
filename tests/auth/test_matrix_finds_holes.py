"""Test of the access matrix: it finds each missing check."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import flask_oci
from tests.support.paths import ROOT

#: Each test starts a program that builds the whole world of the matrix.
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Hole:
    """A check to remove from the package."""

    endpoint: str
    """Where it is missed."""

    module: str
    function: str
    check: str
    instead: str
    policy: str = "host"
    """By which the matrix is asked."""


def unchecked(endpoint: str, module: str, function: str, action: str) -> Hole:
    """Return a view that finds a repository without an access check."""
    found = (
        f"services().catalog.repositories.find(name, by_old_name={action == 'pull'})"
    )
    return Hole(endpoint, module, function, f'admit(name, "{action}")', found)


HOLES = {
    "blobs for everybody": unchecked("oci.blob", "v2/pull.py", "blob", "pull"),
    "manifests for everybody": unchecked(
        "oci.manifest", "v2/pull.py", "manifest", "pull"
    ),
    "tags for everybody": unchecked("oci.tags", "v2/discovery.py", "tags", "pull"),
    "referrers for everybody": unchecked(
        "oci.referrers", "v2/discovery.py", "referrers", "pull"
    ),
    "uploads by everybody": unchecked(
        "oci.uploads", "v2/push_blob.py", "start", "push"
    ),
    "sessions of everybody": unchecked(
        "oci.upload", "v2/push_blob.py", "_find_session", "push"
    ),
    "manifests by everybody": unchecked(
        "oci.manifest_put", "v2/push_manifest.py", "put", "push"
    ),
    "deleting with the right to push": Hole(
        "oci.manifest_delete",
        "v2/management.py",
        "_admit",
        'admit(name, "delete")',
        'admit(name, "push")',
    ),
    "a catalog of everything": Hole(
        "oci.catalog",
        "v2/discovery.py",
        "read",
        "previous.name if previous else start, condition",
        "previous.name if previous else start, None",
        policy="default",
    ),
    "a catalog past the limits": Hole(
        "oci.catalog",
        "http/readable.py",
        "readable_repositories",
        "is_exact or",
        "condition is not None or",
        policy="default",
    ),
    "tokens for whatever is asked": Hole(
        "oci.token",
        "http/authorization.py",
        "allowed_actions",
        "if _decide_on(",
        "if True or _decide_on(",
    ),
    "a token for another service": Hole(
        "oci.blob", "auth/signed_tokens.py", "read", "!= self._service", "is None"
    ),
    "an inactive account": Hole(
        "oci.blob",
        "auth/authenticator.py",
        "_may_use",
        "and self._accounts.is_active(user)",
        "",
    ),
    "a revoked access token": Hole(
        "oci.blob",
        "auth/authenticator.py",
        "_by_bearer",
        "if credential is None:",
        "if False:",
    ),
    "limits that limit nothing": Hole(
        "oci.manifest_delete",
        "http/authorization.py",
        "_may",
        "not caller.credential_allows(action, repository.name)",
        "False",
    ),
    "an access list that limits nothing": Hole(
        "oci.tags",
        "http/authorization.py",
        "admit",
        "not principal().token_covers(action, name)",
        "False",
    ),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_matrix_without_a_check_fails(tmp_path: Path, hole: Hole) -> None:
    """The matrix fails for each check that is missing."""
    package = tmp_path / "holed"
    copy_package(package)
    dig(package / "flask_oci" / hole.module, hole)
    assert violations_of(package, hole.endpoint, policy=hole.policy)


def test_matrix_of_unchanged_copy_finds_nothing(tmp_path: Path) -> None:
    """A finding in a changed copy is the effect of the change."""
    package = tmp_path / "whole"
    copy_package(package)
    endpoints = ("oci.blob", "oci.token", "oci.catalog")
    assert violations_of(package, *endpoints) == []
    assert violations_of(package, "oci.catalog", policy="default") == []


def copy_package(target: Path) -> None:
    """Copy the package to a folder where it can be changed."""
    (source,) = flask_oci.__path__
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target / "flask_oci", ignore=ignored)


def dig(path: Path, hole: Hole) -> None:
    """Remove the check from a function of a module."""
    text = path.read_text()
    head = re.search(rf"^ *def {hole.function}\(", text, re.MULTILINE)
    assert head, f"{path.name} has no {hole.function}"
    end = re.compile(r"^ *(@|def )", re.MULTILINE).search(text, head.end())
    stop = end.start() if end else len(text)
    body = text[head.start() : stop]
    assert hole.check in body, f"{hole.function} has no {hole.check}"
    body = body.replace(hole.check, hole.instead)
    path.write_text(text[: head.start()] + body + text[stop:])


def violations_of(package: Path, *endpoints: str, policy: str = "host") -> list[str]:
    """Return the findings of the matrix in a copy of the package."""
    # The database of the test is in use, so the copy uses SQLite.
    inherited = {k: v for k, v in os.environ.items() if k != "TEST_DATABASE_URL"}
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1));"
        " import flask_oci; assert flask_oci.__file__.startswith(sys.path[0]);"
        " from tests.support import access_matrix; access_matrix.main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(package), *endpoints, "--policy", policy],
        env=inherited | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    # A program that fails has no findings.
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
