"""The example forge on granian, alone and behind nginx, as it ships."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t

from .example import Example
from .server import ROOT

if t.TYPE_CHECKING:
    from .processes import Process

#: The address in the configuration of nginx that the example ships.
ADDRESS: t.Final = "127.0.0.1:5000"


class Granian(Example):
    """The example forge on granian."""

    name = "flask_oci, granian"
    programs = ("granian",)

    def run(self) -> list[Process]:
        """Start granian."""
        granian = self.granian(
            "example_app.servers.on_granian", "--port", str(self.port)
        )
        granian.wait_for_port(self.port)
        return [granian]

    def granian(self, application: str, *address: str) -> Process:
        """Start granian as the example does.

        :param address: the options for its port or socket.
        """
        return self.launch(
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1"),
            *("--workers", "2", "--blocking-threads", "8"),
            *("--workers-kill-timeout", "300", "--respawn-failed-workers"),
            *(*address, "--factory", f"{application}:create_app"),
        )


class Fast(Granian):
    """The same behind nginx, which sends the blobs: the recommended fast deployment."""

    name = "flask_oci, fast"

    def run(self) -> list[Process]:
        """Start granian and nginx."""
        socket = self.instance / "forge.sock"
        granian = self.granian("example_app.servers.behind_nginx", "--uds", str(socket))
        nginx = self._nginx()
        granian.wait_for_socket(socket)
        nginx.wait_for_port(self.port)
        return [granian, nginx]

    def version(self) -> str:
        """Return the versions of the software that handles a request."""
        done = subprocess.run(
            [_find_nginx(), "-v"], capture_output=True, text=True, check=True
        )
        return f"{super().version()}, nginx {done.stderr.rpartition('/')[2].strip()}"

    def _nginx(self) -> Process:
        """Start nginx, which finds the socket in its working directory."""
        text = (ROOT / "example_app/servers/nginx.conf").read_text()
        configuration = self.instance / "nginx.conf"
        configuration.write_text(text.replace(ADDRESS, f"127.0.0.1:{self.port}"))
        # As root, nginx would give its processes another user.
        user = "user root;" if os.geteuid() == 0 else ""
        return self.launch(
            *(_find_nginx(), "-p", f"{self.instance}/", "-c", str(configuration)),
            *("-e", "nginx-error.log", "-g", f"daemon off; {user}"),
        )


def _find_nginx() -> str:
    """Return the path of nginx.

    :raises RuntimeError: if it is not installed.
    """
    # Daemons are in a folder that an ordinary user's PATH lacks.
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise RuntimeError("nginx is not installed; in Debian, it is nginx-light")
    return program
