"""Every route of the registry, with text that some databases cannot store or compare.

PostgreSQL has no NUL. MariaDB cannot compare a column of a narrow character set with an
emoji. No database can encode half of a surrogate pair.
"""

from __future__ import annotations

import itertools
import json
import re
import typing as t
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask
from werkzeug.routing import Rule

import flask_oci
from flask_oci.api.blueprint import OPERATIONS
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import ROOT
from tests.support.visitor import Visitor

VALUES: t.Final = {
    "nul": "\0",
    "nul inside": "a\0b",
    "emoji": "\U0001f40b",
    "emoji inside": "a\U0001f40bb",
    "surrogate": "\udc80",
    "not utf-8": "\udcff\udcfe",
    "private use": "\ue000\U0010ffff",
    "combining": "e\u0301\u202e",
    "control": "a\x01\x1b\x7f",
    "long": "a" * 5000,
    "digits": "9" * 400,
    "digest with nul": f"sha256:{'a' * 63}\0",
    "id with emoji": "0" * 31 + "\U0001f40b",
}

#: One value for each way to fail. Only a database server distinguishes the others.
QUICK: t.Final = {"nul inside", "surrogate", "digits", "id with emoji"}
EACH_VALUE = pytest.mark.parametrize(
    "value",
    [
        pytest.param(
            text, id=name, marks=[] if name in QUICK else [pytest.mark.server_only]
        )
        for name, text in VALUES.items()
    ],
)

#: The same for requests with many fields: on a server, the other values take turns.
VALUES_IN_TURN = pytest.mark.parametrize(
    "values",
    [
        *(
            pytest.param([VALUES[name]], id=name)
            for name in sorted(QUICK - {"surrogate"})
        ),
        # The driver of each database refuses to encode it.
        pytest.param(
            [VALUES["surrogate"]], id="surrogate", marks=pytest.mark.sqlite_only
        ),
        pytest.param(
            [text for name, text in VALUES.items() if name not in QUICK],
            id="others in turn",
            marks=pytest.mark.server_only,
        ),
    ],
)

(PACKAGE,) = map(Path, flask_oci.__path__)
_VARIABLE = re.compile(r"<(?:[^<>:]*:)?(\w+)>")
_READ = r"\b{}\(\s*\"([^\"]+)\""


def names_read(folder: str, *functions: str) -> set[str]:
    """Return the names of the parameters or fields that a part of the package reads."""
    source = "".join(p.read_text("utf-8") for p in (PACKAGE / folder).rglob("*.py"))
    return {
        name
        for function in functions
        for name in re.findall(_READ.format(re.escape(function)), source)
    }


QUERY: t.Final = {
    "oci": names_read("v2", "args.get", "args.getlist"),
    "oci_web": names_read("web", "parameter", "args.get", "args.getlist"),
}
FORMS: t.Final = {
    "oci": names_read("v2", "form.get", "form.getlist"),
    "oci_web": names_read("web", "field", "form.get", "form.getlist"),
}


def raw(text: str) -> bytes:
    """Return the bytes of a text, which may have bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape")


class Sweep:
    """Requests of a signed-in user to every route.

    :param known: values of URL variables that exist.
    """

    def __init__(self, app: Flask, known: dict[str, str]) -> None:
        self.app = app
        self.known = known
        self.alice = RegistryClient.of(app, "alice")
        self.visitor = Visitor(app, "alice")
        with app.test_request_context():
            self.form_token = app.extensions["oci"].form_tokens.sign(
                self.visitor._subject
            )

    def rules(self, *blueprints: str) -> t.Iterator[tuple[Rule, str]]:
        """Yield each rule of some blueprints, with each method that has a view of its
        own: HEAD runs that of GET, and Flask answers OPTIONS."""
        for rule in self.app.url_map.iter_rules():
            if rule.endpoint.partition(".")[0] in blueprints and (
                not rule.endpoint.endswith((".static", ".unknown"))
            ):
                for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                    yield rule, method

    def path(self, rule: Rule, **changed: str) -> str:
        """Return a path that matches a rule."""
        values = {**self.known, **changed}
        return _VARIABLE.sub(lambda found: values[found[1]], rule.rule)

    def send(
        self,
        rule: Rule,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
    ) -> int:
        """Send a request, and return the status."""
        headers, body = {}, b""
        if rule.endpoint.startswith("oci_web."):
            client: t.Any = self.visitor.client
            form = {**(form or {}), "oci_form": self.form_token}
        else:
            client = self.app.test_client()
            headers["Authorization"] = t.cast(str, self.alice.authorization)
        if form and method not in ("GET", "HEAD"):
            body = raw_query(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif "manifests" in rule.rule and method == "PUT":
            body, headers["Content-Type"] = b"{}", OCI_MANIFEST
        with client.open(
            method=method,
            environ_overrides={
                "PATH_INFO": raw(path).decode("latin-1"),
                "QUERY_STRING": raw_query(query or {}).decode(),
            },
            data=body,
            headers=headers,
        ) as response:
            status = response.status_code
        assert status < 500, (method, path[:200], query, form)
        return t.cast(int, status)


def raw_query(fields: dict[str, str]) -> bytes:
    """Encode fields, whose values may have bytes that are not UTF-8."""
    pairs = (f"{name}={quote_from_bytes(raw(text))}" for name, text in fields.items())
    return "&".join(pairs).encode()


@pytest.fixture(name="sweep")
def _sweep(app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A repository with an image, an upload session, an access token and a webhook.
    Its owner is an administrator, so that no page refuses them."""
    hooks = app.extensions["oci"].hooks
    monkeypatch.setattr(hooks, "is_admin", lambda user: user.username == "alice")
    manifest = alice.push_image("alice/app", "latest")
    with app.app_context():
        user = app.extensions["oci"].catalog.users.by_name("alice")
        token = registry.access_tokens.issue(user, name="ci").id
        # Its tests are refused, because the address is not public.
        webhook = registry.events.add_webhook("http://localhost:1/").id
    return Sweep(
        app,
        {
            "name": "alice/app",
            "tag": "latest",
            "reference": "latest",
            "digest": digest_of(manifest),
            "filename": "swagger-ui.css",
            "blob": digest_of(manifest),
            "session_id": alice.start_upload("alice/app").rpartition("/")[2],
            "token_id": token,
            "username": "alice",
            "signer": "release",
            "robot_id": "0" * 32,
            "secret_id": "1",
            "publisher_id": "1",
            "webhook_id": webhook,
            "move": "1",
        },
    )


@EACH_VALUE
def test_hostile_path_is_no_server_error(sweep: Sweep, value: str) -> None:
    """One variable of each path is hostile, and each of the others exists."""
    seen = set()
    for rule, method in sweep.rules("oci", "oci_web", "oci_api"):
        for variable in rule.arguments - {"oci_host"}:
            # A prefix reaches views whose converter accepts the first characters.
            for text in (value, f"alice/{value}" if variable == "name" else value):
                sweep.send(rule, method, sweep.path(rule, **{variable: text}))
                seen.add(rule.endpoint)
    assert len(seen) > 40


@VALUES_IN_TURN
@pytest.mark.parametrize("blueprint", ["oci", "oci_web"])
def test_hostile_query_is_no_server_error(
    sweep: Sweep, blueprint: str, values: list[str]
) -> None:
    """Each parameter that a view reads is hostile once."""
    turns = itertools.cycle(values)
    for rule, method in sweep.rules(blueprint):
        if method in ("DELETE", "PATCH") or (
            method == "POST" and blueprint == "oci_web"
        ):
            continue
        for name in sorted(QUERY[blueprint]):
            # A position in a list has two parts, which are read together.
            at = {"at": "2026-01-01T00:00:00+00:00"} if name == "after" else {}
            sweep.send(rule, method, sweep.path(rule), {**at, name: next(turns)})


@VALUES_IN_TURN
@pytest.mark.parametrize("blueprint", ["oci", "oci_web"])
def test_hostile_form_is_no_server_error(
    sweep: Sweep, blueprint: str, values: list[str]
) -> None:
    """Each field that a view reads is hostile once."""
    turns = itertools.cycle(values)
    for rule, method in sweep.rules(blueprint):
        if method != "POST" or rule.endpoint == "oci.uploads":
            continue
        for name in sorted(FORMS[blueprint]):
            kinds = ("password", "refresh_token") if blueprint == "oci" else ("",)
            for kind in kinds:
                fields = {"grant_type": kind, "username": "alice", "password": "x"}
                form = {**fields} if blueprint == "oci" else {}
                form[name] = next(turns)
                sweep.send(rule, method, sweep.path(rule), form=form)


@EACH_VALUE
def test_hostile_rest_parameters_and_bodies_are_no_server_error(
    sweep: Sweep, value: str
) -> None:
    """Each parameter and each field of a body is hostile once, as text and in a
    list."""
    for operation in OPERATIONS:
        path = ROOT + _VARIABLE.sub(lambda v: sweep.known[v[1]], operation.rule)
        query = operation.hints.get("query")
        for name in query.__struct_fields__ if query else ():
            pair = raw_query({name: value}).decode()
            answer = sweep.alice.request(operation.method, f"{path}?{pair}")
            assert answer.status_code < 500, (operation.name, name)
        body = operation.hints.get("body")
        for name in body.__struct_fields__ if body else ():
            for sent in (value, [value]):
                content = json.dumps({**_REQUIRED.get(operation.name, {}), name: sent})
                answer = sweep.alice.request(
                    operation.method,
                    path,
                    content.encode(),
                    headers={"Content-Type": "application/json"},
                )
                assert answer.status_code < 500, (operation.name, name, sent)


#: The fields without which an operation does not read the others.
_REQUIRED: t.Final[dict[str, dict[str, object]]] = {
    "create_token": {"actions": ["pull"], "repositories": ["alice/app"]},
    "set_protected_tags": {"protected": [], "immutable": []},
}
