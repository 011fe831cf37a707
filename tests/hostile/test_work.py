"""The work of each route for the worst content, query, headers and body.

The work is counted in calls, statements and bytes of parsed JSON, which are the same on
every machine. The routes come from the URL map, so a new route is tested too.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule

from flask_oci.core.summaries import LIST_BYTES
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support import worst_content
from tests.support.host import Administrator
from tests.support.host import create_app
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.work import counted
from tests.support.work import Work
from tests.support.worst_content import NAME

#: The calls that any request may make, and the bytes of an answer for each further one.
#: A call takes about half a microsecond, so this is less than 50 ms.
MOST_CALLS = 80_000
BYTES_PER_CALL = 1

#: The maximum number of statements of a request. A token may have 50 scopes.
MOST_STATEMENTS = 60

#: The largest JSON that a request may parse, in bytes: two of the largest manifests.
MOST_JSON = 8_100_000

#: The largest body of a request with a bounded cost, in bytes.
BODY = 64 * 1024

#: The largest query or header that the usual servers take, in bytes.
LINE = 8000

PARAMETERS = (
    *("n", "last", "artifactType", "scope", "service", "account", "digest", "mount"),
    *("from", "to", "platform", "q", "sort", "show", "search", "order", "limit"),
    *("next", "after", "at", "tag", "before", "prefix", "owner", "repository"),
)
QUERIES: t.Final[dict[str, t.Any]] = {
    "long values": {name: "a" * (LINE // len(PARAMETERS)) for name in PARAMETERS},
    "brackets": {name: "[" * (LINE // len(PARAMETERS)) for name in PARAMETERS},
    "two hundred": {n: ["a"] * 8 for n in PARAMETERS},
    "many": {"n": ["1"] * (LINE // 4)},
    "scopes": {"scope": [f"repository:a/{n}:*" for n in range(LINE // 40)]},
    "one scope": {"scope": "repository:a/b:pull " * (LINE // 25)},
}
HEADERS: t.Final[dict[str, tuple[str, ...]]] = {
    "Authorization": (
        "Basic " + "YTph" * (LINE // 4),
        "Bearer " + "a." * (LINE // 2),
        "Bearer " + "a" * LINE,
        "Digest " + 'a="b",' * (LINE // 6),
    ),
    "Range": ("bytes=" + "0-1," * (LINE // 4) + "0-1", "bytes=" + "-" * LINE),
    "Accept": ("a/b;q=0.1," * (LINE // 10), ",;=" * (LINE // 3)),
    "Accept-Language": ("en-GB;q=0.1," * (LINE // 12),),
    "Cookie": ("a=b;" * (LINE // 4), "session=" + "." * LINE, '"\\' * (LINE // 2)),
    "If-None-Match": ('"a",' * (LINE // 4), 'W/"' * (LINE // 3)),
    "Content-Range": ("0-" * (LINE // 2),),
    "X-Forwarded-For": ("127.0.0.1," * (LINE // 10),),
}


def repeated(piece: str) -> bytes:
    """Return a body that repeats some text."""
    return piece.encode() * (BODY // len(piece))


FORM: t.Final = "application/x-www-form-urlencoded"
FIELDS: t.Final = ("tag", "scope", "pattern", "rule", "repository", "x", "oci_form")
BODIES: t.Final[dict[str, tuple[str, bytes]]] = {
    **{f"form of {field}": (FORM, repeated(f"{field}=a&")) for field in FIELDS},
    "one scope": (
        FORM,
        b"grant_type=password&username=a&password=b&scope="
        + repeated("repository:a:pull+"),
    ),
    "parts": (
        "multipart/form-data; boundary=a",
        repeated('--a\r\nContent-Disposition: form-data; name="tag"\r\n\r\na\r\n'),
    ),
    "deep JSON": ("application/json", repeated('[{"tag":')),
    "wide JSON": ("application/json", b'{"patterns":[' + repeated('"a",') + b'"a"]}'),
    **{
        f"manifest of {filler}": (
            OCI_MANIFEST,
            b'{"schemaVersion":2,"x":[' + repeated(f"{filler},") + b"0]}",
        )
        for filler in ("{}", "[]", '""', '{"a":0}', '{"a":{"b":[0]}}')
    },
    "manifest of layers": (
        OCI_MANIFEST,
        image(*[LAYER] * 300),
    ),
    "manifest of annotations": (
        OCI_MANIFEST,
        image(annotations={f"{n}": "" for n in range(4000)}),
    ),
}

#: The tags of the worst content that each route is asked for.
REFERENCES = ("subject", "index-0", *worst_content.MANIFESTS)


@pytest.fixture(name="app", scope="module")
def _app(tmp_path_factory: pytest.TempPathFactory, _empty_database: None) -> Flask:
    """An application with a public repository of the worst content."""
    folder = tmp_path_factory.mktemp("worst")
    app = create_app(folder, OCI_METRICS=False)
    Administrator(app).start_afresh()
    worst_content.push(RegistryClient.of(app, "alice"))
    Administrator(app).publish(NAME)
    warm_up(app)
    return app


def warm_up(app: Flask) -> None:
    """Compile the templates and the statements, which is done once in a process."""
    client = app.test_client()
    for rule in rules(app):
        if "GET" in (rule.methods or ()):
            client.get(address(app, rule, "subject")).close()


def rules(app: Flask) -> list[Rule]:
    """Return the rules of the registry's blueprints."""
    return [r for r in app.url_map.iter_rules() if r.endpoint.startswith("oci")]


def methods(rule: Rule) -> list[str]:
    """Return the methods of a rule that run a view of their own: HEAD runs that of GET,
    and Flask answers OPTIONS."""
    return sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"})


def address(app: Flask, rule: Rule, reference: str) -> str:
    """Return the address of a rule for a tag of the worst content."""
    manifest = {"subject": worst_content.SUBJECT, "index-0": worst_content.INDEX}
    content = {**worst_content.MANIFESTS, **manifest}[reference]
    values = {
        "name": NAME,
        "reference": reference,
        "tag": reference,
        "digest": digest_of(content),
        "blob": digest_of(content),
        "session_id": NO_SESSION,
        "token_id": "1",
        "username": "alice",
        "signer": "release",
        "robot_id": "0" * 32,
        "secret_id": "1",
        "publisher_id": "1",
        "webhook_id": "1",
        "move": "1",
        "rest": "/".join("a" * (LINE // 2)),
        "filename": "a" * LINE,
    }
    adapter = app.url_map.bind("localhost")
    chosen = {name: values[name] for name in rule.arguments}
    return adapter.build(rule.endpoint, chosen)


def fault(work: Work, answer: int) -> str | None:
    """Return a description of work beyond the bounds, or None."""
    if work.calls > MOST_CALLS + answer // BYTES_PER_CALL:
        return f"{work.calls} calls for {answer} bytes"
    if work.statements > MOST_STATEMENTS:
        return f"{work.statements} statements"
    if work.json_bytes > MOST_JSON:
        return f"{work.json_bytes} bytes of JSON"
    return None


def faults(app: Flask, requests: Iterator[dict[str, t.Any]]) -> list[str]:
    """Send requests without credentials, and describe those that cost too much."""
    client, found = app.test_client(), []
    for request in requests:
        label = request.pop("label")
        with counted() as work:
            response = client.open(**request)
            answer = max(len(response.data), response.content_length or 0)
        response.close()
        assert response.status_code < 500 or response.status_code == 501, label
        if (text := fault(work, answer)) is not None:
            found.append(f"{request['method']} {label}: {text}")
    return found


def test_worst_content_costs_no_route_more_than_its_bound(app: Flask) -> None:
    """An anonymous request for the worst manifest, index or config is cheap."""

    def requests() -> Iterator[dict[str, t.Any]]:
        for rule in rules(app):
            if "GET" not in (rule.methods or ()):
                continue
            for reference in REFERENCES if rule.arguments - {"name"} else ["subject"]:
                yield {
                    "label": f"{rule.endpoint} {reference}",
                    "method": "GET",
                    "path": address(app, rule, reference),
                }
        for one in REFERENCES:
            yield {
                "label": f"comparison with {one}",
                "method": "GET",
                "path": f"/images/{NAME}/-/compare",
                "query_string": {"from": one, "to": one},
            }

    assert faults(app, requests()) == []


@pytest.mark.slow
@pytest.mark.parametrize("query", QUERIES)
def test_worst_query_costs_no_route_more_than_its_bound(app: Flask, query: str) -> None:
    """An anonymous request with the worst query is cheap."""
    assert (
        faults(
            app,
            (
                {
                    "label": rule.endpoint,
                    "method": method,
                    "path": address(app, rule, "subject"),
                    "query_string": QUERIES[query],
                }
                for rule in rules(app)
                for method in methods(rule)
            ),
        )
        == []
    )


@pytest.mark.slow
@pytest.mark.parametrize("header", HEADERS)
def test_worst_header_costs_no_route_more_than_its_bound(
    app: Flask, header: str
) -> None:
    """An anonymous request with the worst header is cheap."""
    assert (
        faults(
            app,
            (
                {
                    "label": f"{rule.endpoint} {value[:20]}",
                    "method": method,
                    "path": address(app, rule, "subject"),
                    "headers": {header: value},
                }
                for rule in rules(app)
                for method in methods(rule)
                for value in HEADERS[header]
            ),
        )
        == []
    )


@pytest.mark.parametrize("body", BODIES)
def test_worst_body_costs_no_route_more_than_its_bound(app: Flask, body: str) -> None:
    """An anonymous request with the worst body of 64 KiB is cheap."""
    content_type, data = BODIES[body]
    assert (
        faults(
            app,
            (
                {
                    "label": rule.endpoint,
                    "method": method,
                    "path": address(app, rule, "subject"),
                    "data": data,
                    "content_type": content_type,
                }
                for rule in rules(app)
                for method in methods(rule)
                if method != "GET"
            ),
        )
        == []
    )


def test_forty_tags_of_one_index_cost_as_much_as_one(app: Flask) -> None:
    """A list reads the JSON of an index once, however many tags point at it."""
    client = app.test_client()
    for path, one in (
        (f"/images/{NAME}?sort=name&q=index", f"/images/{NAME}?q=index-39"),
        (
            f"/api/oci/v1/repositories/{NAME}/-/tags?search=index",
            f"/api/oci/v1/repositories/{NAME}/-/tags?search=index-39",
        ),
    ):
        parsed = []
        for address_of_list in (path, one):
            with counted() as work:
                response = client.get(address_of_list)
            assert "index-39" in response.text or address_of_list == path
            assert "a/b" in response.text
            parsed.append(work.json_bytes)
        assert parsed[0] == parsed[1] > 0


def test_list_reads_a_bounded_number_of_bytes(app: Flask) -> None:
    """A list of many different indexes leaves out the platforms beyond its budget."""
    alice = RegistryClient.of(app, "alice")
    for number in range(40):
        content = index(*[worst_content.CHILD] * 60, x=number)
        alice.push_manifest(NAME, content, f"z{number}")
    with counted() as work:
        tags = RestClient(RegistryClient(app)).items(
            f"/repositories/{NAME}/-/tags?search=z"
        )
    assert len(tags) == 40
    assert {len(tag["platforms"]) for tag in tags} == {0, 60}
    assert work.json_bytes <= LIST_BYTES * 1.1


def test_worst_manifest_is_accepted_or_refused_cheaply(app: Flask) -> None:
    """A user's push of 64 KiB costs little, whether it is accepted or refused."""
    alice = RegistryClient.of(app, "alice")
    alice.push_manifest(NAME, worst_content.SUBJECT, "warm")
    found = []
    for label, (content_type, data) in BODIES.items():
        with counted() as work:
            response = alice.put(
                f"/v2/{NAME}/manifests/pushed",
                data,
                headers={"Content-Type": content_type},
            )
        assert response.status_code in (201, 400, 404), label
        if (text := fault(work, 0)) is not None:
            found.append(f"{label}: {text}")
    assert found == []
