from __future__ import annotations

import dataclasses
import inspect
import re
import typing as t
from base64 import b64encode
from pathlib import Path

import pytest
from blinker import NamedSignal

import flask_oci
from flask_oci import errors
from flask_oci import signals
from flask_oci.config import keys
from flask_oci.config import reading
from flask_oci.operations.metrics import Metrics
from tests.support.doc_blocks import application
from tests.support.doc_blocks import Block
from tests.support.doc_blocks import BLOCKS
from tests.support.doc_blocks import DOCS
from tests.support.host import registry
from tests.support.paths import ROOT

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

#: The table "Error Codes" of the specification.
ERROR_CODES = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNSUPPORTED",
]


def documented_keys() -> list[str]:
    text = (DOCS / "configuration.rst").read_text("utf-8")
    return re.findall(r"^\.\. data:: (\w+)$", text, re.MULTILINE)


def configuration_keys() -> list[str]:
    return [
        reading.PREFIX + field.name.upper() for field in dataclasses.fields(keys.Config)
    ]


def error_classes() -> Iterator[type[errors.RegistryError]]:
    todo = errors.RegistryError.__subclasses__()
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        yield cls


@pytest.mark.parametrize("key", configuration_keys())
def test_configuration_key_has_a_paragraph(key: str) -> None:
    assert documented_keys().count(key) == 1


@pytest.mark.parametrize("key", documented_keys())
def test_configuration_paragraph_has_a_key(key: str) -> None:
    assert key in configuration_keys()


@pytest.mark.parametrize("key", documented_keys())
def test_configuration_paragraph_gives_default_and_version(key: str) -> None:
    text = (DOCS / "configuration.rst").read_text("utf-8")
    paragraph = text.partition(f".. data:: {key}\n")[2].partition(".. data::")[0]
    assert "Default: " in paragraph
    assert ".. versionadded:: " in paragraph


@pytest.mark.parametrize("code", ERROR_CODES)
def test_error_code_of_specification_has_a_class(code: str) -> None:
    (cls,) = (c for c in error_classes() if c.__dict__.get("error_code") == code)
    assert cls.__doc__
    assert f"``{code}``" in cls.__doc__
    assert cls.message != errors.RegistryError.message


@pytest.mark.parametrize("cls", [*error_classes()], ids=lambda cls: cls.__name__)
def test_error_page_explains_each_code_once(cls: type[errors.RegistryError]) -> None:
    """The page has each code once, with its status and the action to take."""
    page = (DOCS / "errors.rst").read_text("utf-8")
    code = cls.error_code
    (entry,) = re.findall(
        rf"^\.\. describe:: {code}\n\n((?:(?! ?\.\. |\S).*\n)+)", page, re.MULTILINE
    )
    assert f"``{cls.status}``" in entry
    assert "*Remedy:*" in entry


def test_error_page_explains_existing_codes_only() -> None:
    page = (DOCS / "errors.rst").read_text("utf-8")
    codes = {cls.error_code for cls in error_classes()}
    explained = set(re.findall(r"^\.\. describe:: (\w+)$", page, re.MULTILINE))
    assert explained == codes | {errors.RegistryError.error_code}


def test_documentation_describes_every_signal() -> None:
    """Each signal is on a page."""
    pages = "".join(page.read_text("utf-8") for page in DOCS.glob("*.rst"))
    names = [n for n, value in vars(signals).items() if isinstance(value, NamedSignal)]
    assert "audited" in names
    described = re.findall(r"``(\w+)``|flask_oci\.signals\.(\w+)", pages)
    assert set(names) <= {name for names in described for name in names}


@pytest.mark.parametrize("name", flask_oci.__all__)
def test_api_page_describes_public_name(name: str) -> None:
    """The API page describes each name that the package exports."""
    page = (DOCS / "api.rst").read_text("utf-8")
    assert re.search(rf"^\.\. auto\w+:: (?:[\w.]+\.)?{name}$", page, re.MULTILINE)


@pytest.mark.parametrize("cls", [*error_classes()], ids=lambda cls: cls.__name__)
def test_api_page_describes_error_class(cls: type[errors.RegistryError]) -> None:
    """The API page describes each exception class."""
    if cls.__module__ == errors.__name__:
        page = (DOCS / "api.rst").read_text("utf-8")
        assert re.search(rf"^\.\. autoexception:: {cls.__name__}$", page, re.MULTILINE)


def test_api_page_describes_classes_of_registry_attributes() -> None:
    """The API page describes the classes of a registry's attributes, except blueprints
    and tables, which Flask and SQLAlchemy document."""
    page = (DOCS / "api.rst").read_text("utf-8")
    described = set(re.findall(r"(?m)^\.\. autoclass:: (?:\w+\.)*(\w+)$", page))
    reached = [value for name, value in vars(registry).items() if name[0] != "_"]
    ours = {type(v) for v in reached if type(v).__module__.startswith("flask_oci.")}
    known = described | {"Models", "MountedBlueprint"}
    assert {cls.__name__ for cls in ours} <= known


def test_monitoring_page_describes_every_metric(app: Flask) -> None:
    """The monitoring page lists exactly the existing metrics."""
    page = (DOCS / "monitoring.rst").read_text("utf-8")
    metrics = Metrics(app.extensions["oci"].catalog, app.extensions["oci"].storage)
    with app.app_context():
        text = metrics.text()[0].decode()
    names = set(re.findall(r"^# TYPE (oci_\w+) ", text, re.MULTILINE))
    assert len(names) > 8
    listed = set(re.findall(r"``(oci_\w+)", page.partition("list-table")[2]))
    assert {name for name in names if not name.endswith("_created")} <= listed
    # Some metrics exist only after their first event.
    source = Path(inspect.getfile(Metrics)).read_text("utf-8")
    assert {n for n in listed if f'"{n.removesuffix("_total")}"' not in source} == set()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: f"{b.page}:{b.line}")
def test_python_block_compiles(block: Block) -> None:
    compile(block.code, f"{block.page}:{block.line}", "exec")


def test_readme_links_lead_to_existing_files() -> None:
    """Each link leads to an existing file."""
    readme = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([\w/.-]+)\)", readme)
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_readme_pictures_are_small_and_have_a_description() -> None:
    """A clone has them, light and dark."""
    readme = (ROOT / "README.md").read_text("utf-8")
    pictures = re.findall(r'(?:src|srcset)="([\w/.-]+)"', readme)
    assert len(pictures) >= 4
    assert all((ROOT / picture).stat().st_size < 100_000 for picture in pictures)
    assert len(re.findall(r'<img alt="[^"]{20,}"', readme)) == len(pictures) / 2


def test_readme_installs_from_outside_the_clone() -> None:
    """The path of the installation is the folder that the line before creates. Inside a
    clone, it would be the folder of the package, which pip cannot install."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "git clone ADDRESS flask_oci\npython3 -m pip install ./flask_oci\n" in readme
    assert not (ROOT / "flask_oci" / "pyproject.toml").exists()


def test_python_blocks_include_readme_and_quickstart() -> None:
    assert {"README.md", "docs/quickstart.rst"} <= {block.page for block in BLOCKS}


@pytest.fixture
def quickstart(tmp_path: Path) -> Iterator[Flask]:
    """The application of the quickstart."""
    with application(tmp_path) as app:
        yield app


def test_quickstart_application_has_a_working_registry(quickstart: Flask) -> None:
    client = quickstart.test_client()
    assert client.get("/v2/").status_code == 401
    runner = quickstart.test_cli_runner()
    added = runner.invoke(args=["add-user", "alice", "wonderland"])
    assert added.exit_code == 0, added.output

    credentials = b64encode(b"alice:wonderland").decode()
    headers = {"Authorization": f"Basic {credentials}"}
    assert client.get("/v2/", headers=headers).status_code == 200
    started = client.post("/v2/alice/hello/blobs/uploads/", headers=headers)
    assert started.status_code == 202
    refused = client.post("/v2/bob/hello/blobs/uploads/", headers=headers)
    assert refused.status_code == 403


#: Top-level entries of a working copy that do not belong to the project.
PASSED_OVER = {
    ".git",
    ".hypothesis",
    ".tox",
    ".venv",
    "venv",
    "build",
    "dist",
    "instance",
}

#: References with a meaning only at the place of writing.
LOCAL_REFERENCES = {
    "a number of an issue tracker": r"(?i)\bissues?\s+#?\d+|(?<!\S)#\d+\b",
    "a folder of one machine": r"(?<![\w.])/(?:Users|home|work)/\w",
    "a note to oneself": r"\b(?:FIXME|TODO|XXX)\b",
}


def project_files() -> Iterator[Path]:
    for top in sorted(ROOT.iterdir()):
        if top.name in PASSED_OVER or "cache" in top.name:
            continue
        if top.is_file():
            yield top
        else:
            yield from (path for path in sorted(top.rglob("*")) if path.is_file())


@pytest.mark.parametrize("what", LOCAL_REFERENCES)
def test_project_files_have_no_local_reference(what: str) -> None:
    pattern = re.compile(LOCAL_REFERENCES[what])
    found = []
    for path in project_files():
        if {"__pycache__", "_build", "instance"} & set(path.parts):
            continue
        # A colour looks like an issue number, the bytes of a picture may look like any
        # text, and this file has the patterns.
        if path.suffix in (".css", ".png") or path == Path(__file__):
            continue
        text = path.read_text("utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in pattern.finditer(text)]
    assert not found
