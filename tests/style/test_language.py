"""The check of the language: phrases that it finds, and contexts that it leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.style import language
from tests.style import prose

#: For each pattern, by its name in a finding, a sentence that has it.
BROKEN = [
    ("somebody", "It belongs to somebody."),
    ("someone", "Someone's token expires."),
    ("anybody", "Anybody may pull."),
    ("anyone", "It is open to anyone."),
    ("nobody", "Nobody can push."),
    ("no one", "No one can push."),
    ("whoever", "It asks whoever pushes."),
    ("whomever", "It asks whomever it finds."),
    ("whom", "The user to whom it belongs."),
    ("only who", "Only who may push."),
    ("to who", "It goes to who asks."),
    ("from who", "It comes from who pushes."),
    ("for who", "It is there for\nwho pushes."),
    ("had with", "A token that was had with it."),
    ("lay down", "Lay down a rule."),
    ("lays down", "It lays down a rule."),
    ("laid down", "The rule that is laid\ndown."),
    ("told of", "It is told of events."),
    ("tells of", "It tells of events."),
    ("in the place of", "It is used in the place of a password."),
    ("mended", "The blob is mended."),
    ("how much of how much", "It shows how much of how much is used."),
    ("opens with What or Who", "What a client sends is kept."),
    ("opens with What or Who", "Who pushes is the owner."),
    ("opens with What or Who", "Whatever comes is kept."),
    ("opens with What or Who", "It ends. *What is left* is deleted."),
    ("opens with What or Who", "It is simple: What is left is deleted."),
    ("opens with What or Who", "what a client sends"),
    ("opens with What or Who", "What is left. Is it much?"),
    ("opens with Return what or Tell whether", "Return what a client sent."),
    ("opens with Return what or Tell whether", "Tell whether it is there."),
    ("for in the sense of because", "It waits, for it has no lock."),
    ("for in the sense of because", "It waits, for\nthey push."),
]

#: Sentences that resemble them.
SOUND = [
    "Only users who may push can delete.",
    "The owner decides what is kept and who may pull.",
    "What is a registry?",
    "The page has an answer. Who may push?",
    "What",
    "See the column “What”.",
    "A body is read to the end.",
    "The user told the client; of three, one is left.",
    "It waits for it, for this request, and for you.",
    "The amendment recommends it.",
    "The button is laid out down there.",
    "Return the tag. Use it instead of a digest.",
]


@pytest.mark.parametrize(("pattern", "text"), BROKEN)
def test_findings_unused_phrase_found(pattern: str, text: str) -> None:
    """Each pattern is found in a paragraph, with a replacement to use."""
    found = language.findings(prose.paragraphs(text))
    assert [finding.pattern for finding in found] == [pattern]
    assert all(finding.instead for finding in found)


@pytest.mark.parametrize("text", SOUND)
def test_findings_similar_phrase_not_found(text: str) -> None:
    """Questions, parts of words and other senses of a word are allowed."""
    assert language.findings(prose.paragraphs(text)) == []


def test_rules_every_pattern_has_an_example() -> None:
    """A pattern that is added to the table needs a sentence above."""
    texts = [text for _, text in BROKEN]
    for rule in language.RULES:
        assert any(rule.pattern.search(text) for text in texts), rule.pattern.pattern


def lines_of(blocks: Iterable[prose.Block]) -> list[int]:
    """Return the line of each finding."""
    return [finding.line for finding in language.findings(blocks)]


REST = """\
Title for nobody
================

Call ``nobody`` or `whoever`, or :meth:`~app.whom`, or "somebody" as RFC 1
says, “anybody” too; see :doc:`who nobody is <nobody>`.

.. _nobody: https://example.org/

.. code-block:: python

    nobody = 1

    whom = 2

-   An item::

        somebody

    It ends with nobody.

``term``
    What it means.

.. note::
    Somebody reads it.

.. list-table::

    * - What it is
      - whom it serves

:param name: who has it.
"""


def test_paragraphs_rest_code_literals_and_quotations_skipped() -> None:
    """Headings, items, definitions, notes, cells, fields and link titles are prose."""
    assert lines_of(prose.paragraphs(REST)) == [1, 5, 19, 22, 25, 29, 30, 32]


MARKDOWN = """\
# What it does

Type `whom`, or [a link](https://example.org/nobody).

```console
nobody
```

| Column | What it has |
| --- | --- |
| `nobody` | somebody |

A lone " mark, and

nobody " is hidden.
"""


def test_paragraphs_markdown_code_and_link_targets_skipped() -> None:
    """Headings and cells are read; a lone quotation mark hides no next paragraph."""
    assert lines_of(prose.paragraphs(MARKDOWN)) == [1, 9, 11, 15]


PYTHON = '''\
"""Somebody.

    >>> nobody
"""
# A comment that is laid
# down on two lines.
name = "nobody"  # what it is

def nobody_can(whom: str) -> str:
    """Quote "nobody" (spec.md, 'Pushing blobs').

    :returns: what it is.
    """
    # The end.
    # Somebody.
    return f"{name} is told of "  f"{name or 'events'} by somebody"
'''


def test_python_docstrings_and_comments_read() -> None:
    """Names and string constants of the code are no prose."""
    assert lines_of(prose.python(PYTHON)) == [1, 6, 7, 12, 15]


def test_python_with_messages_string_constants_read_too() -> None:
    """A finding in a message has the line at which its string starts."""
    found = lines_of(prose.python_with_messages(PYTHON))
    assert found == [1, 6, 7, 7, 12, 15, 16, 16]


def test_python_with_messages_quotation_read_too() -> None:
    """A message is the project's own text, quoted or not."""
    source = "print('Say \"nobody\".')\n"
    assert lines_of(prose.python_with_messages(source)) == [1]


TEMPLATE = """\
{#- Somebody reads this. -#}
{% if nobody == "x" %}
<p class="nobody">Only <b>who</b> may push.
  <code>nobody</code> {{ whom }}</p>
<script>nobody</script>
<button title="Nobody">{{ oci_gettext("What is
  told of") }}</button>
<h2>What is this?</h2>
{% endif %}
"""


def test_template_text_comments_and_strings_read() -> None:
    """Tags, names, code and scripts are skipped; titles and translations are not."""
    assert lines_of(prose.template(TEMPLATE)) == [1, 3, 6, 6, 7]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with one page and one test."""
    monkeypatch.setattr(language, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.rst").write_text("A page.\n\nIt is for nobody.\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text('"""It holds."""\nnobody = "nobody"\n')
    return tmp_path


def test_main_finding_printed_with_replacement(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finding has file, line, pattern and excerpt, and fails the check."""
    assert language.main([]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "docs/page.rst:3: nobody: It is for nobody."
    assert printed[1].startswith("    use: no user")
    assert len(printed) == 3


def test_main_folder_without_finding_passes(root: Path) -> None:
    """The check can be limited to files and folders."""
    assert language.main([str(root / "tests")]) == 0
    assert language.main([str(root / "docs/page.rst")]) == 1
