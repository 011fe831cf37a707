"""Exit statuses of commands if the database or the disk fails."""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path

import click
import pytest

from flask_oci.cli import COMMANDS
from flask_oci.testing import Faults
from flask_oci.testing import serving
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import UNKNOWN
from tests.conftest import MakeApp
from tests.support import signing
from tests.support.archives import layout
from tests.support.archives import listed
from tests.support.archives import tar
from tests.support.host import registry
from tests.support.other_registry import OtherRegistry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

NAME = "alice/app"

#: An issuer of identity tokens.
ISSUER = "https://ci.example.org"

#: The results of a scanner.
REPORT = {"SchemaVersion": 2, "ArtifactType": "container_image", "Results": []}

#: The arguments of each command, by its group.
TYPED: t.Final[dict[str, str]] = {
    "repositories": "",
    "tags": NAME,
    "show": f"{NAME}:1.0",
    "usage": "",
    "history": NAME,
    "who-can": NAME,
    "delete": f"{NAME}:1.0 --yes",
    "restore": f"{NAME}:1.0",
    "import": "{folder}/in.tar alice/imported",
    "export": f"{NAME} {{folder}}/out.tar",
    "copy": f"{NAME}:1.0 alice/copied:1.0",
    "mirror": f"{NAME} alice/mirrored",
    "describe": f"{NAME} 'An application'",
    "visibility": f"{NAME} public",
    "rename": f"{NAME} alice/renamed",
    "transfer": f"{NAME} bob",
    "token create": "alice",
    "token list": "alice",
    "token revoke": "{token}",
    "token revoke-all": "alice",
    "robot create": "alice+new",
    "robot list": "",
    "robot show": "alice+ci",
    "robot rotate": "alice+ci",
    "robot disable": "alice+ci",
    "robot enable": "alice+ci",
    "robot delete": "alice+ci",
    "publisher add": f"alice+ci {ISSUER} --field subject=other",
    "publisher list": "alice+ci",
    "publisher show": "alice+ci {publisher}",
    "publisher remove": "alice+ci {publisher}",
    "work": "--once",
    "jobs": "",
    "gc": "",
    "fsck": "--scrub",
    "tables": "--create",
    "events list": "",
    "events deliver": "",
    "events show": "1",
    "events dead": "",
    "events replay": "--dead",
    "events prune": "",
    "upstream list": "",
    "upstream show": "hub",
    "upstream check": "",
    "upstream warm": "hub/library/alpine:3",
    "upstream purge": "hub --yes",
    "block list": "",
    "block add": f"{UNKNOWN} --path * --reason x",
    "block remove": f"{UNKNOWN} --path *",
    "protect list": "",
    "protect set": f"--repository {NAME} --tag v*",
    "protect unset": f"--repository {NAME}",
    "webhooks add": "http://localhost:1/",
    "webhooks edit": "{webhook} --kind tag.*",
    "webhooks disable": "{webhook}",
    "webhooks enable": "{webhook}",
    "webhooks rotate-secret": "{webhook}",
    "webhooks test": "{webhook}",
    "webhooks list": "",
    "webhooks remove": "{webhook}",
    "retention list": "",
    "retention set": f"--repository {NAME} 'delete nothing*'",
    "retention unset": f"--repository {NAME}",
    "retention preview": NAME,
    "retention run": NAME,
    "quota list": "",
    "quota set": f"--repository {NAME} --bytes 1GB",
    "quota unset": f"--repository {NAME}",
    "quota show": f"--repository {NAME}",
    "default-visibility list": "",
    "default-visibility set": "alice/* internal",
    "default-visibility unset": "alice/*",
    "policy list": "",
    "policy set": f"--repository {NAME} 'require signature by release'",
    "policy unset": f"--repository {NAME}",
    "policy preview": NAME,
    "trust list": "",
    "trust add": f"backup --repository {NAME} --key {{folder}}/key.pem",
    "trust remove": f"release --repository {NAME}",
    "trust verify": NAME,
    "trust show": f"{NAME}:1.0",
    "scan": "--as alice --registry localhost -- sh -c 'echo \"$0\"' {report} {image}",
    "storage adopt": "--yes",
    "storage migrate": "--to local",
    "storage status": "",
}

#: The check reports failures of the database and the disk as findings. The next two
#: need no database for their arguments. The copy executes a statement for each table,
#: so test_copy_database.py lets only some of them fail.
FINDS_OUT = {"check", "copy-database", "publisher verify", "publisher fields"}


#: The commands that continue with the next item.
PARTLY = ("gc", "retention", "scan", "trust add", "trust verify", "work")

#: The commands that go on if only a record of their run or of a use fails.
TOLERANT = ("work", "upstream check", "upstream warm")


def leaves(
    commands: t.Iterable[click.Command], above: tuple[str, ...] = ()
) -> t.Iterator[str]:
    """Yield the commands without groups."""
    for command in commands:
        path = (*above, command.name or "")
        if isinstance(command, click.Group):
            yield from leaves(command.commands.values(), path)
        else:
            yield " ".join(path)


def test_every_command_has_a_case() -> None:
    """A new command needs a case here."""
    assert {*TYPED} | FINDS_OUT == {*leaves(COMMANDS)}


@pytest.fixture(name="upstream_url", scope="module")
def _upstream_url() -> t.Iterator[str]:
    """The address of a registry to cache."""
    other = OtherRegistry()
    content = image(LAYER)
    other.push("library/alpine", "3", manifest=content, blobs=(CONFIG, LAYER))
    with serving(other.app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(name="keeper")
def _keeper(make_app: MakeApp, upstream_url: str) -> Upkeep:
    """An operator of a registry with an image and an upstream."""
    hub = {"address": upstream_url, "networks": ["127.0.0.0/8"]}
    app = make_app(
        OCI_UPSTREAMS={"hub": hub},
        OCI_OIDC_ISSUERS={ISSUER: "oidc"},
        OCI_OIDC_AUDIENCE="https://forge.example.org",
    )
    alice = RegistryClient.of(app, "alice")
    alice.push_image(NAME, "1.0", b"before")
    alice.push_image(NAME, "1.0")
    return Upkeep(app)


@pytest.fixture(name="words")
def _words(request: pytest.FixtureRequest, keeper: Upkeep, tmp_path: Path) -> list[str]:
    """The arguments of a command, with existing names."""
    path = request.param
    keeper.run("export", NAME, str(tmp_path / "in.tar"))
    with keeper.app.test_request_context():
        alice = keeper.app.extensions["oci"].catalog.users.by_name("alice")
        registry.tag_protection.set(repository=NAME, protected=["v*"])
        registry.retention.set(["delete w*"], repository=NAME)
        registry.quotas.set(bytes=10**9, repository=NAME)
        registry.default_visibility.set("internal", path="alice/*")
        registry.blocks.add(UNKNOWN, path="*", reason="x")
        key = signing.Key().pem
        registry.trusted_signers.add("release", key=key, repository=NAME)
        rules = ["require signature by release", "warn only"]
        registry.image_policies.set(rules, repository=NAME)
        (tmp_path / "key.pem").write_text(signing.Key().pem)
        robot = registry.robots.create("ci", path="alice").robot
        publisher = registry.publishers.add(robot, ISSUER, {"subject": "job"})
        known = {
            "folder": str(tmp_path),
            "image": "{image}",
            "report": shlex.quote(signing.encoded(REPORT).decode()),
            "publisher": publisher.id,
            "token": registry.access_tokens.issue(alice).id,
            "webhook": registry.events.add_webhook("http://localhost:1/").id,
        }
    return [*path.split(), *shlex.split(TYPED[path].format(**known))]


@pytest.mark.parametrize("words", TYPED, indirect=True)
def test_command_with_a_failing_database_exits_with_2(
    keeper: Upkeep, words: list[str]
) -> None:
    """Whichever statement fails, the command prints the error. Later, the command
    succeeds."""
    for at in range(100):
        with Faults(keeper.app).database(at) as fault:
            result = keeper.run(*words)
        if not fault.happened:
            break
        command = " ".join(words)
        if result.exit_code == 0 and command.startswith(TOLERANT):
            continue
        status = 3 if result.exit_code == 3 and command.startswith(PARTLY) else 2
        assert result.exit_code == status, (at, result.output, result.exception)
        assert "The database does not respond." in result.stderr
    assert at
    # No receiver answers the test of a webhook.
    status = 1 if words[:2] == ["webhooks", "test"] else 0
    assert (result.exit_code, result.stderr.count("Traceback")) == (status, 0)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        *(("gc", "open"), ("fsck", "stat"), ("export", "stat")),
        *(("import", "open"), ("import", "write"), ("import", "replace")),
    ],
    indirect=["words"],
)
def test_command_with_a_failing_disk_exits_with_2(
    keeper: Upkeep, words: list[str], call: str, tmp_path: Path
) -> None:
    """A file cannot be opened, or the disk is full."""
    keeper.store(digest_of(b"an orphan"), b"an orphan")
    # Content of the archive that is not in the storage must be written.
    layer = b"only in the archive"
    members = layout([listed(image(layer), "1.0")], image(layer), CONFIG, layer)
    (tmp_path / "in.tar").write_bytes(tar(members).read())
    with Faults(keeper.app).disk(calls=[call]) as fault:
        result = keeper.run(*words)
    assert fault.happened
    status = {"gc": 3, "fsck": 1}.get(words[0], 2)
    assert (result.exit_code, "disk reports errors" in result.output) == (status, True)
    assert keeper.run(*words).exit_code == 0
