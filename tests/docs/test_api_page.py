"""The API page lists every public name, and no other."""

from __future__ import annotations

import dataclasses
import re
import types

import pytest
from blinker import NamedSignal

import flask_oci
from flask_oci import errors
from flask_oci import hooks
from flask_oci import Models
from flask_oci import signals
from tests.support.host import registry
from tests.support.paths import ROOT

#: The names of the registry's own models.
MODELS = sorted({f.name for f in dataclasses.fields(Models)} - {"User"})

PAGE = (ROOT / "docs" / "api.rst").read_text("utf-8")


def documented(module: str) -> list[str]:
    """Return the names that the page documents as those of a module.

    :param module: its full name.
    """
    found = []
    current = ""
    for line in PAGE.splitlines():
        if match := re.match(r"\.\. (?:current)?module:: ([\w.]+)$", line):
            current = match[1]
        elif match := re.match(r"\.\. (?:auto\w+|data):: (\w+)$", line):
            found += [match[1]] if current == module else []
    return sorted(found)


def test_public_names_of_the_package_are_the_documented_ones() -> None:
    """A name that is exported is documented, and the other way round."""
    assert documented("flask_oci") == sorted(flask_oci.__all__)


def test_errors_that_are_no_public_names_are_documented_with_their_module() -> None:
    """Each error code has its class on the page."""
    found = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.RegistryError)
    }
    assert documented("flask_oci.errors") == sorted(found - set(flask_oci.__all__))


def test_signals_are_all_documented() -> None:
    """The page names each signal that a host can connect to."""
    found = [n for n, value in vars(signals).items() if isinstance(value, NamedSignal)]
    assert documented("flask_oci.signals") == sorted(found)


def test_hook_types_are_all_documented() -> None:
    """Each field of the hooks has the type of its function on the page."""
    names = [f.name for f in dataclasses.fields(hooks.Hooks) if f.name != "validators"]
    types_ = ["Validator", *("".join(map(str.title, n.split("_"))) for n in names)]
    assert documented("flask_oci.hooks") == sorted(types_)


def test_modules_of_documented_names_exist() -> None:
    """Each documented name can be imported from the module that the page gives."""
    for module in (errors, hooks, signals):
        assert isinstance(module, types.ModuleType)
        for name in documented(module.__name__):
            assert hasattr(module, name)


@pytest.mark.parametrize("name", MODELS)
def test_model_is_documented_with_columns_that_it_has(name: str) -> None:
    """Each model is in the section about tables."""
    tables = PAGE[PAGE.index("\nTables\n------") :]
    match = re.search(rf"^``{name}``\n((?:    .+\n)+)", tables, re.MULTILINE)
    assert match is not None
    model = getattr(registry.models, name)
    for column in re.findall(r"``(\w+)``", match[1]):
        assert column in model.__table__.columns
