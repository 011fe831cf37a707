"""The shell commands of the page on scaling."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from tests.support.doc_blocks import DOCS

COMMANDS = re.findall(r"^    \$ (.+)", (DOCS / "scaling.rst").read_text(), re.MULTILINE)


def run(folder: Path, *commands: str) -> str:
    """Run commands in one shell, and return its output."""
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        ["sh", "-ec", "\n".join(commands)],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_file_of_settings_loads_them_into_a_terminal(tmp_path: Path) -> None:
    """The values are those of the page, and other accounts cannot read the file."""
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance/secret_key").write_text("a-key")
    writing = [c for c in COMMANDS if "forge.env" in c and not c.startswith("set")]
    loading = next(c for c in COMMANDS if c.startswith("set"))
    lines = run(tmp_path, *writing, loading, "env").splitlines()
    assert (tmp_path / "forge.env").stat().st_mode & 0o777 == 0o600
    assert {
        "DATABASE_URL=postgresql+psycopg:///forge",
        "OCI_STORAGE=s3://forge-images?endpoint=http://127.0.0.1:5003",
        "AWS_ACCESS_KEY_ID=forge",
        "AWS_SECRET_ACCESS_KEY=change-this-key",
        "SECRET_KEY=a-key",
    } <= set(lines)


def test_command_ends_the_process_of_the_file(tmp_path: Path) -> None:
    """gunicorn writes its process identifier into this file."""
    (tmp_path / "instance").mkdir()
    with subprocess.Popen(["sleep", "60"]) as process:
        (tmp_path / "instance/forge.pid").write_text(f"{process.pid}\n")
        run(tmp_path, next(c for c in COMMANDS if c.startswith("kill")))
        assert process.wait() == -signal.SIGTERM
