"""Scopes and URLs: the registry reads the request that the client meant."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from flask_oci.spec.scope import ACTIONS
from flask_oci.spec.scope import MAX_SCOPES
from flask_oci.spec.scope import parse_scopes
from flask_oci.spec.scope import repository_actions
from flask_oci.spec.scope import repository_scope
from flask_oci.spec.scope import Scope
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from tests.support.grammar import digests
from tests.support.grammar import mutated
from tests.support.grammar import name_is_valid
from tests.support.grammar import names
from tests.support.grammar import tags
from tests.support.registry_client import RegistryClient

pure = settings(derandomize=True, deadline=None, max_examples=150)
over_http = settings(
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

actions = st.lists(st.sampled_from([*ACTIONS, "*"]), min_size=1, max_size=4)
# Some clients put the host, and its port, in front of the name.
resources = st.one_of(names, names.map("localhost:5000/".__add__))
kinds = st.sampled_from(["repository", "repository(plugin)", "registry"])
asked = st.lists(st.tuples(kinds, resources, actions), max_size=6)


@pure
@given(asked, st.data())
def test_scopes_in_any_parameters_are_merged(
    wanted: list[tuple[str, str, list[str]]], data: st.DataObject
) -> None:
    """Repeated parameters and several scopes in one parameter mean the same, in
    order."""
    values = [""]
    expected: dict[tuple[str, str], list[str]] = {}
    for kind, name, several in wanted:
        scope = f"{kind}:{name}:{','.join(several)}"
        if data.draw(st.booleans()):
            values.append(scope)
        else:
            values[-1] += f" {scope}"
        known = expected.setdefault((kind, name), [])
        known.extend(action for action in several if action not in known)
    assert [
        (s.type, s.name, list(dict.fromkeys(s.actions))) for s in parse_scopes(values)
    ] == [
        (*resource, list(dict.fromkeys(several)))
        for resource, several in expected.items()
    ]


@pure
@given(names, st.lists(st.sampled_from(ACTIONS), min_size=1, unique=True))
def test_scope_of_challenge_is_parsed_unchanged(name: str, several: list[str]) -> None:
    """A client sends the scope of a challenge back."""
    scope = Scope("repository", name, tuple(several))
    assert parse_scopes([str(scope)]) == [scope]
    assert set(repository_actions(scope)) == set(several)


@pure
@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_is_parsed_or_ignored(values: list[str]) -> None:
    """No text causes an error, and none means a scope that it does not contain."""
    for scope in parse_scopes(values):
        for action in repository_actions(scope):
            assert any(action in value or "*" in value for value in values)


def test_too_many_scopes_are_cut() -> None:
    """A client that asks for thousands of scopes gets a token of limited size."""
    values = [str(repository_scope(f"alice/r{i}", "pull")) for i in range(5000)]
    assert len(parse_scopes(values)) == MAX_SCOPES


@over_http
@given(names, digests, tags)
def test_name_in_any_url_leads_to_its_repository(
    app: Flask, name: str, digest: str, tag: str
) -> None:
    """Each URL leads only to its repository, whatever words the name contains."""
    adapter = app.url_map.bind("localhost")
    session = "00000000-0000-4000-8000-000000000000"
    for method, path, endpoint, arguments in (
        ("GET", f"blobs/{digest}", "blob", {"digest": digest}),
        ("HEAD", f"manifests/{digest}", "manifest", {"reference": digest}),
        ("PUT", f"manifests/{tag}", "manifest_put", {"reference": tag}),
        ("POST", "blobs/uploads/", "uploads", {}),
        ("PATCH", f"blobs/uploads/{session}", "upload_append", {"session_id": session}),
        ("GET", "tags/list", "tags", {}),
        ("GET", f"referrers/{digest}", "referrers", {"digest": digest}),
    ):
        found = adapter.match(f"/v2/{name}/{path}", method)
        assert found == (f"oci.{endpoint}", {"name": name, **arguments})


@over_http
@given(mutated(names))
def test_invalid_name_in_url_leads_to_no_repository(app: Flask, name: str) -> None:
    """A URL with an invalid name matches no rule with a name."""
    adapter = app.url_map.bind("localhost")
    try:
        endpoint, arguments = adapter.match(f"/v2/{name}/tags/list", "GET")
    except HTTPException:
        # Two slashes in a row are redirected to one.
        assert not name_is_valid(name)
        return
    assert (endpoint == "oci.tags") == name_is_valid(arguments.get("name", ""))
    assert name_is_valid(name) == (arguments == {"name": name})


@over_http
@given(names)
def test_location_of_pushed_blob_returns_its_content(
    alice: RegistryClient, name: str
) -> None:
    """The Location of a push has the repository and leads to the content."""
    name = f"alice/{name}"[:255].rstrip("./_-")
    content = name.encode()
    response = alice.post(
        f"/v2/{name}/blobs/uploads/", content, query={"digest": digest_of(content)}
    )
    assert response.status_code == 201
    location = response.headers["Location"]
    assert location == f"/v2/{name}/blobs/{digest_of(content)}"
    assert alice.get(location).data == content


@over_http
@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x2FFF), max_size=20))
def test_any_path_is_answered_in_json(alice: RegistryClient, text: str) -> None:
    """A push to any URL under /v2 gets a well-formed 4xx."""
    path = f"/v2/alice/{text}/manifests/latest"
    response = alice.put("/", b"", environ={"PATH_INFO": _as_wsgi(path)})
    if response.status_code != 308:
        status, _ = refusal(response)
        assert 400 <= status < 500


@pytest.mark.parametrize("length", [255, 256, 8192])
def test_long_name_is_used_or_refused_completely(
    alice: RegistryClient, length: int
) -> None:
    """A name of 255 characters is accepted, and a longer one is refused."""
    name = "alice/" + "x" * (length - 6)
    response = alice.get(f"/v2/{name}/tags/list")
    expected = (404, "NAME_UNKNOWN") if length <= 255 else (400, "NAME_INVALID")
    assert refusal(response) == expected


def _as_wsgi(path: str) -> str:
    # "PEP 3333: such strings [...] contain only code points representable in
    # ISO-8859-1 encoding", which here are those of UTF-8's bytes.
    return path.encode().decode("latin-1")
