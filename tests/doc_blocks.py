"""The Python code of the documentation, and the applications that it makes."""

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

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

MARKDOWN_BLOCK = r"^ *```python\n(?P<options>)(?P<code>(?:.*\n)*?) *```$"
REST_BLOCK = (
    r"^ *\.\. code-block:: python\n(?P<options>(?: +:.*\n)*)"
    r"\n+(?P<code>(?P<indent> +)\S.*\n(?:\s*\n|(?P=indent).*\n)*)"
)
REST_HEADING = r"^(.+)\n([=~-])\2{2,}$"


class Block(t.NamedTuple):
    page: str
    section: str
    line: int
    caption: str | None
    code: str


def blocks(path: Path) -> t.Iterator[Block]:
    """Find the Python code of a page, be it Markdown or reStructuredText."""
    text = path.read_text("utf-8")
    page = path.relative_to(ROOT).as_posix()
    pattern = MARKDOWN_BLOCK if path.suffix == ".md" else REST_BLOCK
    for match in re.finditer(pattern, text + "\n", re.MULTILINE):
        caption = re.search(r":caption: (.+)", match["options"])
        above = re.findall(REST_HEADING, text[: match.start()], re.MULTILINE)
        yield Block(
            page,
            above[-1][0] if above else "",
            text.count("\n", 0, match.start("code")) + 1,
            caption[1] if caption else None,
            textwrap.dedent(match["code"]),
        )


PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.rst"), *DOCS.glob("*.md")])
BLOCKS = [block for page in PAGES for block in blocks(page)]


@contextlib.contextmanager
def application(folder: Path, *sections: str) -> t.Iterator[Flask]:
    """Make the application that a reader of the quickstart ends up with.

    :param folder: for its package, and all that it stores.
    :param sections: headings below which other pages show more files of it, or
        others in the place of those that it has.
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
        yield importlib.import_module("forge").create_app()
    finally:
        sys.path.remove(str(folder))
        _forget_forge()
        sys.modules.update(others)


def _of(sections: t.Collection[str]) -> list[Block]:
    return [block for block in BLOCKS if block.section in sections]


def _forget_forge() -> dict[str, types.ModuleType]:
    # Other tests have a module of that name.
    names = [name for name in sys.modules if name.split(".")[0] == "forge"]
    return {name: sys.modules.pop(name) for name in names}
