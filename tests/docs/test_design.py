"""The design page and CONTRIBUTING name existing code, tables and files."""

from __future__ import annotations

import ast
import re
import typing as t

import pytest

from tests.support.doc_blocks import BLOCKS
from tests.support.doc_blocks import DOCS
from tests.support.host import db
from tests.support.paths import ROOT

PACKAGE = ROOT / "flask_oci"

DESIGN = (DOCS / "design.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def defined() -> t.Iterator[str]:
    """Yield the files and modules of the package, and the names defined in them."""
    for path in PACKAGE.rglob("*.py"):
        yield path.relative_to(PACKAGE).as_posix()
        yield path.relative_to(ROOT).as_posix()
        module = path.relative_to(PACKAGE).with_suffix("")
        parts = [part for part in module.parts if part != "__init__"]
        yield ".".join(parts)
        yield ".".join(["flask_oci", *parts])
        for node in ast.parse(path.read_text("utf-8")).body:
            for name in names(node):
                yield from (name, f"{path.stem}.{name}", name.rpartition(".")[2])


def names(node: ast.stmt) -> t.Iterator[str]:
    """Yield the names that a statement defines."""
    match node:
        case ast.FunctionDef(name=name):
            yield name
        case ast.ClassDef(name=name, body=body):
            yield name
            yield from (f"{name}.{inner}" for part in body for inner in names(part))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))


DEFINED = frozenset(defined())


def invariants() -> list[tuple[str, str]]:
    """Return the number of each invariant, and its cell "Enforced by"."""
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", DESIGN, re.MULTILINE)
    assert len(rows) >= 12
    return rows


@pytest.mark.parametrize(("number", "where"), invariants(), ids=lambda v: v[:2])
def test_invariant_names_existing_code(number: str, where: str) -> None:
    """Each row names code, and all of it exists."""
    found = re.findall(r"`([^`]+)`", where)
    assert found, f"invariant {number} names no code"
    known = DEFINED | {word for word in found if word.startswith("OCI_")}
    assert [word for word in found if word not in known] == []


def test_design_page_lists_every_table() -> None:
    """The page describes exactly the registry's tables."""
    tables = set(db.metadata.tables)
    described = re.findall(r"^\| `(oci_\w+)` \|", DESIGN, re.MULTILINE)
    assert sorted(described) == sorted(t for t in tables if t.startswith("oci_"))


EXAMPLES = [block for block in BLOCKS if block.page == "CONTRIBUTING.md"]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda b: b.caption)
def test_style_example_equals_its_file(block: t.Any) -> None:
    """The file contains the example word for word."""
    shown = bare(block.code.partition("\n")[2])
    assert shown
    assert shown in bare((ROOT / block.caption).read_text("utf-8"))


def bare(code: str) -> str:
    """Return code without indentation."""
    return "\n".join(line.strip() for line in code.strip().splitlines())


def test_contributing_names_every_tox_environment() -> None:
    """A contributor finds the command for each kind of test."""
    config = (ROOT / "tox.ini").read_text("utf-8")
    wanted = re.findall(r"^\[testenv:(\w[\w-]*)\]$", config, re.MULTILINE)
    assert [name for name in wanted if f"tox -e {name}" not in CONTRIBUTING] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md"])
def test_page_names_existing_files(page: str) -> None:
    """Each path is relative to one of the known folders."""
    text = (ROOT / page).read_text("utf-8")
    places = (
        *(ROOT, PACKAGE, PACKAGE / "web/templates"),
        *(ROOT / "tests", ROOT / "tests/torture"),
    )
    for path in set(re.findall(r"`([\w/.-]+\.(?:py|rst|md|toml|html|css))`", text)):
        assert any((place / path).exists() for place in places), path
