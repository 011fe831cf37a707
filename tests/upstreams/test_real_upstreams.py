"""Real registries as upstreams, real clients, several processes and a kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from flask_oci.testing import serving
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from tests.clients.containerd import containerd
from tests.clients.engine import forget
from tests.clients.engine import inspect
from tests.clients.engine import login
from tests.clients.engine import make
from tests.clients.engine import running_engine
from tests.clients.images import make_image
from tests.clients.images import random_layer
from tests.clients.images import root_file_system
from tests.clients.shell import Client
from tests.support import distribution
from tests.support.database_servers import SERVERS
from tests.support.distribution import Distribution
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.forge import wait_until
from tests.support.object_stores import versitygw
from tests.support.other_registry import OtherRegistry

pytestmark = pytest.mark.real

LAYERS = [os.urandom(1) * 500_000 + bytes([n]) for n in range(6)]
BIG = image(*LAYERS)
LAYER = os.urandom(1) * 500_000
LATE = image(LAYER)
DIGESTS = [digest_of(blob) for blob in (CONFIG, *LAYERS)]
BIG_PATH = "/v2/hub/library/big"
LATE_PATH = "/v2/hub/library/late"

#: The number of clients that pull at once.
CROWD = 64


def upstream(address: str, **settings: object) -> str:
    """Return the value of ``OCI_UPSTREAMS`` in the environment."""
    known = {"address": address, "networks": ["127.0.0.0/8"], **settings}
    return json.dumps({"hub": known})


def crane(folder: Path, *logins: tuple[str, str, str]) -> Client:
    """Return crane, logged in to some hosts."""
    program = tool("crane", "go-containerregistry, built by Go")
    client = Client((program,), {"DOCKER_CONFIG": str(folder / "docker")})
    for host, username, password in logins:
        account = (f"--username={username}", "--password-stdin")
        client("auth", "login", *account, host, stdin=password)
    return client


def test_clients_pull_from_distribution_through_the_cache(tmp_path: Path) -> None:
    """Two forges in a chain cache a Distribution that requires a password, and go on
    without it."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(Distribution(tmp_path))
        robot: dict[str, object] = {
            "username": distribution.USERNAME,
            "password": distribution.PASSWORD,
        }
        inner = stack.enter_context(
            Forge("gunicorn", OCI_UPSTREAMS=upstream(f"http://{source.host}", **robot))
        )
        alice = {"username": USERNAME, "password": PASSWORD}
        outer = stack.enter_context(
            Forge(
                "gunicorn",
                OCI_UPSTREAMS=upstream(inner.url, fresh=1, retry=1, **alice),
            )
        )
        client = crane(
            tmp_path,
            (source.host, distribution.USERNAME, distribution.PASSWORD),
            (outer.host, USERNAME, PASSWORD),
        )
        made = make_image(random_layer())
        layout = made.write(tmp_path / "layout")
        client("push", layout, f"{source.host}/library/app:1")
        name = f"{outer.host}/hub/hub/library/app:1"
        client("pull", "--format=oci", name, tmp_path / "crane")
        assert client("digest", name).strip() == made.digest
        source.stop()
        inner.stop()
        client("validate", "--remote", name)
        for program in ("skopeo", "podman"):
            pull(program, name, outer.host, tmp_path)


def mirror_of(
    stack: contextlib.ExitStack,
    address: str,
    environment: dict[str, str] | None = None,
    /,
    **settings: object,
) -> Forge:
    """Start a forge that is a mirror of an upstream at the host ``localhost``.

    :param environment: settings of the forge.
    :param settings: settings of the upstream.
    """
    forge = Forge("gunicorn", **(environment or {}))
    local = {"mirror_hosts": [mirror_host(forge)], "mirror_networks": ["127.0.0.0/8"]}
    forge.settings["OCI_UPSTREAMS"] = upstream(address, **local, **settings)
    return stack.enter_context(forge)


def mirror_host(forge: Forge) -> str:
    """Return the host at which a forge is a mirror."""
    return f"localhost:{forge.port}"


def test_docker_and_containerd_pull_from_mirrors_without_a_password(
    tmp_path: Path,
) -> None:
    """The engine asks its mirror, which asks another one, which asks Distribution."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(Distribution(tmp_path))
        robot: dict[str, t.Any] = {
            "username": distribution.USERNAME,
            "password": distribution.PASSWORD,
        }
        inner = mirror_of(stack, f"http://{source.host}", **robot)
        outer = mirror_of(stack, f"http://{mirror_host(inner)}", fresh=1, retry=1)
        made = make_image(root_file_system(tool("busybox", "Debian's busybox-static")))
        client = crane(
            tmp_path, (source.host, distribution.USERNAME, distribution.PASSWORD)
        )
        layout = made.write(tmp_path / "layout")
        client("push", layout, f"{source.host}/library/mirrored:1")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        docker = stack.enter_context(
            running_engine(folder, registry_mirrors=[f"http://{mirror_host(outer)}"])
        )
        docker("pull", "mirrored:1")
        with containerd(tmp_path) as ctr:
            # It names the upstream to the mirror, and has no password for it.
            name = f"{source.host}/library/mirrored:1"
            hosts = tmp_path / "hosts" / source.host
            hosts.mkdir(parents=True)
            (hosts / "hosts.toml").write_text(
                f'[host."http://{mirror_host(inner)}"]\n'
                'capabilities = ["pull", "resolve"]\n'
            )
            ctr("content", "fetch", "--hosts-dir", tmp_path / "hosts", name)
            assert made.digest in ctr("content", "ls")
        assert made.digest in docker("image", "inspect", "mirrored:1")
        docker("rmi", "--force", "mirrored:1")
        source.stop()
        inner.stop()
        docker("pull", "mirrored:1")


def test_docker_pulls_and_pushes_through_a_bucket(tmp_path: Path) -> None:
    """Images of an upstream are kept in the bucket, and so are those that are
    pushed."""
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(versitygw())
        source = stack.enter_context(Distribution(tmp_path))
        robot: dict[str, object] = {
            "username": distribution.USERNAME,
            "password": distribution.PASSWORD,
        }
        address = f"http://{source.host}"
        # The upstream is asked at each pull, and then its absence is accepted.
        times = {"fresh": 1, "retry": 1}
        forge = mirror_of(stack, address, store.environment("oci"), **robot, **times)
        root = root_file_system(tool("busybox", "Debian's busybox-static"))
        layout = make_image(root).write(tmp_path / "layout")
        crane(tmp_path, (source.host, distribution.USERNAME, distribution.PASSWORD))(
            "push", layout, f"{source.host}/library/kept:1"
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mirrors = [f"http://{mirror_host(forge)}"]
        docker = stack.enter_context(running_engine(folder, registry_mirrors=mirrors))
        docker = docker.having(DOCKER_CONFIG=str(tmp_path / "docker"))
        docker("pull", "kept:1")
        before = inspect(docker, "kept:1")["RootFS"]
        source.stop()
        docker("rmi", "--force", "kept:1")
        docker("pull", "kept:1")
        assert inspect(docker, "kept:1")["RootFS"] == before

        name = f"{forge.host}/{USERNAME}/app:1"
        make(docker, name, root)
        docker(*login(forge), stdin=PASSWORD)
        docker("push", name)
        made = inspect(docker, name)["RootFS"]
        forget(docker, name)
        docker("pull", name)
        assert inspect(docker, name)["RootFS"] == made

        # Two configs and three layers; no upload session leaves an object.
        assert len(list(store.bucket("oci").list("data/"))) == 5
        assert not list(forge.instance.glob("oci/blobs/*/*/*"))
        assert forge.run("oci", "fsck").returncode == 0


def pull(program: str, name: str, host: str, folder: Path) -> None:
    """Pull an image with a client of the containers project."""
    auth = folder / f"{program}.json"
    client = Client((tool(program, f"Debian's {program}"),), {})
    account = ("--username", USERNAME, "--password-stdin", "--authfile", auth)
    client("login", *account, "--tls-verify=false", host, stdin=PASSWORD)
    if program == "skopeo":
        source = ("--src-tls-verify=false", "--authfile", auth)
        client("copy", *source, f"docker://{name}", f"dir:{folder}/skopeo")
        return
    # The path of podman's sockets must stay short.
    with tempfile.TemporaryDirectory() as run:
        store = ("--root", folder / "root", "--runroot", run, f"--tmpdir={run}/tmp")
        engine = ("--storage-driver=vfs", "--events-backend=none")
        client(*store, *engine, "pull", "--tls-verify=false", "--authfile", auth, name)


@pytest.fixture(name="hub", scope="module")
def _hub() -> t.Iterator[tuple[OtherRegistry, str]]:
    """An upstream that counts its requests, and its address."""
    hub = OtherRegistry()
    hub.push("library/big", "1", manifest=BIG, blobs=(CONFIG, *LAYERS))
    hub.push("library/late", "1", manifest=LATE, blobs=(LAYER,))
    with serving(hub.app) as port:
        yield hub, f"http://127.0.0.1:{port}"


@pytest.fixture(name="nodes", scope="module")
def _nodes(
    hub: tuple[OtherRegistry, str], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[tuple[Forge, Forge]]:
    """Two servers with two processes each, which share PostgreSQL and a folder."""
    with SERVERS["postgresql"](durable=False) as url:
        settings = {
            "DATABASE_URL": url,
            "EXAMPLE_INSTANCE": str(tmp_path_factory.mktemp("shared")),
            "OCI_UPSTREAMS": upstream(hub[1], timeout=60),
        }
        with (
            Forge("gunicorn", **settings) as first,
            Forge("gunicorn", **settings) as second,
        ):
            yield first, second


class Puller:
    """A client with a token of alice for a repository."""

    def __init__(self, forge: Forge, path: str) -> None:
        scope = f"repository:{path.removeprefix('/v2/')}:pull"
        answer = requests.get(
            f"{forge.url}/v2/token",
            params={"scope": scope},
            auth=(USERNAME, PASSWORD),
            timeout=60,
        )
        self._headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        self._path = path

    def get(self, forge: Forge, path: str) -> bytes:
        """Get some content."""
        url = f"{forge.url}{self._path}/{path}"
        answer = requests.get(url, headers=self._headers, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.content

    def pull_all(self, forge: Forge) -> set[str]:
        """Pull the large image, and return the digests of its content."""
        found = {digest_of(self.get(forge, "manifests/1"))}
        for digest in DIGESTS:
            found.add(digest_of(self.get(forge, f"blobs/{digest}")))
        return found


def test_crowd_on_two_nodes_fetches_each_blob_once(
    hub: tuple[OtherRegistry, str], nodes: tuple[Forge, Forge]
) -> None:
    """64 clients pull an uncached image of six layers from four processes."""
    expected = {digest_of(BIG), *DIGESTS}
    puller = Puller(nodes[0], BIG_PATH)
    with ThreadPoolExecutor(CROWD) as pool:
        results = list(pool.map(puller.pull_all, [*nodes] * (CROWD // 2)))
    assert results == [expected] * CROWD
    for digest in DIGESTS:
        assert hub[0].count("GET", digest) == 1
    assert hub[0].count("HEAD", "/manifests/") == 1
    assert hub[0].count("GET", "/manifests/") == 1


def test_killed_node_does_not_end_a_pull_from_another(
    hub: tuple[OtherRegistry, str], nodes: tuple[Forge, Forge]
) -> None:
    """The node that fetches is killed in the middle of a blob."""
    registry, gate = hub[0], threading.Event()
    registry.pause = lambda: gate.wait(60)
    first, second = nodes
    puller, layer = Puller(first, LATE_PATH), digest_of(LAYER)
    puller.get(first, "manifests/1")

    def asked(number: int) -> None:
        wait_until(lambda: registry.count("GET", layer) >= number, 60, "the fetch")

    def lost() -> None:
        with contextlib.suppress(requests.RequestException):
            puller.get(first, f"blobs/{layer}")

    with ThreadPoolExecutor(2) as pool:
        pool.submit(lost)
        asked(1)
        waiting = pool.submit(puller.get, second, f"blobs/{layer}")
        for pid in first.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        asked(2)
        gate.set()
        assert waiting.result(60) == LAYER
    assert second.run("oci", "fsck").returncode == 0
