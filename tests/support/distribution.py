"""Distribution, the reference registry, as an upstream of a forge."""

from __future__ import annotations

import subprocess
import types
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.forge import end
from tests.support.forge import free_port
from tests.support.forge import tool
from tests.support.forge import wait_until

#: An account and its password, and the password's bcrypt hash.
USERNAME = "robot"
PASSWORD = "sesame"
HASH = "$2b$05$uzwc0nZI97brgwYmYZCOl.wiJFrC.0jGkjkLis1wo0hrf2PTat6ey"


class Distribution:
    """A registry of Debian's docker-registry, which requires a password.

    :param folder: for its configuration and its content.
    """

    def __init__(self, folder: Path) -> None:
        self._program = tool("docker-registry", "Debian's docker-registry")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def host(self) -> str:
        """The part of an image's name before the repository."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Distribution:
        config = self._folder / "distribution.yml"
        accounts = self._folder / "htpasswd"
        accounts.write_text(f"{USERNAME}:{HASH}\n")
        config.write_text(
            "version: 0.1\n"
            "log: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {self._folder}/data}}}}\n"
            f"http: {{addr: '{self.host}'}}\n"
            f"auth: {{htpasswd: {{realm: test, path: {accounts}}}}}\n"
        )
        with (self._folder / "distribution.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._answers, 30, "starting Distribution")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the registry."""
        if self._process is not None:
            process, self._process = self._process, None
            end(process, 30)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:
            with error:
                return error.code == 401
        except OSError:
            return False
        return True
