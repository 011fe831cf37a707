"""The language of the project: words and turns of phrase that it does not use.

``python tests/style/language.py [FILE or FOLDER ...]`` reads the documentation, the
docstrings and comments of all Python code, the messages of ``flask_oci`` and
``example_app``, and the text of their templates. It prints each finding with the
replacement to use, and exits with 1 if there is a finding. No line is exempt.
"""

from __future__ import annotations

import re
import sys
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

# As a script, this runs without an installed project.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.style import prose

ROOT = Path(__file__).resolve().parents[2]

#: Words that the project does not use, and the words to use instead.
WORDS = (
    (r"somebody|someone", "a user, a client, a caller or another role"),
    (r"anybody|anyone", "any user, any client"),
    (r"nobody|no one", "no user, no client; or the passive"),
    (r"whoever|whomever", "the user who, a client that"),
    (r"whom", "a role as the subject of the clause"),
    (r"(?:only|to|from|for) who", "a role before who: only users who, to the user who"),
    (r"had with", "issued for, granted by, obtained with"),
    (r"(?:lay|lays|laid|laying) down", "set, define"),
    (r"(?:tell|tells|telling|told) of", "notify of, report, list"),
    (r"in the place of", "instead of"),
    (r"mend|mends|mended|mending", "fix, repair"),
    (r"how (?:much|many) of how (?:much|many)", "used N of M"),
)

_MARKUP = r"[(\[*_\"“]*"
_AFTER_SENTENCE = r"(?<=[.!?:])[)\]*_\"”]*\s+"
# A small letter opens a comment, a message or the text of a field. A question is
# allowed: the next mark that ends a sentence is its question mark.
_OPENING = (
    rf"(?:\A{_MARKUP}(?i:what|who|whatever)"
    rf"|{_AFTER_SENTENCE}{_MARKUP}(?:What|Who|Whatever))"
    r"(?:['\N{RIGHT SINGLE QUOTATION MARK}]s)?\s(?![^.!?]*\?)"
)
# Some pronouns are subjects in any clause, the others before one of these verbs.
_VERBS = (
    "is|are|was|were|has|have|had|may|might|can|cannot|could|will|would|must|should"
    "|does|do|did|needs?|wants?|gets?|knows?|comes?|takes?|makes?"
)
_BECAUSE = (
    r"(?<=[,;]\s)for\s+(?:(?:he|she|they|we|there)"
    rf"|(?:it|that|this|these|those|you)\s+(?:{_VERBS}))\b"
)

#: A name, a pattern and the replacement for each shape of sentence that is not used.
SENTENCES = (
    (
        "opens with What or Who",
        _OPENING,
        "the actor or the thing first: Users who …, The response contains …",
    ),
    (
        "opens with Return what or Tell whether",
        r"\A(?:Return|Returns|Say|Tell|Yield) (?:what|who|whether)\b",
        "a noun: Return the …, Return True if …",
    ),
    ("for in the sense of because", _BECAUSE, "because"),
)


class Rule(t.NamedTuple):
    """A pattern that the project does not use."""

    #: None for words, which are their own name.
    name: str | None
    pattern: re.Pattern[str]
    instead: str


class Finding(t.NamedTuple):
    """A place in a text that breaks a rule."""

    line: int
    pattern: str
    excerpt: str
    instead: str


def _rules() -> Iterator[Rule]:
    for words, instead in WORDS:
        pattern = rf"\b(?:{words})\b".replace(" ", r"\s+")
        yield Rule(None, re.compile(pattern, re.IGNORECASE), instead)
    for name, pattern, instead in SENTENCES:
        yield Rule(name, re.compile(pattern), instead)


RULES = tuple(_rules())

#: The files that are read, and the reader of each.
READERS: tuple[tuple[str, Callable[[str], Iterator[prose.Block]]], ...] = (
    ("*.md", prose.paragraphs),
    ("*.rst", prose.paragraphs),
    ("docs/*.md", prose.paragraphs),
    ("docs/*.rst", prose.paragraphs),
    ("docs/*.py", prose.python),
    ("flask_oci/**/*.py", prose.python_with_messages),
    ("flask_oci/web/templates/**/*.html", prose.template),
    ("example_app/*.py", prose.python_with_messages),
    ("example_app/tests/*.py", prose.python),
    ("example_app/templates/**/*.html", prose.template),
    ("benchmarks/**/*.py", prose.python),
    ("tests/**/*.py", prose.python),
)


def findings(blocks: Iterable[prose.Block]) -> list[Finding]:
    """Return the places that break a rule, in the order of their lines."""
    found = []
    for block in blocks:
        for rule in RULES:
            for match in rule.pattern.finditer(block.text):
                line = block.line + block.text.count("\n", 0, match.end())
                name = rule.name or " ".join(match[0].lower().split())
                excerpt = _excerpt(block.text, match)
                found.append(Finding(line, name, excerpt, rule.instead))
    return sorted(found)


def _excerpt(text: str, match: re.Match[str]) -> str:
    """Return the match with some of the text around it, in one line."""
    around = text[max(match.start() - 30, 0) : match.end() + 40]
    return " ".join(re.sub(f"{prose.MASK}+", "…", around).split())


def project(chosen: list[Path]) -> Iterator[tuple[Path, Finding]]:
    """Yield the findings of the project, each with its file.

    :param chosen: absolute paths of the files and folders to read; if empty, all.
    """
    for glob, reader in READERS:
        for path in sorted(ROOT.glob(glob)):
            if not chosen or any(path.is_relative_to(each) for each in chosen):
                for finding in findings(reader(path.read_text("utf-8"))):
                    yield path.relative_to(ROOT), finding


def main(arguments: list[str]) -> int:
    """Print the findings, and return 1 if there are any."""
    count = 0
    for path, found in project([Path(each).resolve() for each in arguments]):
        count += 1
        print(f"{path}:{found.line}: {found.pattern}: {found.excerpt}")
        print(f"    use: {found.instead}")
    if count:
        print(f"Findings: {count}. CONTRIBUTING.md describes the style.")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
