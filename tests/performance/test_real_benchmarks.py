"""The benchmarks run, and print the table of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.forge import tool
from tests.support.forge import TOOLS
from tests.support.paths import ROOT

pytestmark = pytest.mark.real

#: The smallest amount of each measurement.
TINY = (
    *("--rounds", "1", "--large", "4", "--seconds", "1"),
    *("--images", "2", "--entries", "100"),
)


def test_benchmarks_print_a_value_for_every_row(tmp_path: Path) -> None:
    """Every row has a value and a processor time, and the plot is valid XML."""
    tool("wrk", "Debian's wrk")
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks.__main__ import ROWS
    finally:
        sys.path.remove(str(ROOT))
    picture = tmp_path / "picture.svg"
    output = _run("--registries", "sqlite", "--plot", str(picture))
    version, values, costs = output.split("\n\n")
    assert re.match(r"flask_oci, SQLite: flask-oci \S+, Flask \S+,", version)
    for table, unit in ((values, r"(?:MiB/s|MiB|1/s)"), (costs, "ms")):
        lines = table.splitlines()[1:]
        for line, row in zip(lines, ROWS, strict=True):
            assert re.fullmatch(rf"{re.escape(row.title)} +{unit} +[\d.]+", line)
    assert all(float(line.split()[-1]) > 0 for line in values.splitlines()[1:])
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


def test_benchmark_of_downloads_prints_a_line_for_each_mode() -> None:
    """Each mode has a manifest and two blobs with their ratios."""
    tool("versitygw", ".ci/install")
    options = ("--rounds", "1", "--count", "20")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.downloads", *options],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[-3:]
    assert [line.split()[0] for line in lines] == ["stream", "nginx", "redirect"]
    assert all(line.count("(") == 2 for line in lines)


def test_benchmarks_print_a_column_for_each_registry() -> None:
    """The example runs on gunicorn, on granian and behind nginx."""
    tool("wrk", "Debian's wrk")
    tool("nginx", "Debian's nginx-light")
    servers = ("example", "granian", "fast")
    output = _run("get-blob", "get-tag-writes-10", "--registries", *servers)
    versions, values, _ = output.split("\n\n")
    assert ["nginx" in line for line in versions.splitlines()] == [False, False, True]
    names = "flask_oci, example  flask_oci, granian  flask_oci, fast"
    head, *lines = (re.sub("  +", "  ", line) for line in values.splitlines())
    assert head == f"row  unit  {names}"
    assert len(lines) == 2
    ratio = r"  [\d.]+ \([\d.]+\)"
    assert all(re.search(rf"  1/s  [\d.]+{ratio}{ratio}$", line) for line in lines)


@pytest.mark.full
def test_benchmarks_of_nodes_compare_two_with_one() -> None:
    """Each row has the rate of one node, that of two, their ratio, and the statements
    of a request."""
    for program in ("wrk", "taskset", "versitygw"):
        tool(program, ".ci/install")
    words = ("--seconds", "1", "--images", "4")
    head, *lines = _run(*words, module="benchmarks.nodes", sizes=()).splitlines()
    assert head.split()[-2:] == ["ratio", "statements"]
    assert len(lines) == 4
    for line in lines:
        one, two, ratio, statements = map(float, line.split()[-4:])
        assert statements > 0
        assert ratio == pytest.approx(two / one, abs=0.2)


@pytest.mark.full
def test_benchmark_of_stores_compares_them_with_the_local_disk() -> None:
    """Each row has the time of a push to each, and a ratio for each round."""
    tool("versitygw", ".ci/install")
    words = ("--rounds", "2", "--images", "2", "--mebibytes", "4")
    _, *lines = _run(*words, module="benchmarks.stores", sizes=()).splitlines()
    assert len(lines) == 2
    for line in lines:
        local, store, first, second = map(float, line.split()[-4:])
        assert min(first, second) - 0.1 < store / local < max(first, second) + 0.1


def _run(
    *arguments: str, module: str = "benchmarks", sizes: tuple[str, ...] = TINY
) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments, *sizes],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OCI_TOOLS": str(TOOLS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
