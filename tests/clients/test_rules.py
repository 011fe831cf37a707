"""The output of clients for a protected tag and for a full quota."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME

from .engine import login
from .engine import make
from .images import make_image
from .remote import Remote
from .shell import Client
from .shell import isolated

pytestmark = pytest.mark.real

#: Pushes a new image under a tag.
Push = t.Callable[[str], str]


@pytest.fixture(name="push", params=["docker", "skopeo", "crane"])
def _push(
    request: pytest.FixtureRequest, forge: Forge, root: bytes, tmp_path: Path
) -> t.Callable[..., Push]:
    """A function that lets a client push, or fail to."""
    program = t.cast(str, request.param)
    if program == "docker":
        engine = t.cast(Client, request.getfixturevalue("engine"))
        client = engine.having(DOCKER_CONFIG=str(tmp_path / "docker"))
        client(*login(forge), stdin=PASSWORD)

        def arguments(name: str) -> tuple[object, ...]:
            make(client, name, root)
            return ("push", name)
    else:
        client = isolated(program, program, tmp_path, tmp_path)
        account = ("--username", USERNAME, "--password-stdin")
        first = ("login", "--tls-verify=false") if program == "skopeo" else ("auth",)
        rest = () if program == "skopeo" else ("login",)
        client(*first, *rest, *account, forge.host, stdin=PASSWORD)

        def arguments(name: str) -> tuple[object, ...]:
            # A colon in a layout's path would begin a name.
            folder = tmp_path / name.replace("/", "-").replace(":", "-")
            layout = make_image(root).write(folder)
            if program == "crane":
                return ("push", layout, name)
            target = ("--dest-tls-verify=false", f"oci:{layout}:latest")
            return ("copy", *target, f"docker://{name}")

    def pushing(refused: bool) -> Push:
        act = client.refuses if refused else client.__call__
        return lambda name: act(*arguments(f"{forge.host}/{name}"))

    return pushing


def test_push_to_an_immutable_tag_prints_the_reason(
    push: t.Callable[..., Push], forge: Forge, remote: Remote, repository: str
) -> None:
    """The output has the remedy, too."""
    push(refused=False)(f"{repository}:v1")
    before = remote.digests(repository, "v1")
    forge.command("oci", "protect", "set", "--repository", repository, "--immutable=v*")
    said = push(refused=True)(f"{repository}:v1")
    assert "The tag v1 is immutable" in said
    assert "Push another tag" in said
    assert remote.digests(repository, "v1") == before
    push(refused=False)(f"{repository}:v2")


def test_push_over_the_quota_prints_the_usage(
    push: t.Callable[..., Push], forge: Forge, repository: str
) -> None:
    """The output has the used and the allowed size."""
    push(refused=False)(f"{repository}:1")
    forge.command("oci", "quota", "set", "--repository", repository, "--bytes=1kB")
    said = push(refused=True)(f"{repository}:2")
    assert f"{repository} uses " in said
    assert " of 1.0 kB" in said
