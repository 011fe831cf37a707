"""Every way to obtain content, before and after its digest is blocked."""

from __future__ import annotations

import itertools
import typing as t
from pathlib import Path

from flask import Flask

from flask_oci import Denied
from flask_oci.testing import make_artifact
from flask_oci.testing import make_image
from flask_oci.testing import make_index
from tests.conftest import MakeApp
from tests.support.credentials import log_in
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.robots import as_robot
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"
FORMER = "alice/former"
SUCCESSES = (200, 201, 206, 304)

Way = t.Callable[[], bool]


class Content:
    """An index with two images and an attached file, in a public repository that had
    another name.

    :param nodes: two applications with the same content.
    """

    def __init__(self, nodes: tuple[Flask, Flask], folder: Path) -> None:
        self.app, self.other = nodes
        self.alice, self.folder = RegistryClient.of(self.app, "alice"), folder
        self.child = make_image(architecture="amd64")
        self.index = make_index(self.child, make_image(architecture="arm64"))
        self.layer = self.child.blobs[-1]
        self.alice.push(FORMER, "v1", self.index)
        self.artifact = make_artifact(b"a file", "text/plain", self.index)
        self.alice.push(FORMER, None, self.artifact)
        with self.app.app_context():
            registry.repositories.rename(FORMER, NAME)
            registry.repositories.set_visibility(NAME, "public")
        self.numbers = itertools.count()

    def block(self) -> None:
        """Block all of it in its repository."""
        file = self.artifact.blobs[-1]
        with self.app.app_context():
            for digest in (self.index.digest, self.artifact.digest, self.layer, file):
                registry.blocks.add(digest, repository=NAME, reason="malware")

    def ways(self) -> dict[str, Way]:
        """Return the ways; each returns True if it leads to the content."""
        return {
            **self._pulls(),
            **self._clients(),
            **self._of_operator(),
            **self._in_python(),
            **self._on_pages(),
        }

    def _pulls(self) -> dict[str, Way]:
        manifests, blobs = f"/v2/{NAME}/manifests", f"/v2/{NAME}/blobs"
        get, layer = self._get, f"{blobs}/{self.layer}"
        same = {"If-None-Match": f'"{self.index.digest}"'}
        mount = f"uploads/?mount={self.layer}"
        return {
            "tag": lambda: get(f"{manifests}/v1"),
            "digest": lambda: get(f"{manifests}/{self.index.digest}"),
            "HEAD": lambda: get(f"{manifests}/v1", "HEAD"),
            "conditional request": lambda: get(f"{manifests}/v1", headers=same),
            "child of an index": lambda: get(f"{manifests}/{self.child.digest}"),
            "referrer": lambda: get(f"{manifests}/{self.artifact.digest}"),
            "former name": lambda: get(f"/v2/{FORMER}/manifests/v1"),
            "layer": lambda: get(layer),
            "range": lambda: get(layer, headers={"Range": "bytes=0-3"}),
            "HEAD of a layer": lambda: get(layer, "HEAD"),
            "layer by former name": lambda: get(f"/v2/{FORMER}/blobs/{self.layer}"),
            "mount": lambda: get(
                f"/v2/alice/m{next(self.numbers)}/blobs/{mount}&from={NAME}", "POST"
            ),
            "mount without a source": lambda: get(
                f"/v2/alice/m{next(self.numbers)}/blobs/{mount}", "POST"
            ),
        }

    def _clients(self) -> dict[str, Way]:
        """Return a pull by each kind of client, whose logins precede the block."""
        token = log_in(self.alice, f"repository:{NAME}:pull")["access_token"]
        clients = {
            "bearer token": RegistryClient(self.app, f"Bearer {token}"),
            "robot": as_robot(self.app),
            "anonymous": RegistryClient(self.app),
            "another node": RegistryClient.of(self.other, "alice"),
        }
        return {
            name: lambda client=client: self._get(  # type: ignore[misc]
                f"/v2/{NAME}/manifests/v1", client=client
            )
            for name, client in clients.items()
        }

    def _of_operator(self) -> dict[str, Way]:
        def run(*arguments: str) -> bool:
            number = str(next(self.numbers))
            given = [each.replace("NEW", number) for each in arguments]
            return Upkeep(self.app).run(*given).exit_code == 0

        archive, child = str(self.folder / "NEW.tar"), self.child.digest
        return {
            "export": lambda: run("export", f"{NAME}:v1", archive),
            "export of a child": lambda: run("export", f"{NAME}@{child}", archive),
            "copy": lambda: run("copy", f"{NAME}:v1", "alice/copyNEW:v1"),
            "copy of a child": lambda: run("copy", f"{NAME}@{child}", "alice/cNEW:v1"),
        }

    def _in_python(self) -> dict[str, Way]:
        def done(work: t.Callable[[], object]) -> bool:
            with self.app.app_context():
                try:
                    found = work()
                except Denied as refusal:
                    return "malware" not in refusal.message
                if hasattr(found, "close"):
                    found.close()
            return True

        number = self.numbers
        return {
            "get_manifest": lambda: done(
                lambda: registry.images.get_manifest(NAME, "v1")
            ),
            "open_blob": lambda: done(
                lambda: registry.images.open_blob(NAME, self.layer)
            ),
            "export_to": lambda: done(
                lambda: registry.images.export_to(
                    self.folder / f"{next(number)}.tar", NAME
                )
            ),
            "images.copy": lambda: done(
                lambda: registry.images.copy(f"{NAME}:v1", f"alice/p{next(number)}:v1")
            ),
        }

    def _on_pages(self) -> dict[str, Way]:
        def seen(path: str) -> bool:
            status = Visitor(self.app, "alice").status(f"/images/{NAME}/-/{path}")
            assert status in (200, 403), path
            return status == 200

        artifact, file = self.artifact.digest, self.artifact.blobs[-1]
        return {
            "page of a manifest": lambda: seen(f"raw/{self.index.digest}"),
            "page of a child": lambda: seen(f"raw/{self.child.digest}"),
            "page of a file": lambda: seen(f"file/{artifact}/{file}"),
        }

    def _get(
        self,
        path: str,
        method: str = "GET",
        *,
        client: RegistryClient | None = None,
        headers: dict[str, str] | None = None,
    ) -> bool:
        found = (client or self.alice).request(method, path, headers=headers or {})
        with found:
            # A mount that fails begins an upload.
            assert found.status_code in (*SUCCESSES, 202, 403), found.text
            assert (
                found.status_code != 403
                or method == "HEAD"
                or ("malware" in found.text)
            )
            return found.status_code in SUCCESSES


def test_blocked_digest_cannot_be_had_in_any_way(
    make_app: MakeApp, tmp_path: Path
) -> None:
    content = Content((make_app(), make_app()), tmp_path)
    ways = content.ways()
    assert [name for name, way in ways.items() if not way()] == []
    content.block()
    assert [name for name, way in ways.items() if way()] == []
    assert len(ways) > 20
