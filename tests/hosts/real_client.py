"""A real client, skopeo."""

from __future__ import annotations

from pathlib import Path

from tests.clients.images import make_image
from tests.clients.images import random_layer
from tests.clients.images import read_layout
from tests.clients.shell import Client
from tests.support.forge import tool


def tell_real_story(
    port: int,
    folder: Path,
    username: str = "alice",
    password: str = "wonderland",
    namespace: str = "alice",
) -> None:
    """Check that skopeo can log in, push and pull.

    :param port: the server's port on 127.0.0.1.
    :param folder: an empty folder.
    """
    address = f"127.0.0.1:{port}"
    login = folder / "auth.json"
    skopeo = Client(
        (tool("skopeo", "Debian's skopeo"),), {"REGISTRY_AUTH_FILE": str(login)}
    )
    account = ("--username", username, "--password-stdin", "--tls-verify=false")
    said = skopeo.refuses("login", *account, address, stdin="wrong")
    assert "invalid username/password" in said, said
    skopeo("login", *account, address, stdin=password)
    image = make_image(random_layer())
    layout = image.write(folder / "image")
    name = f"docker://{address}/{namespace}/app:v1"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:latest", name)
    skopeo("copy", "--src-tls-verify=false", name, f"oci:{folder}/pulled:v1")
    assert read_layout(folder / "pulled") == image.digests
