"""Start two nodes of the forge on this machine, and end them at an interrupt."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shlex
import signal
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from . import nginx
from . import node
from . import postgresql
from . import store
from .parts import Failed
from .parts import Part
from .programs import find_programs
from .programs import Missing

HINT: t.Final = """
 Your forge is at http://{host} (sign in as alice / wonderland or bob / builder).

   echo wonderland | docker login {host} -u alice --password-stdin
   docker pull hello-world
   docker tag hello-world {host}/alice/hello
   docker push {host}/alice/hello

 nginx distributes the requests to two nodes. Kill one, and push and pull again:

{nodes}

 Commands of the registry, in another terminal:

   set -a; . {settings}; set +a
   flask --app example_app.nodes.application oci check

 The logs and all data are in {folder}. Press Ctrl-C to end and delete everything.
"""


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run the nodes until an interrupt, and return the exit status."""
    parser = argparse.ArgumentParser("python -m example_app.nodes", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=5000, help="the port of nginx (default: 5000)"
    )
    port = parser.parse_args(arguments).port
    # Shells ignore interrupts in programs that they start in the background.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        programs = find_programs()
        with contextlib.ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="forge-"))
            )
            # A second interrupt must not leave processes behind.
            stack.callback(_ignore_interrupts)
            watch(start(stack, programs, folder, port))
    except KeyboardInterrupt:
        print("\nEverything has ended.")
        return 0
    except (Missing, Failed) as error:
        print(error, file=sys.stderr)
    return 1


def start(
    stack: contextlib.ExitStack, programs: t.Mapping[str, str], folder: Path, port: int
) -> list[Part]:
    """Start all parts, and print how to use them.

    :param stack: stops the parts.
    :param folder: an empty folder.
    :param port: the port of nginx.
    """
    # The server of the database has an account of its own, and enters only its folder.
    folder.chmod(0o711)
    parts: list[Part] = []

    def keep(part: Part) -> None:
        stack.callback(part.stop)
        parts.append(part)

    database, url = postgresql.start(programs, folder / "database")
    keep(database)
    bucket, store_port, storage = store.start(programs, folder / "store")
    keep(bucket)
    settings = {"DATABASE_URL": url, "SECRET_KEY": secrets.token_hex(32), **storage}
    ports = []
    # The first node creates the tables.
    for number in (1, 2):
        part, node_port = node.start(number, folder, settings)
        keep(part)
        ports.append(node_port)
    keep(nginx.start(programs, folder / "nginx", port, ports, store_port))
    print(hint(folder, port, settings, parts), flush=True)
    return parts


def hint(
    folder: Path, port: int, settings: t.Mapping[str, str], parts: t.Sequence[Part]
) -> str:
    """Return how to use the parts, after writing the settings for commands."""
    file = folder / "forge.env"
    file.touch(mode=0o600)
    file.write_text(
        "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
        + f"EXAMPLE_INSTANCE={shlex.quote(str(folder / 'node1'))}\n"
    )
    kills = (f"   kill -9 -{part.pid}   # {part.name}" for part in parts[2:4])
    return HINT.format(
        host=f"127.0.0.1:{port}", nodes="\n".join(kills), settings=file, folder=folder
    )


def watch(parts: t.Iterable[Part]) -> t.NoReturn:
    """Wait for an interrupt, and report nodes that end.

    :raises Failed: if no node is left, or another part ends.
    """
    running = list(parts)
    spare_nodes = 1
    while True:
        for part in [part for part in running if part.ended]:
            running.remove(part)
            if not part.name.startswith("Node") or not spare_nodes:
                raise part.failure()
            spare_nodes -= 1
            print(f"{part.name} has ended. The other node continues.", flush=True)
        time.sleep(0.2)


def _ignore_interrupts() -> None:
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
