"""Capabilities of the package, read from its source."""

from __future__ import annotations

import ast
import typing as t
from functools import cache
from pathlib import Path

import pytest

import flask_oci

(PACKAGE,) = map(Path, flask_oci.__path__)
#: Modules of the transfer and testing packages are excluded: operators and tests call
#: them. The import contracts keep requests from reaching them.
SOURCES = sorted(
    source
    for source in PACKAGE.rglob("*.py")
    if source.relative_to(PACKAGE).parts[0] not in ("transfer", "testing")
)

#: Modules that no part of the package may import, by what they would let a client do.
FORBIDDEN: t.Final = {
    "have the server fetch something": (
        "aiohttp http.client httpx requests socket ssl urllib.request urllib3 ftplib"
    ),
    "have an object made of what it sent": "dill marshal pickle shelve yaml",
    "have something small become large": "bz2 gzip lzma tarfile zipfile zstandard",
    "have a program run": "code ctypes multiprocessing pty subprocess",
    "have XML read": "xml lxml",
}

#: Modules that are allowed: the command line's check connects to the address that its
#: operator types, and no view reaches it. Events are sent to webhooks that
#: administrators set, and images are fetched from upstreams that the configuration
#: names, as far as the address filter allows; clients cannot name either. The scanner
#: is a program that an operator types at a terminal; an import contract keeps requests
#: from reaching it.
EXCEPT: t.Final = {
    "have the server fetch something": (
        "cli/check/http_transport.py",
        "cli/check/tls.py",
        "events/http_client.py",
        "storage/buckets/azure_transport.py",
        "upstreams/client.py",
        "upstreams/remote_errors.py",
    ),
    "have a program run": ("operations/scanner.py",),
}

#: Functions that would do the same.
CALLS: t.Final = frozenset({"eval", "exec", "compile", "__import__", "system", "popen"})


@cache
def nodes(source: Path) -> list[ast.AST]:
    """Return the nodes of the syntax tree of a module."""
    return [*ast.walk(ast.parse(source.read_text("utf-8")))]


def imports(source: Path) -> t.Iterator[str]:
    """Yield the names that a module imports, each with all of its dots."""
    for node in nodes(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_package_imports_no_forbidden_module(what: str) -> None:
    """A registry stores what is pushed. It reaches only the webhooks, upstreams and
    stores that its operator names, and unpacks and runs nothing."""
    forbidden = FORBIDDEN[what].split()
    found = {
        f"{source.relative_to(PACKAGE)}: {name}"
        for source in SOURCES
        if source.relative_to(PACKAGE).as_posix() not in EXCEPT.get(what, ())
        for name in imports(source)
        if any(f"{name}.".startswith(f"{module}.") for module in forbidden)
    }
    assert not found


def test_package_decompresses_nothing() -> None:
    """Of zlib, there is a checksum and no more."""
    used = {
        node.attr
        for source in SOURCES
        for node in nodes(source)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "zlib"
    }
    assert used <= {"crc32"}


def test_package_evaluates_no_text() -> None:
    """There is no function called that would make it so."""
    found = {
        f"{source.relative_to(PACKAGE)}: {name}"
        for source in SOURCES
        for node in nodes(source)
        if isinstance(node, ast.Call) and (name := _called(node)) in CALLS
    }
    assert not found


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    if isinstance(call.func, ast.Attribute) and ast.unparse(call.func) != "re.compile":
        return call.func.attr
    return ""
