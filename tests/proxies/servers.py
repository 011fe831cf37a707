"""Proxies in front of a forge, as configured on the deployment page."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import ssl
import subprocess
import textwrap
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tests.support.doc_blocks import DOCS
from tests.support.forge import end
from tests.support.forge import free_port
from tests.support.forge import tool
from tests.support.forge import wait_until

TIMEOUT = 60.0
PAGE = (DOCS / "deployment.rst").read_text("utf-8")

#: A change of a configuration of the page.
Edit = t.Callable[[str], str]


@dataclass(frozen=True)
class Certificate:
    """The certificate of a server, and its authority."""

    chain: Path
    key: Path
    authority: Path


def block(section: str, language: str, caption: str = "") -> str:
    """Return a block of the page.

    :param section: the heading above it.
    :param caption: its caption, if there are several.
    """
    _, found, below = PAGE.partition(f"\n{section}\n~")
    assert found, section
    option = rf"    :caption: {re.escape(caption)}\n" if caption else ""
    pattern = rf"^\.\. code-block:: {language}\n{option}\n((?:    .*\n|\n)+)"
    match = re.search(pattern, below, re.MULTILINE)
    assert match, (section, language, caption)
    return textwrap.dedent(match[1])


def replaced(text: str, **words: object) -> str:
    """Replace the addresses and files of the page by those of a test.

    :param words: the replacements; each must occur.
    """
    known = {
        "name": "forge.example.org",
        "port": "443",
        "forge": "127.0.0.1:8000",
        "chain": "/etc/ssl/forge/fullchain.pem",
        "key": "/etc/ssl/forge/key.pem",
    }
    for word, value in words.items():
        assert known[word] in text, (known[word], text)
        text = text.replace(known[word], str(value))
    return text


@contextlib.contextmanager
def nginx(
    folder: Path, forge: str, certificate: Certificate, edit: Edit = str
) -> t.Iterator[str]:
    """Run nginx, and return the address for clients.

    :param folder: for its files.
    :param forge: the host and port of the application.
    :param edit: changes the configuration.
    """
    port = free_port()
    server = replaced(
        block("nginx", "nginx"),
        name="localhost",
        port=port,
        forge=forge,
        chain=certificate.chain,
        key=certificate.key,
    )
    places = "".join(
        f"    {name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    configuration = (
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{places}"
        f"    proxy_cache_path {folder}/cache keys_zone=cache:1m;\n{server}}}\n"
    )
    file = folder / "nginx.conf"
    file.write_text(edit(configuration))
    program = tool("nginx", "Debian's nginx-light")
    command = (program, "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(file))
    with _running(command, folder, port):
        yield f"https://localhost:{port}"


@contextlib.contextmanager
def apache(
    folder: Path, forge: str, certificate: Certificate, edit: Edit = str
) -> t.Iterator[str]:
    """Run Apache; see :func:`nginx`."""
    port = free_port()
    host = replaced(
        block("Apache", "apache"),
        name="localhost",
        port=port,
        forge=forge,
        chain=certificate.chain,
        key=certificate.key,
    )
    modules = Path("/usr/lib/apache2/modules")
    names = (
        "mpm_event authz_core env headers proxy proxy_http ssl socache_shmcb setenvif"
    )
    loaded = "".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so\n"
        for name in f"{names} ssl filter deflate substitute".split()
    )
    user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    file = folder / "apache.conf"
    file.write_text(
        edit(
            f"{loaded}{user}Listen {port}\nServerName localhost\n"
            f"ServerRoot {folder}\nDefaultRuntimeDir {folder}\nPidFile {folder}/pid\n"
            f"ErrorLog {folder}/error.log\n{host}"
        )
    )
    program = tool("apache2", "Debian's apache2")
    with _running((program, "-f", str(file), "-D", "FOREGROUND"), folder, port):
        yield f"https://localhost:{port}"


@contextlib.contextmanager
def caddy(
    folder: Path, forge: str, certificate: Certificate, edit: Edit = str
) -> t.Iterator[str]:
    """Run Caddy, with a given certificate; see :func:`nginx`."""
    port = free_port()
    site = replaced(
        block("Caddy", "text", "Caddyfile"),
        name=f"https://localhost:{port}",
        forge=forge,
    )
    certified = f"    tls {certificate.chain} {certificate.key}\n}}\n"
    site = site.rstrip().removesuffix("}") + certified
    file = folder / "Caddyfile"
    options = "{\n    admin off\n    auto_https disable_redirects\n}\n"
    file.write_text(edit(options + site))
    program = tool("caddy", "Debian's caddy")
    command = (program, "run", "--config", str(file), "--adapter", "caddyfile")
    with _running(command, folder, port, HOME=str(folder)):
        yield f"https://localhost:{port}"


@contextlib.contextmanager
def traefik(
    folder: Path, forge: str, certificate: Certificate, edit: Edit = str
) -> t.Iterator[str]:
    """Run Traefik; see :func:`nginx`."""
    port = free_port()
    dynamic = folder / "forge.yml"
    static = replaced(block("Traefik", "yaml", "traefik.yml"), port=port)
    assert "/etc/traefik/forge.yml" in static
    static = static.replace("/etc/traefik/forge.yml", str(dynamic))
    site = replaced(
        block("Traefik", "yaml", "forge.yml"),
        name="localhost",
        forge=forge,
        chain=certificate.chain,
        key=certificate.key,
    )
    dynamic.write_text(edit(site))
    quiet = "global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\n"
    file = folder / "traefik.yml"
    file.write_text(static + quiet)
    program = tool("traefik", "the dependency group proxies")
    # It listens before it has read the routes, and answers 404.
    command = (program, f"--configfile={file}")
    with _running(command, folder, port, unready=404):
        yield f"https://localhost:{port}"


PROXIES = {"nginx": nginx, "apache": apache, "caddy": caddy, "traefik": traefik}


@contextlib.contextmanager
def _running(
    command: t.Sequence[str],
    folder: Path,
    port: int,
    unready: int | None = None,
    **settings: str,
) -> t.Iterator[None]:
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def serves() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        return answered(port) not in (None, unready)

    try:
        wait_until(serves, TIMEOUT, f"starting {command[0]}")
        yield
    finally:
        end(process, TIMEOUT)


def answered(port: int) -> int | None:
    """Return the status of a response over TLS, or None, for any authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        "localhost", port, timeout=TIMEOUT, context=context
    )
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
