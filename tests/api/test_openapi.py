"""The OpenAPI document, and the responses that it describes."""

from __future__ import annotations

import typing as t

import pytest
import schemathesis
from flask import Flask
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import GenerationMode as Mode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from flask_oci.api.blueprint import OPERATIONS
from flask_oci.api.dispatch import Operation
from flask_oci.testing.manifests import digest_of
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.sqlite_only

ROOT = "/api/oci/v1"


def test_openapi_document_is_valid_and_public(anonymous: RegistryClient) -> None:
    """The document is valid OpenAPI, and anonymous clients can read it."""
    response = anonymous.get(f"{ROOT}/openapi.json")
    assert response.status_code == 200
    validate(response.get_json())


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_responses_match_the_document(app: Flask, operation: Operation) -> None:
    """Valid and nearly valid requests get a response that the document describes, for
    existing and missing resources."""
    alice = RegistryClient.of(app, "alice")
    digests = [digest_of(alice.push_image("alice/app", tag)) for tag in ("v1", "v2")]
    there = {
        "name": "alice/app",
        "tag": "v1",
        "reference": "v2",
        "digest": digests[0],
        "move": 1,
    }
    schema = schemathesis.openapi.from_wsgi(f"{ROOT}/openapi.json", app)
    described = schema.find_operation_by_id(operation.name)
    known = {name: there[name] for name in there if f"{name}>" in operation.rule}
    modes: list[t.Any] = [Mode.POSITIVE]
    if known or {"query", "body"} & set(operation.hints):
        modes.append(Mode.NEGATIVE)
    cases = [
        described.as_strategy(mode, path_parameters=variables)
        for mode in modes
        for variables in (known, None)
    ]

    @given(case=st.one_of(cases))
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[t.Any]) -> None:
        # A valid request may be refused: a position of another list, a taken name.
        case.call_and_validate(
            headers={"Authorization": str(alice.authorization)},
            excluded_checks=[positive_data_acceptance],
        )

    ask()
