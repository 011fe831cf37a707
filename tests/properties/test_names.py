"""Names, tags, digests and references: the registry accepts or refuses any text."""

from __future__ import annotations

import hashlib
import string

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_oci.errors import DigestInvalid
from flask_oci.errors import ManifestInvalid
from flask_oci.errors import ManifestUnknown
from flask_oci.errors import NameInvalid
from flask_oci.spec.digest import Digest
from flask_oci.spec.reference import check_name
from flask_oci.spec.reference import check_tag
from flask_oci.spec.reference import is_name
from flask_oci.spec.reference import is_tag
from flask_oci.spec.reference import parse_reference
from tests.support.grammar import component_is_valid
from tests.support.grammar import digests
from tests.support.grammar import mutated
from tests.support.grammar import name_is_valid
from tests.support.grammar import names
from tests.support.grammar import tags

LOWER_HEX = frozenset("0123456789abcdef")
TAG_FIRST = frozenset(string.ascii_letters + string.digits + "_")
TAG_REST = TAG_FIRST | frozenset(".-")

pure = settings(derandomize=True, deadline=None, max_examples=300)


@pure
@given(names)
def test_every_name_of_the_grammar_is_accepted_unchanged(name: str) -> None:
    """Every text of the specification's grammar is a name, and is not changed."""
    assert check_name(name) == name


@pure
@given(mutated(names))
@example("a\n")
@example("a___b")
@example("a..b")
@example("a-/b")
@example("/a")
@example("a//b")
@example("")
@example("á")
@example("٣")
def test_damaged_name_is_accepted_only_by_the_grammar(name: str) -> None:
    """A name with changed characters is accepted exactly if the grammar matches it."""
    assert is_name(name) == name_is_valid(name)
    if not name_is_valid(name):
        with pytest.raises(NameInvalid):
            check_name(name)


@pure
@given(st.text(max_size=12))
def test_any_text_is_a_name_only_by_the_grammar(text: str) -> None:
    """No text outside of the grammar is a name, whatever its alphabet."""
    assert is_name(text) == name_is_valid(text)


@pure
@given(st.text("ab0._-", min_size=1, max_size=8))
def test_separators_only_join_components(text: str) -> None:
    """Separators may not begin or end a component, and may not be mixed."""
    assert is_name(text) == component_is_valid(text)


@pytest.mark.parametrize(("length", "accepted"), [(255, True), (256, False)])
@pytest.mark.parametrize("unit", ["a", "a/", "a-", "a.b_c__d--"])
def test_name_above_255_characters_is_refused(
    unit: str, length: int, accepted: bool
) -> None:
    """The limit does not depend on the number of components."""
    name = (unit * length)[: length - 1] + "z"
    assert is_name(name) is accepted
    assert name_is_valid(name) is accepted


@pure
@given(tags)
def test_every_tag_of_the_grammar_is_accepted_unchanged(tag: str) -> None:
    """Every text of the specification's grammar is a tag, and a reference to it."""
    assert check_tag(tag) == tag
    assert parse_reference(tag) == tag


@pure
@given(mutated(tags))
@example("latest\n")
@example("-a")
@example(".a")
@example("")
@example("٣")
@example("a" * 129)
def test_damaged_tag_is_accepted_only_by_the_grammar(tag: str) -> None:
    """A tag with changed characters is accepted exactly if the grammar matches it."""
    valid = (
        0 < len(tag) <= 128 and tag[0] in TAG_FIRST and all(c in TAG_REST for c in tag)
    )
    assert is_tag(tag) == valid
    if not valid:
        with pytest.raises(ManifestInvalid):
            check_tag(tag)


@pure
@given(digests)
def test_every_registered_digest_is_parsed_unchanged(text: str) -> None:
    """A digest has the same text after parsing, as a value and as a reference."""
    assert str(Digest.parse(text)) == text
    assert parse_reference(text) == Digest.parse(text)


@pure
@given(mutated(digests))
@example("sha256:" + "A" * 64)
@example("SHA256:" + "a" * 64)
@example("sha256:" + "a" * 63)
@example("sha256:" + "a" * 64 + "\n")
@example("sha256:")
@example("sha512:" + "a" * 64)
@example("sha384:" + "a" * 96)
@example("md5:" + "a" * 32)
@example("sha256:" + "٣" * 64)
@example("sha256:../../../../etc/passwd")
@example("../sha256:" + "a" * 64)
@example("sha256::" + "a" * 64)
@example("sha256+b64:" + "a" * 64)
def test_damaged_digest_is_refused(text: str) -> None:
    """Only sha256 and sha512 in lower-case hexadecimal of full length are digests."""
    algorithm, _, encoded = text.partition(":")
    width = {"sha256": 64, "sha512": 128}.get(algorithm)
    if len(encoded) == width and set(encoded) <= LOWER_HEX:
        assert str(Digest.parse(text)) == text
        return
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


@pure
@given(st.binary(max_size=100), st.sampled_from(["sha256", "sha512"]))
def test_computed_digest_is_that_of_hashlib(content: bytes, algorithm: str) -> None:
    """A computed digest can be parsed, and has the hash of the content."""
    digest = Digest.of(content, algorithm)
    expected = hashlib.new(algorithm, content).hexdigest()
    assert str(digest) == f"{algorithm}:{expected}"
    assert Digest.parse(str(digest)) == digest


@pure
@given(st.text(max_size=200))
def test_any_text_as_reference_is_a_digest_a_tag_or_refused(text: str) -> None:
    """Any text is parsed as a digest or as a tag, or refused as one of them."""
    try:
        reference = parse_reference(text)
    except DigestInvalid:
        assert ":" in text
    except ManifestUnknown:
        assert ":" not in text
        assert not is_tag(text)
    else:
        assert str(reference) == text


@pytest.mark.parametrize("size", [10_000, 1_000_000])
@pytest.mark.parametrize("unit", ["a", "a-", "a_", "/", "sha256:", "é", "\0"])
def test_huge_text_is_refused_without_repeating_it(unit: str, size: int) -> None:
    """A text of megabytes is no name, tag or digest, and no error repeats it."""
    text = unit * (size // len(unit)) + "!"
    assert not is_name(text)
    assert not is_tag(text)
    with pytest.raises(DigestInvalid) as refusal:
        Digest.parse(text)
    assert len(refusal.value.get_body()) < 4096
