"""Prose in source files: paragraphs, docstrings, comments, messages and page text.

Each reader takes the text of one file and yields its blocks. Code, inline literals,
link targets and double-quoted quotations are masked, character by character, so that a
position in a block still counts the lines of the file.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import typing as t
from collections.abc import Iterator

#: Replaces each character of a literal. It is neither a letter nor white space.
MASK = "\N{OBJECT REPLACEMENT CHARACTER}"

#: Replaces each character that separates two blocks.
BREAK = "\f"


class Block(t.NamedTuple):
    """A paragraph, heading, list item, table cell, comment or message."""

    line: int
    text: str


def _within_paragraph(excluded: str) -> str:
    """Return a pattern for text without ``excluded`` and without an empty line.

    A lone backtick or quotation mark then hides no more than its paragraph.
    """
    return rf"(?:(?!{excluded}|\n[ \t]*\n)[\s\S])+"


_TICKED = _within_paragraph("`")
_LITERAL = re.compile(
    rf"``{_within_paragraph('``')}``"
    rf"|(?::[\w:]+:)?`(?P<title>{_within_paragraph('[`<]')})<[^`>]+>`_{{0,2}}"
    rf"|(?::[\w:]+:)?`{_TICKED}`"
    r"|(?<=\])\([^()\s]+\)"
    r"|https?://\S+"
)
_QUOTATION = re.compile(
    rf'(?<![\w"])"(?=\S){_within_paragraph(chr(34))}"(?![\w"])'
    rf"|“{_within_paragraph('”')}”"
)
_CODE_DIRECTIVE = re.compile(
    r"\.\. (?:code|code-block|sourcecode|literalinclude|raw|math)::|\.\. [_|]"
)
_UNDERLINE = re.compile(r"([^\w\s])\1{2,}")
#: The start of a list item, Markdown heading, reST directive or field.
_MARKERS = re.compile(
    r"[ \t]*(?:(?:[-*+>]|\d+[.)]|#\.|#{1,6}|\.\.(?: [\w:+-]+::)?|:[\w *,.\[\]-]+:)"
    r"(?:[ \t]+|$))*"
)


def paragraphs(text: str, line: int = 1) -> Iterator[Block]:
    """Yield the blocks of reST or Markdown: a page, a docstring or a comment.

    :param text: indented alike in all its lines, the first included.
    :param line: the line of the file at which the text starts.
    """
    prose = "\n".join(_without_code(text.split("\n")))
    prose = _QUOTATION.sub(_mask, _LITERAL.sub(_mask, prose))
    yield from _blocks("\n".join(_separated(prose.split("\n"))), line)


def _without_code(rows: list[str]) -> Iterator[str]:
    """Yield the rows, with an empty one for each row of code."""
    fenced = False
    # A literal block ends at the first row that is not indented beyond this column.
    margin: int | None = None
    for row in rows:
        stripped = row.strip()
        if margin is not None and stripped and _indentation(row) <= margin:
            margin = None
        if stripped.startswith("```"):
            fenced = not fenced
            yield ""
        elif fenced or margin is not None or stripped.startswith(">>> "):
            yield ""
        elif _CODE_DIRECTIVE.match(stripped):
            margin = _indentation(row)
            yield ""
        else:
            yield row
            if stripped.endswith("::") and not stripped.startswith(".. "):
                margin = _text_column(row)


def _separated(rows: list[str]) -> Iterator[str]:
    """Yield the rows with a BREAK wherever a block starts or ends."""
    previous: int | None = None
    for row in rows:
        start = _text_column(row)
        if not row.strip() or _UNDERLINE.fullmatch(row.strip()):
            yield BREAK
            previous = None
            continue
        if _indentation(row) < start:
            marker = start - _indentation(row)
            row = BREAK * marker + row[start:]
        elif previous is not None and start > previous:
            # The body of a definition, below its term.
            row = BREAK + row
        yield row.replace("|", BREAK)
        previous = start


def _indentation(row: str) -> int:
    return len(row) - len(row.lstrip())


def _text_column(row: str) -> int:
    """Return the column at which the text of a list item or field starts."""
    match = _MARKERS.match(row)
    return match.end() if match else 0


def _mask(match: re.Match[str]) -> str:
    """Return the match with all but white space and the title of a link masked."""
    title = match.groupdict().get("title")
    if title is None:
        return re.sub(r"\S", MASK, match[0])
    before, after = match[0].split(title, 1)
    return MASK * len(before) + title + re.sub(r"\S", MASK, after)


def _blocks(text: str, line: int) -> Iterator[Block]:
    """Split a text at its BREAKs."""
    for piece in text.split(BREAK):
        leading = piece[: len(piece) - len(piece.lstrip())]
        if piece.strip():
            yield Block(line + leading.count("\n"), piece.strip())
        line += piece.count("\n")


def python(source: str) -> Iterator[Block]:
    """Yield the docstrings and comments of a module."""
    yield from _comments(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and _is_string(node.value):
            docstring = ast.literal_eval(node.value)
            yield from paragraphs(" " * node.col_offset + docstring, node.lineno)


def python_with_messages(source: str) -> Iterator[Block]:
    """Yield the docstrings, comments and messages of a module."""
    yield from python(source)
    messages = _Messages()
    messages.visit(ast.parse(source))
    yield from messages.found


class _Messages(ast.NodeVisitor):
    """Collects the string constants of a module, without its docstrings."""

    def __init__(self) -> None:
        self.found: list[Block] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not _is_string(node.value):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._add(node, node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                text += MASK
                self.generic_visit(part)
        self._add(node, text)

    def _add(self, node: ast.expr, text: str) -> None:
        # Only the lines of a triple-quoted string are lines of the file.
        rows = (node.end_lineno or node.lineno) - node.lineno
        if text.count("\n") != rows:
            text = text.replace("\n", " ")
        self.found.extend(_blocks(text.replace(BREAK, " "), node.lineno))


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _comments(source: str) -> Iterator[Block]:
    """Yield comments; those on consecutive lines of their own are one text."""
    text, first, last = "", 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        words = token.string.lstrip("#:!")
        is_alone = not token.line[: token.start[1]].strip()
        if is_alone and token.start == (last[0] + 1, last[1]):
            text += "\n" + words
        else:
            yield from paragraphs(text, first)
            text, first = words, token.start[0]
        last = token.start if is_alone else (0, 0)
    yield from paragraphs(text, first)


_JINJA = re.compile(r"\{#(?P<comment>[\s\S]*?)#\}|\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}")
_STRING = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_HIDDEN = re.compile(r"<(script|style|code|pre)\b[\s\S]*?</\1>|<!doctype[^>]*>", re.I)
_SHOWN_ATTRIBUTE = re.compile(r"\b(?:alt|aria-label|placeholder|title)=\"([^\"]*)\"")
_INLINE_TAG = re.compile(r"</?(?:a|abbr|b|em|i|kbd|small|span|strong|time)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")


def template(source: str) -> Iterator[Block]:
    """Yield the text, comments and string constants of a Jinja template."""
    for jinja in _JINJA.finditer(source):
        line = _line(source, jinja.start())
        if jinja["comment"] is not None:
            yield from paragraphs(jinja["comment"].strip("-"), line)
            continue
        for string in _STRING.finditer(jinja[0]):
            value = string[1] or string[2] or ""
            yield from _blocks(value, line + jinja[0].count("\n", 0, string.start()))
    html = _HIDDEN.sub(_mask, _JINJA.sub(_mask, source))
    for attribute in _SHOWN_ATTRIBUTE.finditer(html):
        yield from _blocks(attribute[1], _line(html, attribute.start(1)))
    html = _INLINE_TAG.sub(lambda tag: re.sub(r"\S", " ", tag[0]), html)
    yield from _blocks(_TAG.sub(lambda tag: re.sub(r"\S", BREAK, tag[0]), html), 1)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
