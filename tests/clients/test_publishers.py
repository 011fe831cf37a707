"""Docker and crane as jobs, which have nothing but an identity token."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.identity_issuer import IdentityIssuer
from tests.support.job_claims import GITHUB

from .engine import forget
from .engine import login
from .engine import make
from .shell import Client

pytestmark = pytest.mark.real

ROBOT = f"{USERNAME}+release"


@pytest.fixture(scope="module")
def issuer() -> t.Iterator[IdentityIssuer]:
    with IdentityIssuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def trusting(issuer: IdentityIssuer) -> t.Iterator[Forge]:
    """The example forge, which lets the jobs of one workflow log in."""
    settings = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in issuer.config("github").items()
    }
    fields = [f"--field={name}={value}" for name, value in GITHUB.fields.items()]
    with Forge("gunicorn", **settings) as forge:
        url = issuer.address("github")
        forge.command("oci", "publisher", "add", ROBOT, url, "--create", *fields)
        yield forge


@pytest.fixture
def token(issuer: IdentityIssuer) -> str:
    """The identity token of a new job."""
    return issuer.token({**GITHUB.claims, "iss": issuer.address("github")})


def test_job_pushes_with_docker_and_identity_token(
    stranger: Client, engine: Client, trusting: Forge, token: str, root: bytes
) -> None:
    """Docker stores a token of the registry, and not the identity token."""
    name = f"{trusting.host}/{USERNAME}/job:1"
    make(engine, name, root)
    stranger(*login(trusting, "oidc"), stdin=token)
    config = Path(stranger.environment["DOCKER_CONFIG"], "config.json").read_text()
    assert "identitytoken" in config
    assert token.rpartition(".")[2] not in config
    stranger("push", name)
    forget(stranger, name)
    stranger("pull", name)
    foreign = f"{trusting.host}/bob/job:1"
    stranger("tag", name, foreign)
    assert f"The robot {ROBOT} may not push here" in stranger.refuses("push", foreign)
    said = stranger.refuses(*login(trusting, "oidc"), stdin=token)
    assert "The identity token was used already." in said


def test_job_pushes_with_crane_and_identity_token(
    trusting: Forge, token: str, layout: Path, tmp_path: Path
) -> None:
    """Crane sends the token again for each bearer token."""
    program = tool("crane", "go-containerregistry, built by Go")
    crane = Client((program,), {"DOCKER_CONFIG": str(tmp_path / "docker")})
    account = (f"--username={ROBOT}", "--password-stdin")
    crane("auth", "login", *account, trusting.host, stdin=token)
    name = f"{trusting.host}/{USERNAME}/crane:1"
    crane("push", layout, name)
    crane("copy", name, f"{trusting.host}/{USERNAME}/other:1")
    assert crane("ls", f"{trusting.host}/{USERNAME}/other").strip() == "1"
