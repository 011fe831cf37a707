"""A registry that sends hostile headers and lists to ``flask oci copy``."""

from __future__ import annotations

import itertools
import json
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask import request
from flask import Response

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.transfer import Images
from flask_oci.transfer import TransferError
from flask_oci.transfer.remote.challenges import parse
from flask_oci.transfer.remote.links import next_link
from tests.support.host import registry
from tests.support.other_registry import OtherRegistry

Serve = Callable[[Flask], int]

#: About the largest header that Python's HTTP client takes, in characters.
LONGEST = 65_000


@pytest.fixture(name="images")
def _images(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Images]:
    """The Python API, within an application context, and without logins."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with app.app_context():
        yield registry.images


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "piece",
    ["a", ", ", '"', '\\"', 'a="', "a=", 'Bearer realm="', "Bearer", "Basic,", ",\t"],
)
def test_hostile_challenges_are_read_in_linear_time(
    images: Images, serve: Serve, piece: str
) -> None:
    """Ten long challenges end in a refusal. A quadratic parser would not end."""
    other = Flask("other")
    value = piece * (LONGEST // len(piece))

    @other.before_request
    def _refuse() -> Response:
        response = Response(status=401)
        for start in ("", 'Bearer a="b\\'):
            for _ in range(5):
                response.headers.add("WWW-Authenticate", start + value)
        return response

    with pytest.raises(TransferError, match=r"answers 401|without TLS"):
        images.copy(f"127.0.0.1:{serve(other)}/a/b:1", "alice/app:1")


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "piece", ["<", "<>;", "<a>;\t", '<a>;rel="', ",", ";rel=", "a"]
)
def test_hostile_link_is_read_in_linear_time(
    images: Images, serve: Serve, piece: str
) -> None:
    """A long link ends the list, or leads elsewhere."""
    other = OtherRegistry()
    other.push("a/b", "1", manifest=image(LAYER), blobs=(CONFIG, LAYER))

    @other.app.after_request
    def _link(response: Response) -> Response:
        response.headers["Link"] = piece * (LONGEST // len(piece))
        return response

    source = f"127.0.0.1:{serve(other.app)}/a/b"
    moved = images.mirror(source, "alice/app")
    assert len(moved.images) == 1


@pytest.mark.parametrize("length", [3, 3000])
def test_endless_tag_list_is_refused(images: Images, serve: Serve, length: int) -> None:
    """A list without an end is refused after a bounded number of tags and bytes."""
    other = Flask("other")
    pages = itertools.count()
    sent = 0

    @other.get("/v2/a/b/tags/list")
    def _tags() -> Response:
        nonlocal sent
        number = next(pages)
        tags = [f"{number}-{n}".ljust(length, "x") for n in range(150_000 // length)]
        content = json.dumps({"name": "a/b", "tags": tags})
        sent += len(content)
        link = f'<{request.path}?last={number}>; rel="next"'
        return Response(content, headers={"Link": link})

    with pytest.raises(TransferError, match=r"more than|does not end"):
        images.mirror(f"127.0.0.1:{serve(other)}/a/b", "alice/app")
    assert sent < 100_000_000


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['Basic realm="a, b"'], [("basic", {"realm": "a, b"})]),
        (["basic"], [("basic", {})]),
        (
            ['Bearer realm="https://a/t",service=b , Scope="x:y:a,b"'],
            [("bearer", {"realm": "https://a/t", "service": "b", "scope": "x:y:a,b"})],
        ),
        (
            ['Negotiate abc==, Basic realm = "a\\"b", Bearer realm="c"'],
            [("basic", {"realm": 'a"b'}), ("bearer", {"realm": "c"})],
        ),
        (
            ['Digest realm="d", nonce="Basic", Bearer realm="c"', "Basic realm=e"],
            [("bearer", {"realm": "c"}), ("basic", {"realm": "e"})],
        ),
        (
            ['Bearer realm="never ends, Basic'],
            [("bearer", {"realm": "never ends, Basic"})],
        ),
        (["", ",,", "=", '"Bearer realm=x"'], []),
    ],
)
def test_challenges_are_parsed(
    values: list[str], expected: list[tuple[str, dict[str, str]]]
) -> None:
    """Schemes and parameters are found in each usual spelling."""
    assert [tuple(challenge) for challenge in parse(values)] == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('</v2/a/tags/list?n=1&last=b>; rel="next"', "/v2/a/tags/list?n=1&last=b"),
        ("<a>; rel=next", "a"),
        ('<a>; rel="prev", <b>;title="x, y"; REL="next"', "b"),
        ('<a>; rel="nexts"', None),
        ("<a", None),
        ("", None),
    ],
)
def test_next_link_is_found(header: str, expected: str | None) -> None:
    """The next page is found among other links."""
    assert next_link(header) == expected
