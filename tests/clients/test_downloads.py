"""Pulls of blobs that the application, nginx or the store sends."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.object_stores import Store
from tests.support.object_stores import versitygw
from tests.support.store_behind_nginx import StoreBehindNginx

from .containerd import containerd
from .engine import forget
from .engine import inspect
from .engine import login
from .images import read_layout
from .shell import Client

pytestmark = pytest.mark.real


@pytest.fixture(name="store", scope="module")
def _store() -> t.Iterator[Store]:
    with versitygw() as store:
        yield store


@pytest.fixture(
    name="forge",
    params=[
        pytest.param("stream", marks=pytest.mark.full),
        "nginx",
        pytest.param("redirect", marks=pytest.mark.full),
    ],
)
def _forge(request: pytest.FixtureRequest, store: Store) -> t.Iterator[Forge]:
    settings = {"OCI_DOWNLOADS": request.param, **store.environment(request.param)}
    if request.param == "nginx":
        started: Forge = StoreBehindNginx(store, "nginx")
    else:
        started = Forge("gunicorn", **settings)
    with started as forge:
        yield forge


def test_each_client_pulls_in_each_mode(
    forge: Forge,
    engine: Client,
    podman: Client,
    image: Image,
    layout: Path,
    tmp_path: Path,
) -> None:
    """All clients get the same bytes, and follow redirects without their password."""
    name = f"{forge.host}/{USERNAME}/image:1"
    account = ("--username", USERNAME, "--password-stdin")
    environment = {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"),
        "REGCTL_CONFIG": str(tmp_path / "regctl.json"),
    }
    crane = Client((tool("crane", "go-containerregistry, built by Go"),), environment)
    crane("auth", "login", *account, forge.host, stdin=PASSWORD)
    crane("push", layout, name)
    crane("pull", "--format=oci", name, tmp_path / "crane")
    skopeo = Client((tool("skopeo", "Debian's skopeo"),), environment)
    skopeo("login", "--tls-verify=false", *account, forge.host, stdin=PASSWORD)
    insecure = "--src-tls-verify=false"
    skopeo("copy", insecure, f"docker://{name}", f"oci:{tmp_path}/skopeo:1")
    oras = Client((tool("oras", "ORAS, built by Go"),), environment)
    oras("copy", "--from-plain-http", name, "--to-oci-layout", f"{tmp_path}/oras:1")
    regctl = Client((tool("regctl", "regclient, built by Go"),), environment)
    regctl("registry", "set", "--tls=disabled", forge.host)
    password = ("--user", USERNAME, "--pass-stdin")
    regctl("registry", "login", *password, forge.host, stdin=PASSWORD)
    # versitygw accepts the password that regctl sends to a store at the same host.
    regctl("image", "copy", name, f"ocidir://{tmp_path}/regctl:1")
    for client in ("crane", "skopeo", "oras", "regctl"):
        assert image.digests <= read_layout(tmp_path / client) | {image.digest}, client

    podman("login", "--tls-verify=false", *account, forge.host, stdin=PASSWORD)
    podman("pull", "--tls-verify=false", name)
    with containerd(tmp_path) as ctr:
        person = ("--user", f"{USERNAME}:{PASSWORD}", "--plain-http")
        ctr("content", "fetch", *person, name)
        stored = ctr("content", "ls", "--quiet").split()
        assert image.digests <= {*stored, image.digest}

    docker = engine.having(**environment)
    docker(*login(forge), stdin=PASSWORD)
    docker("pull", name)
    assert inspect(docker, name)
    forget(docker, name)
