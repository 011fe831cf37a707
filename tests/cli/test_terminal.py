"""Output and input of commands at a terminal."""

from __future__ import annotations

import contextlib
import json
import unicodedata

import click
import pytest
from click.testing import Result
from flask import Flask
from flask.cli import ScriptInfo

from flask_oci.cli import COMMANDS
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.screen import Screen
from tests.support.upkeep import Upkeep

NAME = "alice/app"
DIGEST = digest_of(image(b"first"))


@pytest.fixture(name="keeper")
def _keeper(app: Flask, alice: RegistryClient) -> Upkeep:
    """An operator of a registry with a tag that moved once."""
    alice.push_image(NAME, "1.0", b"first")
    alice.push_image(NAME, "1.0", b"second")
    return Upkeep(app)


def typed(keeper: Upkeep, *words: str) -> Result:
    """Run a command that succeeds."""
    result = keeper.run(*words)
    assert result.exit_code == 0, result.output
    return result


def look(app: Flask, columns: int, *words: str) -> list[str]:
    """Run a command at a terminal, and return the lines on it."""
    screen = Screen()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(screen.file):
        patch.setenv("COLUMNS", str(columns))
        app.cli.main(
            ["oci", *words],
            standalone_mode=False,
            obj=ScriptInfo(create_app=lambda: app),
        )
    return screen.text().splitlines()


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "path", ["", *(c.name or "" for c in COMMANDS if isinstance(c, click.Group))]
)
def test_list_of_commands_at_80_columns_cuts_no_sentence(app: Flask, path: str) -> None:
    """The first sentence of each command is short enough."""
    result = app.test_cli_runner().invoke(
        args=["oci", *path.split(), "--help"], terminal_width=80
    )
    assert result.exit_code == 0
    lines = result.stdout.splitlines()[1:]
    assert [line for line in lines if len(line) > 80 or line.endswith("...")] == []


def width(line: str) -> int:
    """Return the number of columns of a line on a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_table_at_a_terminal_fits_and_in_a_pipe_is_complete(
    app: Flask, keeper: Upkeep
) -> None:
    """Digests become short first; then the widest cell is cut."""
    wide = look(app, 200, "tags", NAME, "--untagged")
    fitting = look(app, 96, "tags", NAME, "--untagged")
    narrow = look(app, 60, "tags", NAME, "--untagged")
    assert DIGEST in "".join(wide)
    assert f" {DIGEST[7:19]} " in "".join(fitting)
    assert "min ago" in "".join(fitting)
    assert "…" not in "".join(fitting)
    assert max(map(len, fitting)) <= 96
    assert max(map(len, narrow)) <= 60
    assert "…" in "".join(narrow)
    assert DIGEST in typed(keeper, "tags", NAME, "--untagged").stdout


def test_table_with_wide_characters_is_aligned(app: Flask) -> None:
    """Each of them needs two columns."""
    with app.app_context():
        user = app.extensions["oci"].catalog.users.by_name("alice")
        registry.access_tokens.issue(user, name="laptop")
        registry.access_tokens.issue(user, name="会社の端末" * 9)
    lines = look(app, 150, "token", "list", "alice")
    columns = {
        width(line[: line.index("ACTIONS" if at == 0 else "pull")])
        for at, line in enumerate(lines)
    }
    assert len(columns) == 1
    assert max(map(width, lines)) <= 150


def test_first_digits_of_a_digest_are_enough(keeper: Upkeep) -> None:
    """With or without the algorithm, and as a table shows them."""
    for short in (DIGEST[7:19], DIGEST[:15], f"{DIGEST[7:19]}…"):
        assert DIGEST in typed(keeper, "show", f"{NAME}@{short}").stdout
        assert f"{NAME}\n" in typed(keeper, "gc", "--explain", short).stdout
    copied = typed(keeper, "copy", f"{NAME}@{DIGEST[7:19]}", "alice/copied:1.0")
    assert copied.stdout == f"alice/copied:1.0@{DIGEST}\n"
    typed(keeper, "delete", f"{NAME}@{DIGEST[7:19]}", "--yes")
    result = keeper.run("show", f"{NAME}@{DIGEST[7:19]}")
    assert result.exit_code == 1
    assert f"There is no manifest of {NAME}" in result.stderr


def test_ambiguous_digest_is_refused_with_the_candidates(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """Nothing is deleted."""
    # Two of these manifests begin with the same four digits.
    number, seen = 0, dict[str, bytes]()
    while True:
        manifest = image(b"first", annotations={"number": str(number)})
        other = seen.setdefault(digest_of(manifest)[7:11], manifest)
        if other is not manifest:
            break
        number += 1
    digests = sorted(map(digest_of, (manifest, other)))
    for each in (manifest, other):
        alice.push_manifest(NAME, each)
    result = keeper.run("delete", f"{NAME}@{digests[0][7:11]}", "--yes")
    assert result.exit_code == 1
    assert "ambiguous" in result.stderr
    assert all(digest in result.stderr for digest in digests)
    for digest in digests:
        typed(keeper, "show", f"{NAME}@{digest}")


def test_aliases_run_the_same_commands(keeper: Upkeep) -> None:
    """At the top and in groups; lists of commands do not repeat them."""
    assert typed(keeper, "ls").stdout == typed(keeper, "repositories").stdout
    shown = typed(keeper, "inspect", f"{NAME}:1.0").stdout
    assert shown == typed(keeper, "show", f"{NAME}:1.0").stdout
    typed(keeper, "rm", f"{NAME}:1.0", "--yes")
    token = typed(keeper, "token", "create", "alice", "--json").stdout.split('"')[3]
    assert token in typed(keeper, "token", "ls", "alice").stdout
    typed(keeper, "token", "rm", token)
    assert token not in typed(keeper, "token", "ls", "alice").stdout
    assert "\n  ls " not in typed(keeper, "--help").stdout


def test_restore_undoes_the_last_or_a_named_move(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """The history lists each move, the newest first."""
    second = digest_of(image(b"second"))

    def now() -> str:
        return alice.get(f"/v2/{NAME}/manifests/1.0").headers["Docker-Content-Digest"]

    moves = typed(keeper, "history", f"{NAME}:1.0").stdout
    assert moves.split("\n")[1].split()[-4:] == [DIGEST, second, "alice", "yes"]
    assert typed(keeper, "restore", f"{NAME}:1.0").stdout == (
        f"Restored {NAME}:1.0 to {DIGEST[7:19]}.\n"
    )
    assert now() == DIGEST
    typed(keeper, "delete", f"{NAME}:1.0", "--yes")
    typed(keeper, "restore", f"{NAME}:1.0")
    assert now() == DIGEST
    # The third line is the restoration, which moved the tag away from the second.
    restoration = typed(keeper, "history", NAME).stdout.splitlines()[3].split()[0]
    typed(keeper, "restore", f"{NAME}:1.0", "--move", restoration)
    assert now() == second
    for words in ((f"{NAME}:2.0",), (f"{NAME}:1.0", "--move", "99999")):
        result = keeper.run("restore", *words)
        assert (result.exit_code, "no such move" in result.stderr) == (1, True)
    typed(keeper, "delete", f"{NAME}@{DIGEST}", "--yes")
    result = keeper.run("restore", f"{NAME}:1.0")
    assert (result.exit_code, "no longer exists" in result.stderr) == (1, True)
    assert now() == second
    assert DIGEST[7:19] in typed(keeper, "history", NAME, "--deleted").stdout
    typed(keeper, "restore", f"{NAME}@{DIGEST[7:19]}")
    assert alice.get(f"/v2/{NAME}/manifests/{DIGEST}").status_code == 200
    typed(keeper, "delete", f"{NAME}@{DIGEST}", "--yes", "--final")
    assert (
        json.loads(typed(keeper, "history", NAME, "--deleted", "--json").stdout) == []
    )
    for words in ((f"{NAME}@{DIGEST}",), (f"{NAME}@{DIGEST}", "--move", "1"), (NAME,)):
        assert keeper.run("restore", *words).exit_code in (1, 2)


def test_describe_sets_the_description(keeper: Upkeep) -> None:
    """From the command line or from a file."""
    typed(keeper, "describe", NAME, "Weather\n\nIt *rains*.")
    assert "Weather" in typed(keeper, "show", NAME).stdout
    runner = keeper.app.test_cli_runner()
    words = ["oci", "describe", NAME, "--file", "-"]
    assert runner.invoke(args=words, input="Sun").exit_code == 0
    assert "Sun" in typed(keeper, "show", NAME).stdout
    assert runner.invoke(args=words, input=b"\xff").exit_code == 1
    typed(keeper, "describe", NAME, "")
    assert "Description" not in typed(keeper, "show", NAME).stdout
    assert keeper.run("describe", NAME).exit_code == 2
