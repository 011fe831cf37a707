"""Paths: groups of repositories that a rule applies to."""

from __future__ import annotations

import pytest

from flask_oci.rules.paths import covers
from flask_oci.rules.paths import parse_path
from flask_oci.rules.paths import path_text
from flask_oci.rules.paths import paths_of


@pytest.mark.parametrize(
    ("text", "stored"), [("*", ""), ("website/*", "website"), ("a/b-c/*", "a/b-c")]
)
def test_path_is_stored_without_its_star(text: str, stored: str) -> None:
    assert parse_path(text) == stored
    assert path_text(stored) == text


@pytest.mark.parametrize(
    "text", ["", "/*", "website", "website/", "Web/*", "a/*/*", "a*", "**", "../*"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(text)


@pytest.mark.parametrize("name", ["website", "website/app", "website/app/web"])
def test_path_contains_a_repository_and_those_below_it(name: str) -> None:
    assert covers("website", name)
    assert covers("", name)
    assert "website" in paths_of(name)
    assert paths_of(name)[-1] == ""


@pytest.mark.parametrize("name", ["websites", "website-old/app", "web"])
def test_path_does_not_contain_a_similar_name(name: str) -> None:
    assert not covers("website", name)
    assert "website" not in paths_of(name)
