"""The example forge on granian behind nginx, in its shipped configuration."""

from __future__ import annotations

import os
import subprocess

from tests.support.forge import end
from tests.support.forge import Forge
from tests.support.forge import granian
from tests.support.forge import STOP_TIMEOUT
from tests.support.forge import tool
from tests.support.paths import ROOT

CONFIGURATION = ROOT / "example_app/servers/nginx.conf"
ADDRESS = "127.0.0.1:5000"


class ForgeBehindNginx(Forge):
    """The forge of ``example_app/servers/behind_nginx.py`` behind ``nginx.conf``."""

    def __init__(self, **settings: str) -> None:
        super().__init__("granian", "example_app.servers.behind_nginx", **settings)
        self._nginx: subprocess.Popen[bytes] | None = None

    def configuration(self) -> str:
        """Return the configuration of nginx for the port of this forge."""
        text = CONFIGURATION.read_text()
        assert ADDRESS in text
        return text.replace(ADDRESS, self.host)

    def start(self) -> None:
        """Start nginx and granian, and return when the registry answers."""
        program = tool("nginx", "Debian's nginx-light")
        self.instance.mkdir(mode=0o700, exist_ok=True)
        configuration = self.instance / "nginx.conf"
        configuration.write_text(self.configuration())
        # As root, nginx would give its processes another user.
        user = "user root;" if os.geteuid() == 0 else ""
        self._nginx = subprocess.Popen(
            [
                *(program, "-p", f"{self.instance}/", "-c", str(configuration)),
                *("-e", "nginx-error.log", "-g", f"daemon off; {user}"),
            ],
            # The path of the socket is relative to it.
            cwd=self.instance.parent,
            stdin=subprocess.DEVNULL,
        )
        super().start()

    def stop(self) -> None:
        """Stop both. granian waits for the connections that nginx keeps, so nginx is
        the first."""
        if self._nginx is not None:
            end(self._nginx, STOP_TIMEOUT)
            self._nginx = None
        super().stop()

    def _arguments(self) -> list[str]:
        return granian(self.application, "--uds", f"{self.instance}/forge.sock")
