"""Progress bars of commands at a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_oci.testing.manifests import digest_of
from tests.support.registry_client import RegistryClient
from tests.support.screen import Screen
from tests.support.upkeep import Upkeep

NAME = "alice/app"

#: Commands that may take long, by the labels of their bars.
LONG: t.Final[dict[str, tuple[str, ...]]] = {
    "Collecting": ("gc",),
    "Scrubbing": ("fsck", "--scrub"),
    "Checking": ("who-can", NAME),
    "Exporting": ("export", NAME, "{folder}/out.tar"),
    "Importing": ("import", "{folder}/in.tar", "alice/imported"),
    "Copying": ("copy", f"{NAME}:1.0", "alice/copied:1.0"),
    "Mirroring": ("mirror", NAME, "alice/mirrored"),
}


@pytest.fixture(name="words", params=LONG)
def _words(
    request: pytest.FixtureRequest, app: Flask, alice: RegistryClient, tmp_path: Path
) -> tuple[str, list[str]]:
    """The label of a command's bar and its arguments."""
    alice.push_image(NAME, "1.0")
    Upkeep(app).run("export", NAME, str(tmp_path / "in.tar"))
    typed = [word.format(folder=tmp_path) for word in LONG[request.param]]
    return request.param, typed


def type_at(screen: Screen, app: Flask, *words: str) -> str:
    """Run a command at a terminal, and return its standard output."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(screen.file):
        app.cli.main(
            ["oci", *words],
            standalone_mode=False,
            obj=ScriptInfo(create_app=lambda: app),
        )
    return output.getvalue()


@pytest.mark.sqlite_only
def test_long_command_at_a_terminal_shows_a_bar(
    app: Flask, words: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar reaches its end, and does not mix with the output. It needs no rich."""
    monkeypatch.delitem(sys.modules, "flask_oci.cli.layer_bars", raising=False)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    label, typed = words
    screen = Screen()
    output = type_at(screen, app, *typed)
    shown = screen.text()
    assert f"{label}  [" in shown
    assert "100%" in shown
    assert "[" not in output
    assert "%" not in output


def test_transfer_with_rich_shows_a_bar_of_each_layer(
    app: Flask, alice: RegistryClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar of a layer has its short digest; its sizes have the usual units."""
    for name, value in (("TERM", "xterm"), ("COLUMNS", "100")):
        monkeypatch.setenv(name, value)
    layer = bytes(3_000_000)
    alice.push_image(NAME, "1.0", layer)
    screen = Screen()
    output = type_at(screen, app, "export", NAME, str(tmp_path / "out.tar"))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text())
    digits = digest_of(layer).partition(":")[2]
    assert re.search(rf"{digits[:12]} .* / 3\.0 MB", shown)
    assert digits[:13] not in shown
    assert re.search(r"Exporting .*100% 3\.0 MB / 3\.0 MB", shown)
    assert "%" not in output


@pytest.mark.sqlite_only
def test_long_command_with_json_shows_no_bar(
    app: Flask, words: tuple[str, list[str]]
) -> None:
    """This holds at a terminal, too."""
    label, typed = words
    screen = Screen()
    json.loads(type_at(screen, app, *typed, "--json"))
    assert label not in screen.text()


@pytest.mark.sqlite_only
def test_long_command_without_terminal_shows_no_bar(
    app: Flask, words: tuple[str, list[str]]
) -> None:
    """The command prints its result only."""
    label, typed = words
    result = Upkeep(app).run(*typed)
    assert result.exit_code == 0, result.output
    assert label not in result.output
    assert "%" not in result.output
