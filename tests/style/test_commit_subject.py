"""The check of commit subjects."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.style import commit_subject

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.mark.parametrize(
    "subject",
    [
        "docs: rewrite the permissions page",
        "tests/style: check subjects",
        "web, api: list webhooks",
        "tox.ini: add an environment",
        f"docs: {'x' * 66}",
        "Merge branch 'docs'",
        "fixup! Whatever",
        "squash! Whatever",
    ],
)
def test_problems_valid_or_skipped_subject_none(subject: str) -> None:
    """Merges, and commits that a rebase folds into others, have subjects of git's."""
    assert list(commit_subject.problems(subject)) == []


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("", "must have the form"),
        ("Rewrite the page", "must have the form"),
        ("Docs: rewrite the page", "must have the form"),
        ("docs:rewrite the page", "must have the form"),
        ("docs: ", "must have the form"),
        ("Merge two sections", "must have the form"),
        (f"docs: {'x' * 67}", "has 73 characters"),
        ("docs: rewrite the page.", "must not end with a full stop"),
        ("docs: let nobody push", "has 'nobody'; use: no user"),
        ("docs: what a token is", "has 'opens with What or Who'"),
    ],
)
def test_problems_invalid_subject_named(subject: str, problem: str) -> None:
    """Each problem of a subject says what to change."""
    (found,) = commit_subject.problems(subject)
    assert found.startswith(problem)


def test_subject_of_message_with_comments_first_line() -> None:
    """Git puts comments into the file that it hands to a hook."""
    message = "# A comment.\n\ndocs: add a page\n\nThe reason.\n# A comment.\n"
    assert commit_subject.subject_of(message) == "docs: add a page"


def test_main_message_file_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hook refuses a message, and names its subject."""
    message = tmp_path / "COMMIT_EDITMSG"
    message.write_text("docs: add a page\n")
    assert commit_subject.main([str(message)]) == 0
    message.write_text("Add a page\n")
    assert commit_subject.main([str(message)]) == 1
    assert "'Add a page' must have the form" in capsys.readouterr().out


@pytest.fixture
def commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the hashes of three commits, of which the last has a valid subject."""
    monkeypatch.setattr(commit_subject, "ROOT", tmp_path)
    git("init", "--quiet", folder=tmp_path)
    found = []
    for subject in ("Start", "Add a page", "docs: add another page"):
        author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        plain = ("-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null")
        commit = ("commit", "--quiet", "--allow-empty", "-m", subject)
        git(*author, *plain, *commit, folder=tmp_path)
        found.append(git("rev-parse", "HEAD", folder=tmp_path))
    return found


def git(*arguments: str, folder: Path) -> str:
    """Run git, and return the line that it prints."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.check_output(command, text=True).strip()


@needs_git
def test_main_range_only_its_commits_checked(
    commits: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The base of a range is not part of it."""
    start, invalid, _ = commits
    assert commit_subject.main(["--range", f"{invalid}..HEAD"]) == 0
    assert commit_subject.main(["--range", f"{start}..HEAD"]) == 1
    (printed,) = capsys.readouterr().out.splitlines()
    assert invalid.startswith(printed.partition(":")[0])


@needs_git
def test_main_unknown_range_fails(commits: list[str]) -> None:
    """A range that git does not know is no range without problems."""
    assert commit_subject.main(["--range", "unknown..HEAD"]) != 0


@needs_git
def test_main_default_range_without_first_commit_passes(
    commits: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A shallow clone lacks the first commit, and has no subjects to check."""
    assert commit_subject.main(["--range"]) == 0
    assert "is not in this clone" in capsys.readouterr().out


@needs_git
def test_main_default_range_starts_at_first_commit(
    commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Subjects before the first commit are not checked."""
    monkeypatch.setattr(commit_subject, "FIRST_CHECKED", commits[1])
    assert commit_subject.main(["--range"]) == 0
    monkeypatch.setattr(commit_subject, "FIRST_CHECKED", commits[0])
    assert commit_subject.main(["--range"]) == 1


def test_main_default_range_outside_a_clone_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source archive has no history."""
    monkeypatch.setattr(commit_subject, "ROOT", tmp_path)
    assert commit_subject.main(["--range"]) == 0


@pytest.mark.parametrize("script", ["language.py", "commit_subject.py"])
def test_script_another_folder_runs(script: str, tmp_path: Path) -> None:
    """Each check runs by its path, from any folder, without an installed project."""
    path = Path(commit_subject.__file__).with_name(script)
    (tmp_path / "message").write_text("docs: add a page\n")
    command = [sys.executable, "-I", str(path), str(tmp_path / "message")]
    subprocess.run(command, cwd=tmp_path, check=True)
