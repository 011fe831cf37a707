"""The subject of a commit: ``area: change the thing``, in at most 72 characters.

``python tests/style/commit_subject.py FILE`` checks the message in a file, as a
``commit-msg`` hook of git. ``--range BASE..HEAD`` checks the commits of a range, and
``--range`` without a value those after ``FIRST_CHECKED``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

# As a script, this runs without an installed project.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.style import language
from tests.style.prose import Block

ROOT = language.ROOT

#: The first commit whose subject has this form. Earlier subjects are sentences without
#: an area, and stay: a new subject would change the hash of every later commit.
FIRST_CHECKED = "e35faed1fa3caa22d619b862e5e337355a23ddd3"

LONGEST = 72

_FORM = re.compile(r"[a-z][\w./-]*(?:, [a-z][\w./-]*)*: \S")
#: Subjects that git writes itself.
_SKIPPED = re.compile(
    r"(?:fixup|squash|amend)! |Merge (?:branch|branches|commit|remote-tracking|tag)\b"
)


def problems(subject: str) -> Iterator[str]:
    """Yield each problem of a subject."""
    if _SKIPPED.match(subject):
        return
    if not _FORM.match(subject):
        yield "must have the form 'area: change the thing'"
    if len(subject) > LONGEST:
        yield f"has {len(subject)} characters; at most {LONGEST} are allowed"
    if subject.endswith("."):
        yield "must not end with a full stop"
    change = subject.partition(": ")[2] or subject
    for found in language.findings([Block(1, change)]):
        yield f"has {found.pattern!r}; use: {found.instead}"


def subject_of(message: str) -> str:
    """Return the subject of a message: its first line that is no comment."""
    lines = (line.strip() for line in message.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def subjects_in(commits: str) -> Iterator[tuple[str, str]]:
    """Yield the short hash and the subject of each commit of a range, without merges.

    :raises subprocess.CalledProcessError: if git does not know the range.
    """
    log = _git("log", "--no-merges", "--format=%h %s", commits, "--")
    for line in log.strip().split("\n"):
        commit, _, subject = line.partition(" ")
        if commit:
            yield commit, subject


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.check_output(command, encoding="utf-8")


def _has_first_checked() -> bool:
    """Return False in a shallow clone, and in a source archive without git."""
    try:
        _git("cat-file", "-e", f"{FIRST_CHECKED}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _report(subjects: Iterable[tuple[str, str]]) -> int:
    """Print the problems of subjects, and return 1 if there are any."""
    failed = 0
    for commit, subject in subjects:
        for problem in problems(subject):
            failed = 1
            print(f"{commit}: {subject!r} {problem}")
    return failed


def main(arguments: list[str]) -> int:
    """Check a file or a range; return 1 if a subject has a problem."""
    parser = argparse.ArgumentParser(description="Check the subjects of commits.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, help="a commit message")
    source.add_argument(
        "--range",
        nargs="?",
        const=f"{FIRST_CHECKED}..HEAD",
        metavar="BASE..HEAD",
        help="the commits to check; without a value, those after FIRST_CHECKED",
    )
    options = parser.parse_args(arguments)
    if options.file is not None:
        return _report([("subject", subject_of(options.file.read_text("utf-8")))])
    if FIRST_CHECKED in options.range and not _has_first_checked():
        print(f"No commits to check: {FIRST_CHECKED} is not in this clone.")
        return 0
    try:
        return _report(subjects_in(options.range))
    except subprocess.CalledProcessError as error:
        # Git has printed the reason.
        return error.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
