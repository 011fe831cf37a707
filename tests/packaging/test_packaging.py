from __future__ import annotations

import importlib.metadata
import re
import tarfile
import typing as t
import zipfile

import pytest
from flit_core import buildapi
from packaging.requirements import Requirement
from packaging.version import Version

import flask_oci
from tests.support.paths import ROOT

DISTRIBUTION = "flask-oci"


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = buildapi.build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("sdist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = buildapi.build_sdist(str(folder))
    with tarfile.open(folder / name) as archive:
        return {member.partition("/")[2] for member in archive.getnames()}


def requirements() -> list[Requirement]:
    required = importlib.metadata.requires(DISTRIBUTION)
    assert required
    return [Requirement(text) for text in required]


def test_metadata_says_what_it_is() -> None:
    metadata = importlib.metadata.metadata(DISTRIBUTION)
    assert metadata["Name"] == DISTRIBUTION
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Summary"]
    classifiers = metadata.get_all("Classifier")
    assert classifiers
    assert "Framework :: Flask" in classifiers
    assert "Typing :: Typed" in classifiers


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_requirements_have_a_lower_bound_only(requirement: Requirement) -> None:
    assert [specifier.operator for specifier in requirement.specifier] == [">="]


def test_lowest_versions_are_tested() -> None:
    """``tox -e min`` installs the lowest versions that the metadata allows."""
    lines = (ROOT / "tests/lowest.txt").read_text().splitlines()
    tested = [Requirement(line) for line in lines if not line.startswith("#")]
    lowest = {(r.name, s.version) for r in requirements() for s in r.specifier}
    for requirement in tested:
        (pin,) = requirement.specifier
        bounds = [v for name, v in lowest if name == requirement.name]
        assert [Version(bound) for bound in bounds] == [Version(pin.version)]
    needed = {r.name for r in requirements() if not r.marker}
    assert needed <= {requirement.name for requirement in tested}


def test_the_extension_needs_flask_and_little_else() -> None:
    always = {r.name for r in requirements() if r.marker is None}
    assert always == {
        "flask",
        "flask-sqlalchemy",
        "itsdangerous",
        "sqlalchemy",
        "werkzeug",
    }


@pytest.mark.parametrize("extra", ["api", "copy", "login", "swagger", "web"])
def test_extra_of_the_example_has_all_parts_that_it_shows(extra: str) -> None:
    """The README installs only this extra, and each command of the documentation can
    be tried on the example."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(extras[extra]) <= set(extras["example"])


def test_the_version_is_in_the_metadata_and_nowhere_else() -> None:
    assert not hasattr(flask_oci, "__version__")
    version = importlib.metadata.version(DISTRIBUTION)
    changes = (ROOT / "CHANGES.rst").read_text("utf-8")
    assert re.match(r"Version (\S+)\n-+\n", changes)[1] == version  # type: ignore[index]


def test_the_wheel_has_the_package_and_its_types(wheel_names: set[str]) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "flask_oci").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert "flask_oci/py.typed" in expected
    assert expected <= wheel_names


def test_the_wheel_has_nothing_but_the_package(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0].split("-")[0] for name in wheel_names}
    assert tops == {"flask_oci"}
    assert not [name for name in wheel_names if name.endswith(".pyc")]


@pytest.mark.parametrize(
    "name",
    [
        "CHANGES.rst",
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "docs/conf.py",
        "example_app/__init__.py",
        "flask_oci/py.typed",
        "pyproject.toml",
        "tests/conftest.py",
        "tox.ini",
    ],
)
def test_the_source_archive_can_be_tested_and_documented(
    sdist_names: set[str], name: str
) -> None:
    assert name in sdist_names


def test_the_source_archive_has_no_leftovers(sdist_names: set[str]) -> None:
    leftovers = re.compile(r"(^|/)(__pycache__|_build|instance|\.venv|\.tox)(/|$)")
    assert not [name for name in sdist_names if leftovers.search(name)]


def test_public_names_are_listed_and_exist() -> None:
    assert len(set(flask_oci.__all__)) == len(flask_oci.__all__)
    for name in flask_oci.__all__:
        assert hasattr(flask_oci, name)


@pytest.mark.parametrize("name", sorted(set(flask_oci.__all__) - {"Action"}))
def test_public_names_have_a_docstring(name: str) -> None:
    value: t.Any = getattr(flask_oci, name)
    assert value.__doc__
    assert value.__doc__.strip()
