from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import tool

from .servers import Certificate

APPLICATION = "tests.proxies.behind"


@pytest.fixture(scope="session")
def forge() -> t.Iterator[Forge]:
    """The example forge, configured for a proxy."""
    with Forge("gunicorn", APPLICATION) as started:
        yield started


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    """A valid certificate."""
    return authority.sign("localhost")


class Authority:
    """Signs certificates with an intermediate authority.

    :param folder: for the certificates and their keys.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._program = tool("openssl", "Debian's openssl")
        self.root = self._make("root", "-x509", "-addext", "basicConstraints=CA:true")
        self.between = self._signed("between", self.root, "basicConstraints=CA:true")

    def sign(self, host: str, days: int = 90) -> Certificate:
        """Create a certificate for a host.

        :param days: its lifetime; it is valid since yesterday.
        """
        name = f"{host}{days}"
        own = self._signed(name, self.between, f"subjectAltName=DNS:{host}", days)
        chain = self.folder / f"{name}-chain.pem"
        chain.write_text(own.read_text() + self.between.read_text())
        return Certificate(chain, own.with_suffix(".key"), self.root)

    def _make(self, name: str, *options: str) -> Path:
        path = self.folder / f"{name}.pem"
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        subject = ("-subj", f"/CN={name}", "-keyout", str(path.with_suffix(".key")))
        self._run("req", *key, *subject, "-out", str(path), *options)
        return path

    def _signed(self, name: str, by: Path, extension: str, days: int = 90) -> Path:
        request, path = self._make(f"{name}-request"), self.folder / f"{name}.pem"
        request.with_suffix(".key").rename(path.with_suffix(".key"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(extension)
        signer = ("-CA", str(by), "-CAkey", str(by.with_suffix(".key")))
        files = ("-in", str(request), "-out", str(path), "-extfile", str(extensions))
        self._run("x509", "-req", *files, *signer, "-days", str(days))
        return path

    def _run(self, *arguments: str) -> None:
        command = [self._program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
