from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from tests.conftest import MakeApp
from tests.publishers.ci import Ci
from tests.support.identity_issuer import IdentityIssuer


@pytest.fixture(name="issuer")
def _issuer() -> t.Iterator[IdentityIssuer]:
    with IdentityIssuer() as issuer:
        yield issuer


@pytest.fixture(name="app")
def _app(make_app: MakeApp, issuer: IdentityIssuer) -> Flask:
    return make_app(**issuer.config())


@pytest.fixture(name="ci")
def _ci(app: Flask, issuer: IdentityIssuer) -> Ci:
    """The jobs of GitHub that may log in as alice+release."""
    return Ci(app, issuer)
