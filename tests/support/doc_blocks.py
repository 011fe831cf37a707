"""The code and the commands of the documentation, and the applications it makes."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import textwrap
import types
import typing as t
from pathlib import Path

from flask import Flask

from tests.support.paths import ROOT

DOCS = ROOT / "docs"

MARKDOWN_BLOCK = (
    r"^ *```(?P<kind>[a-z]+)\n"
    r"(?P<code>(?:# (?P<caption>\S+\.py)\n)?(?:.*\n)*?) *```$"
)
MARKDOWN_HEADING = r"^##+ (?P<title>.+)$"
REST_BLOCK = (
    r"^ *\.\. code-block:: (?P<kind>\w+)\n(?: +:caption: (?P<caption>.+)\n)?"
    r"\n+(?P<code>(?P<indent> +)\S.*\n(?:\s*\n|(?P=indent).*\n)*)"
)
REST_HEADING = r"^(?P<title>.+)\n([=~-])\2{2,}$"


class Block(t.NamedTuple):
    page: str
    section: str
    line: int
    kind: str
    caption: str | None
    code: str


def blocks(path: Path) -> t.Iterator[Block]:
    """Yield the code blocks of a Markdown or reStructuredText page."""
    text = path.read_text("utf-8")
    page = path.relative_to(ROOT).as_posix()
    block, heading = REST_BLOCK, REST_HEADING
    if path.suffix == ".md":
        block, heading = MARKDOWN_BLOCK, MARKDOWN_HEADING
    for match in re.finditer(block, text + "\n", re.MULTILINE):
        above = [*re.finditer(heading, text[: match.start()], re.MULTILINE)]
        yield Block(
            page,
            above[-1]["title"] if above else "",
            text.count("\n", 0, match.start("code")) + 1,
            match["kind"],
            match["caption"],
            textwrap.dedent(match["code"]),
        )


PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.rst"), *DOCS.glob("*.md")])
ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]

#: The Python code.
BLOCKS = [block for block in ALL_BLOCKS if block.kind == "python"]


def commands(block: Block) -> t.Iterator[str]:
    """Yield the commands of a block, one per line: the text after each prompt, or all
    lines of a console without prompts."""
    if block.kind not in ("console", "text"):
        return
    text = block.code.replace("\\\n", " ")
    bare = block.kind == "console" and "$ " not in text
    for line in re.findall(r"^(.+)$" if bare else r"^\$ (.+)$", text, re.MULTILINE):
        yield re.sub(r"\s+", " ", line)


def typed(page: str, section: str) -> list[str]:
    """Return the commands of one section of a page."""
    found = [
        command
        for block in ALL_BLOCKS
        if (block.page, block.section) == (page, section)
        for command in commands(block)
    ]
    assert found, f"{page} has no command below {section!r}"
    return found


@contextlib.contextmanager
def application(folder: Path, *sections: str, **config: t.Any) -> t.Iterator[Flask]:
    """Create the application of the quickstart.

    :param folder: for its package and its data.
    :param sections: headings of other pages whose files are added, or replace files
        of the quickstart.
    :param config: settings of the application.
    """
    start = [block for block in BLOCKS if block.page == "docs/quickstart.rst"]
    for block in (*start, *_of(sections)):
        if block.caption:
            file = folder / block.caption
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.code, "utf-8")
    others = _forget_forge()
    sys.path.insert(0, str(folder))
    try:
        for block in _of(sections):
            if block.caption:
                importlib.import_module(block.caption[:-3].replace("/", "."))
        yield importlib.import_module("forge").create_app(config)
    finally:
        sys.path.remove(str(folder))
        _forget_forge()
        sys.modules.update(others)


def _of(sections: t.Collection[str]) -> list[Block]:
    return [block for block in BLOCKS if block.section in sections]


def _forget_forge() -> dict[str, types.ModuleType]:
    # Other tests have a module with this name.
    names = [name for name in sys.modules if name.split(".")[0] == "forge"]
    return {name: sys.modules.pop(name) for name in names}
