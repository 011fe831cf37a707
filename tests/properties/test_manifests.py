"""Manifests: the registry accepts or refuses any bytes, and keeps a manifest
unchanged."""

from __future__ import annotations

import json
import time
import tracemalloc
import typing as t

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from flask_oci.errors import ManifestInvalid
from flask_oci.spec.manifest import Manifest
from flask_oci.spec.manifest import parse
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import DOCKER_LIST
from flask_oci.testing.manifests import DOCKER_MANIFEST
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.grammar import digests
from tests.support.grammar import tags
from tests.support.registry_client import RegistryClient

Json = t.Any

pure = settings(derandomize=True, deadline=None, max_examples=100)
# Every example pushes to a repository that no other test uses.
over_http = settings(
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

#: The names of the fields that a reader looks at, among others.
FIELDS = (
    *("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests"),
    *("subject", "annotations", "digest", "size", "urls", "platform", "fsLayers"),
)
MEDIA_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)

# JSON can have an unpaired surrogate such as "\ud800", and so can these texts.
texts = st.one_of(
    st.text(max_size=10),
    st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=3),
    st.sampled_from(MEDIA_TYPES),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts, digests
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), texts), inner, max_size=5),
    ),
    max_leaves=20,
)

media_types = st.from_regex(r"\Aapplication/[a-z][a-z0-9.+-]{0,30}\Z")
labels = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=4,
)
always: dict[str, st.SearchStrategy[Json]] = {
    "mediaType": media_types,
    "digest": digests,
    "size": st.integers(0, 2**53 - 1),
}
sometimes: dict[str, st.SearchStrategy[Json]] = {
    "annotations": labels,
    "urls": st.just(["https://example.org/"]),
    "data": st.text("ABab01", max_size=8),
    "platform": st.sampled_from([{"os": "linux"}, {"os": "plan9"}]),
}
descriptors = st.fixed_dictionaries(always, optional=sometimes)
optional_fields: dict[str, st.SearchStrategy[Json]] = {
    "annotations": labels,
    "subject": descriptors,
    "artifactType": media_types,
    "org.example.unknown": scalars.filter(lambda value: value == value),
}


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Json]:
    """Return valid manifests and indexes with fields in any order."""
    media_type = draw(st.sampled_from(MEDIA_TYPES))
    fields: dict[str, Json] = {"schemaVersion": 2, "mediaType": media_type}
    if media_type in (OCI_INDEX, DOCKER_LIST):
        fields["manifests"] = draw(st.lists(descriptors, max_size=4))
    else:
        fields["config"] = draw(descriptors)
        fields["layers"] = draw(st.lists(descriptors, max_size=4))
    for field, values in optional_fields.items():
        if draw(st.booleans()):
            fields[field] = draw(values)
    return {field: fields[field] for field in draw(st.permutations(list(fields)))}


@st.composite
def encoded_manifests(draw: st.DrawFn) -> bytes:
    """Return manifests as different programs write them: with spaces, escapes or
    neither."""
    ascii_only = draw(st.booleans())
    text = json.dumps(
        draw(manifests()),
        indent=draw(st.sampled_from([None, 0, 3, "\t"])),
        separators=draw(st.sampled_from([None, (",", ":"), (" , ", " : ")])),
        ensure_ascii=True if ascii_only else draw(st.booleans()),
        allow_nan=False,
    )
    margin = draw(st.sampled_from(["", "\n", " \r\n\t"]))
    return f"{margin}{text}{margin}".encode("utf-8", "surrogatepass")


def parse_or_refuse(content: bytes, content_type: str | None) -> Manifest | None:
    """Return the parsed manifest, or None if the parser refuses it. No other error is
    allowed."""
    try:
        return parse(content, content_type)
    except ManifestInvalid as error:
        refused = error
    assert refused.status == 400
    assert len(refused.get_body()) < 8192
    return None


@pure
@given(st.binary(max_size=60), st.one_of(st.none(), st.text(max_size=20)))
@example(b"", None)
@example(b"\xff\xfe", OCI_MANIFEST)
@example("{}".encode("utf-16"), OCI_MANIFEST)
def test_bytes_that_are_not_json_are_refused(
    content: bytes, content_type: str | None
) -> None:
    """Any bytes get the answer that they are not a manifest."""
    assert parse_or_refuse(content, content_type) is None


@pure
@given(anything, st.sampled_from([None, "", "text/html", *MEDIA_TYPES]))
def test_any_json_is_parsed_or_refused(
    document: Json, content_type: str | None
) -> None:
    """JSON of any shape raises no other error."""
    parse_or_refuse(json.dumps(document).encode(), content_type)


@pure
@given(manifests(), st.data())
def test_manifest_with_any_value_is_parsed_or_refused(
    fields: dict[str, Json], data: st.DataObject
) -> None:
    """One value of any type anywhere in a manifest raises no other error."""
    place: Json = fields
    while True:
        key = data.draw(st.sampled_from(list(place) or ["new"]))
        inner = place.get(key) if isinstance(place, dict) else None
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            inner = inner[0]
        if not isinstance(inner, dict) or data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(anything)
    manifest = parse_or_refuse(json.dumps(fields).encode(), None)
    if manifest is not None:
        # The parsed values have to fit into their columns.
        assert manifest.media_type in MEDIA_TYPES
        assert len(manifest.artifact_type or "") <= 255
        for descriptor in manifest.descriptors:
            assert 0 <= descriptor.size < 2**63
            assert len(descriptor.media_type) <= 255
        json.dumps(manifest.annotations, ensure_ascii=False).encode()


@pure
@given(manifests())
def test_valid_manifest_is_parsed_completely(fields: dict[str, Json]) -> None:
    """The result has every descriptor, the subject and the annotations."""
    manifest = parse(json.dumps(fields).encode(), fields["mediaType"])
    expected = [
        *([fields["config"]] if "config" in fields else []),
        *fields.get("layers", []),
        *fields.get("manifests", []),
    ]
    assert [(str(d.digest), d.size, d.media_type) for d in manifest.descriptors] == [
        (d["digest"], d["size"], d["mediaType"]) for d in expected
    ]
    assert manifest.media_type == fields["mediaType"]
    assert manifest.annotations == fields.get("annotations", {})
    subject = fields.get("subject")
    assert str(manifest.subject) == (subject["digest"] if subject else "None")
    config = fields.get("config", {})
    assert manifest.artifact_type == fields.get("artifactType", config.get("mediaType"))


@pytest.mark.options(oci_allow_sparse=True)
@over_http
@given(encoded_manifests(), tags, st.sampled_from(["sha256", "sha512"]))
def test_manifest_is_served_byte_for_byte(
    alice: RegistryClient, content: bytes, tag: str, algorithm: str
) -> None:
    """White space, escapes and the order of fields are kept, by tag and by digest."""
    digest = digest_of(content, algorithm)
    media_type = json.loads(content)["mediaType"]
    assert alice.put_manifest("alice/app", digest, content).status_code == 201
    assert alice.put_manifest("alice/app", tag, content).status_code == 201
    for reference in (digest, tag, digest_of(content)):
        response = alice.get(f"/v2/alice/app/manifests/{reference}")
        assert response.data == content
        assert response.headers["Content-Type"] == media_type
        assert response.headers["Content-Length"] == str(len(content))


@over_http
@given(
    st.one_of(st.binary(max_size=60), anything.map(lambda v: json.dumps(v).encode()))
)
def test_invalid_manifest_is_refused_and_not_stored(
    alice: RegistryClient, content: bytes
) -> None:
    """The answer is a 400 in the registry's JSON."""
    response = alice.put_manifest("alice/app", "bad", content, OCI_MANIFEST)
    assert refusal(response) == (400, "MANIFEST_INVALID")
    for reference in ("bad", digest_of(content)):
        found = alice.get(f"/v2/alice/app/manifests/{reference}")
        assert found.status_code == 404


VALID = image(mediaType=OCI_MANIFEST).decode()

BOMBS = {
    "byte order mark": "\ufeff" + VALID,
    "trailing data": VALID + "{}",
    "trailing comma": VALID[:-1] + ",}",
    "repeated key": VALID[:-1] + ',"layers":[]}',
    "not a number": VALID[:-1] + ',"x":NaN}',
    "infinity": VALID[:-1] + ',"x":-Infinity}',
    "version of another type": VALID.replace(": 2,", ": 2.0,", 1),
    "size of another type": VALID.replace('"size": ', '"size": 1.0,"x":'),
    "size that is true": VALID.replace('"size": ', '"size": true,"x":'),
    "negative size": VALID.replace('"size": ', '"size": -'),
    "size beyond 64 bits": VALID.replace('"size": ', f'"size": {2**63},"x":'),
    "size of a million digits": VALID.replace('"size": ', '"size": ' + "9" * 10**6),
    "deep lists": VALID[:-1] + ',"x":' + "[" * 10**5 + "]" * 10**5 + "}",
    "deep lists, unclosed": "[" * 10**6,
    "deep objects": '{"x":' * 10**5,
    "deep behind quotes": '["\\"[",' * 100 + "0" + "]" * 100,
    "layers beyond count": VALID.replace(
        '"layers": []', '"layers": [' + ",".join(["{}"] * 10**5) + "]"
    ),
    "half of a character": VALID[:-1] + ',"annotations":{"a":"\\ud800"}}',
    "media type of a page": VALID.replace(OCI_MANIFEST, "text/html"),
    "quotes without an end": '{"' + '\\"' * 10**6 + "[" * 70,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_hostile_manifest_is_refused_quickly(bomb: str) -> None:
    """Depth, size and odd numbers take at most seconds and raise a refusal."""
    content = bomb.encode()
    started = time.process_time()
    assert parse_or_refuse(content, OCI_MANIFEST) is None
    assert time.process_time() - started < 5


@pytest.mark.parametrize("filler", ["x", '\\"', "\\u00e9", "[", "é"])
def test_large_manifest_takes_memory_in_proportion(filler: str) -> None:
    """A manifest of a megabyte takes a few megabytes, whatever its strings contain."""
    fields = VALID[:-1] + ',"x":' + "[" * 50 + "]" * 50
    text = f'{fields},"annotations":{{"a":"{filler * (10**6 // len(filler))}"}}}}'
    content = text.encode()
    tracemalloc.start()
    try:
        assert parse(content, OCI_MANIFEST)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(content)


@pytest.mark.options(oci_max_manifest_size=1000)
@pytest.mark.parametrize(("excess", "status"), [(0, 201), (1, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_manifest_above_the_maximum_size_is_refused(
    alice: RegistryClient, excess: int, status: int, chunked: bool
) -> None:
    """The limit applies with and without an announced length."""
    alice.push_blob("alice/app", b"{}")
    content = image(config=b"{}")
    content += b" " * (1000 + excess - len(content))
    response = alice.put_manifest("alice/app", "big", content, chunked=chunked)
    assert response.status_code == status
    if excess:
        assert refusal(response) == (413, "MANIFEST_INVALID")
