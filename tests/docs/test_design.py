"""The page on the design, and that for contributors, name what there is."""

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
    """Return what is defined in the package: files, modules, and names in them."""
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
    """Return what a statement defines."""
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
    """Return the number of each invariant, and where it is held."""
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", DESIGN, re.MULTILINE)
    assert len(rows) >= 12
    return rows


@pytest.mark.parametrize(("number", "where"), invariants(), ids=lambda v: v[:2])
def test_an_invariant_is_held_where_the_page_says(number: str, where: str) -> None:
    """Each function and each file that a row names is there."""
    found = re.findall(r"`([^`]+)`", where)
    assert found, f"{number} is held nowhere"
    known = DEFINED | {word for word in found if word.startswith("OCI_")}
    assert [word for word in found if word not in known] == []


def test_every_table_is_on_the_page() -> None:
    """With what a row of it is."""
    tables = set(db.metadata.tables)
    described = re.findall(r"^\| `(oci_\w+)` \|", DESIGN, re.MULTILINE)
    assert sorted(described) == sorted(t for t in tables if t.startswith("oci_"))


EXAMPLES = [block for block in BLOCKS if block.page == "CONTRIBUTING.md"]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda b: b.caption)
def test_an_example_of_our_style_is_our_code(block: t.Any) -> None:
    """What the page shows is what the file has, word for word."""
    shown = bare(block.code.partition("\n")[2])
    assert shown
    assert shown in bare((ROOT / block.caption).read_text("utf-8"))


def bare(code: str) -> str:
    """Return code without what it is indented by."""
    return "\n".join(line.strip() for line in code.strip().splitlines())


def test_every_environment_is_on_the_page() -> None:
    """Whoever contributes finds out how to run each kind of test."""
    config = (ROOT / "tox.ini").read_text("utf-8")
    wanted = re.findall(r"^\[testenv:(\w[\w-]*)\]$", config, re.MULTILINE)
    assert [name for name in wanted if f"tox -e {name}" not in CONTRIBUTING] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md"])
def test_every_file_that_is_named_is_there(page: str) -> None:
    """A path leads somewhere."""
    text = (ROOT / page).read_text("utf-8")
    places = (
        *(ROOT, PACKAGE, PACKAGE / "web/templates"),
        *(ROOT / "tests", ROOT / "tests/torture"),
    )
    for path in set(re.findall(r"`([\w/.-]+\.(?:py|rst|md|toml|html|css))`", text)):
        assert any((place / path).exists() for place in places), path
