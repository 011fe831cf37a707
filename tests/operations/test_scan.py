"""``flask oci scan``: a scanner of the operator runs on each image once."""

from __future__ import annotations

import sys
import typing as t
from datetime import timedelta

import pytest
from flask import Flask

from flask_oci.operations import scanner
from flask_oci.services import services
from flask_oci.testing import Image
from flask_oci.testing import make_image
from flask_oci.testing import make_index
from tests.support import signing
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

NAME = "alice/app"

#: A scanner that reports one finding.
REPORT = signing.encoded(
    {
        "SchemaVersion": 2,
        "ArtifactType": "container_image",
        "Results": [{"Vulnerabilities": [{"Severity": "HIGH"}]}],
    }
).decode()
SCANNER = (sys.executable, "-c", f"print({REPORT!r})", "{image}")


def scan(app: Flask, *command: str, options: t.Sequence[str] = ()) -> t.Any:
    """Run the command as the user alice."""
    arguments = ["oci", "scan", "--as", "alice", "--registry", "localhost"]
    runner = app.test_cli_runner()
    return runner.invoke(args=[*arguments, *options, "--", *(command or SCANNER)])


def scans(app: Flask, image: Image) -> list[str]:
    """Return the users who attached results to an image."""
    with app.app_context():
        repository = registry.repositories.find(NAME)
        found = services().catalog.attachments.scans(repository.key, [image.digest])
        return [each.attached_by for each in found]


def test_each_image_is_scanned_once(app: Flask, alice: RegistryClient) -> None:
    first, child = alice.push(NAME, "v1", make_image()), make_image()
    index = alice.push(NAME, "v2", make_index(child))
    done = scan(app)
    assert done.exit_code == 0, done.output
    assert "Scanned 2 images." in done.output
    assert "1 finding: 1 high" in done.output
    assert scans(app, first) == scans(app, child) == ["alice"]
    assert scans(app, index) == []
    assert "Scanned 0 images." in scan(app).output
    alice.push(NAME, "v3", make_image())
    assert "Scanned 1 image." in scan(app).output


def test_scan_satisfies_a_policy(app: Flask, alice: RegistryClient) -> None:
    """The users that a policy names may pull images that have no scan yet."""
    image = alice.push(NAME, "v1", make_image())
    with app.app_context():
        rules = ["require scan by alice at most 1 day old", "refuse critical by alice"]
        registry.image_policies.set(rules, repository=NAME)
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200
    registry.authorize(lambda user, action, repository: True)
    anonymous = RegistryClient.of(app, "bob")
    assert anonymous.get(f"/v2/{NAME}/manifests/v1").status_code == 403
    scan(app)
    assert scans(app, image) == ["alice"]
    assert anonymous.get(f"/v2/{NAME}/manifests/v1").status_code == 200


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('nonsense')", "wrote no SARIF"),
        ("raise SystemExit('no database of vulnerabilities')", "no database"),
        ("print('{' * 5_000_000)", "more than"),
        ("import time; time.sleep(60)", "took longer than 1 s"),
    ],
)
def test_failed_scan_attaches_nothing_and_is_reported(
    app: Flask, alice: RegistryClient, program: str, said: str
) -> None:
    image = alice.push(NAME, "v1", make_image())
    command = (sys.executable, "-c", program, "{image}")
    done = scan(app, *command, options=["--timeout", "1"] if "sleep" in program else ())
    assert done.exit_code == 3
    assert said in done.output + str(done.stderr)
    assert scans(app, image) == []
    # It is repeated after some time, and does not hinder the others.
    assert "Scanned 0 images." in scan(app).output


def test_two_processes_do_not_scan_one_image(app: Flask, alice: RegistryClient) -> None:
    alice.push(NAME, "v1", make_image())
    with app.app_context():
        arguments: dict[str, t.Any] = {
            "rescan": timedelta(days=1),
            "retry": timedelta(hours=1),
            "names": None,
            "skip": (),
        }
        queue = services().catalog.scans
        task = queue.claim(timedelta(minutes=1), **arguments)
        assert task is not None
        assert queue.claim(timedelta(minutes=1), **arguments) is None
        assert queue.record(task)
        # The lease of a process that was killed ends.
        arguments["rescan"] = timedelta(days=-1)
        assert queue.claim(timedelta(seconds=-1), **arguments) is not None
        stolen = queue.claim(timedelta(minutes=1), **arguments)
        assert stolen is not None
        assert not queue.record(task)


def test_collection_deletes_scan_of_deleted_image(
    app: Flask, alice: RegistryClient
) -> None:
    """A site that runs only the collection needs no worker to prune."""
    image, keeper = alice.push(NAME, "v1", make_image()), Upkeep(app)
    scan(app)
    keeper.gc()
    assert keeper.rows("Scan") == 1
    deleted = alice.delete(f"/v2/{NAME}/manifests/{image.digest}")
    assert deleted.status_code == 202
    keeper.gc()
    assert keeper.rows("Scan") == 0


def test_command_without_placeholder_is_refused(app: Flask) -> None:
    done = scan(app, "trivy", "image")
    assert done.exit_code == 1
    assert "{image}" in done.output + str(done.stderr)


def test_arguments_are_not_read_by_a_shell() -> None:
    values = {"image": "a; rm -rf /", "digest": "sha256:0"}
    found = scanner.arguments(["trivy", "--x={digest}", "{image}"], values)
    assert found == ["trivy", "--x=sha256:0", "a; rm -rf /"]
