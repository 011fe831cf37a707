"""Logins with clients other than Docker."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME

from .shell import Client
from .shell import isolated

pytestmark = pytest.mark.real

CHART = "apiVersion: v2\nname: looking-glass\nversion: 1.2.3\n"
INSIDE = f"{USERNAME}/charts/looking-glass"
OUTSIDE = f"{USERNAME}/attic/looking-glass"
WRONG = "Wrong user name or password."


@dataclasses.dataclass(frozen=True)
class Program:
    """The commands by which a program logs in and reads the tags or the chart."""

    name: str
    source: str
    login: str
    read: str
    #: The output for a wrong password.
    complaint: str = WRONG
    #: Whether its login contacts the registry, and does not only store the input.
    asks: bool = True


PROGRAMS = [
    Program(
        "podman",
        "Debian's podman",
        "login --tls-verify=false --username={user} --password-stdin {host}",
        "search --tls-verify=false --list-tags {host}/{repository}",
        complaint="invalid username/password",
    ),
    Program(
        "skopeo",
        "Debian's skopeo",
        "login --tls-verify=false --username={user} --password-stdin {host}",
        "list-tags --tls-verify=false docker://{host}/{repository}",
        complaint="invalid username/password",
    ),
    Program(
        "crane",
        "go-containerregistry, built by Go",
        "auth login --username={user} --password-stdin {host}",
        "ls {host}/{repository}",
        asks=False,
    ),
    Program(
        "oras",
        "ORAS, built by Go",
        "login --plain-http --username={user} --password-stdin {host}",
        "repo tags --plain-http {host}/{repository}",
    ),
    Program(
        "regctl",
        "regclient, built by Go",
        "registry login --user={user} --pass-stdin {host}",
        "tag ls {host}/{repository}",
        complaint="unauthorized",
    ),
    Program(
        "helm",
        "Helm, built by Go",
        "registry login --plain-http --username={user} --password-stdin {host}",
        "show chart --plain-http --version=1.2.3 oci://{host}/{repository}",
    ),
]


class Person:
    """A user of one of the programs."""

    def __init__(self, program: Program, client: Client, forge: Forge) -> None:
        self.program = program
        self._client = client
        self._names = {"user": USERNAME, "host": forge.host}

    def logs_in(self, secret: str) -> None:
        """Log in, and succeed."""
        self._client(*self._arguments(self.program.login), stdin=secret)

    def is_not_let_in(self, secret: str) -> str:
        """Log in, and fail; return the output."""
        return self._client.refuses(*self._arguments(self.program.login), stdin=secret)

    def reads(self, repository: str) -> str:
        """Return the content of a repository."""
        return self._client(*self._arguments(self.program.read, repository))

    def is_refused(self, repository: str) -> str:
        """Read a repository, and fail."""
        return self._client.refuses(*self._arguments(self.program.read, repository))

    def _arguments(self, template: str, repository: str = "") -> list[str]:
        return template.format(**self._names, repository=repository).split()


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def person(
    request: pytest.FixtureRequest, forge: Forge, tmp_path: Path, short_folder: Path
) -> Person:
    """A user who has not logged in."""
    program: Program = request.param
    run = short_folder / tmp_path.name
    client = isolated(program.name, program.source, tmp_path, run)
    if program.name == "regctl":
        client("registry", "set", "--tls=disabled", "--skip-check", forge.host)
    return Person(program, client, forge)


@pytest.fixture(scope="session", autouse=True)
def _charts(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two private repositories with charts."""
    folder = tmp_path_factory.mktemp("chart")
    program = PROGRAMS[-1]
    helm = isolated(program.name, program.source, folder, folder)
    Person(program, helm, forge).logs_in(PASSWORD)
    (folder / "looking-glass").mkdir()
    (folder / "looking-glass/Chart.yaml").write_text(CHART)
    helm("package", "looking-glass")
    for repository in (INSIDE, OUTSIDE):
        where = f"oci://{forge.host}/{repository.rpartition('/')[0]}"
        helm("push", "--plain-http", "looking-glass-1.2.3.tgz", where)


@pytest.fixture(scope="session")
def secret(forge: Forge) -> str:
    """An access token for one of the repositories."""
    limits = ("--repository", f"{USERNAME}/charts/*", "--action", "pull")
    return forge.command("oci", "token", "create", USERNAME, *limits).strip()


def test_login_with_the_password_reads_own_repositories(person: Person) -> None:
    """Each program reads private content."""
    person.logs_in(PASSWORD)
    assert "1.2.3" in person.reads(INSIDE)
    assert "1.2.3" in person.reads(OUTSIDE)


def test_login_with_a_wrong_password_fails(person: Person) -> None:
    """The program prints the reason, and reads nothing."""
    if person.program.asks:
        assert person.program.complaint in person.is_not_let_in("looking-glass")
        person.is_refused(INSIDE)
    else:
        person.logs_in("looking-glass")
        assert person.program.complaint in person.is_refused(INSIDE)


def test_login_with_an_access_token_reads_its_repositories(
    person: Person, secret: str
) -> None:
    """The token replaces the password, within its limits."""
    person.logs_in(secret)
    assert "1.2.3" in person.reads(INSIDE)
    person.is_refused(OUTSIDE)
