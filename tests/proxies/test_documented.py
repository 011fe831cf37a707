"""The configurations of the page on deployment: nothing is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forge import Forge

from .servers import Certificate
from .servers import PROXIES

pytestmark = pytest.mark.real


@pytest.mark.parametrize("proxy", PROXIES)
def test_nothing_is_wrong(
    proxy: str, forge: Forge, certificate: Certificate, tmp_path: Path
) -> None:
    """The check pushes and pulls through the proxy, and has nothing to say."""
    with PROXIES[proxy](tmp_path, forge.host, certificate) as url:
        done = forge.run(
            *("oci", "check", "--json", "--url", url, "--user", "alice"),
            *("--cafile", str(certificate.authority)),
        )
    assert json.loads(done.stdout) == {"findings": [], "passed_over": []}
    assert done.returncode == 0
