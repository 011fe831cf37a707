"""A network namespace of Linux for one node, whose link to the store can be taken
down."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

#: Each namespace has a network of four addresses in the range for benchmarks (RFC
#: 2544), which no route of a machine should need.
NETWORK: t.Final = "198.18.{}.{}"


#: The name of a namespace: the process that created it, and a number.
NAMES: t.Final = re.compile(r"^oci-([0-9]+)-[0-9]+", re.MULTILINE)


def reason_without() -> str | None:
    """Return the reason why this process cannot create a namespace, or None."""
    if os.geteuid() != 0:
        return "Only root may create network namespaces."
    if shutil.which("ip") is None:
        return "The program 'ip' of Debian's iproute2 is missing."
    try:
        with Namespace(9):
            return None
    except RuntimeError as error:
        return str(error)


class Namespace:
    """A network namespace, and the pair of virtual devices that leads to it.

    While the link is down, packets are lost, as if a cable was unplugged. Unix sockets
    work across namespaces, and listening sockets that a process inherits.

    :param number: distinguishes the namespaces of this process.
    """

    def __init__(self, number: int) -> None:
        serial = f"{os.getpid()}-{number}"
        self._name = f"oci-{serial}"
        # The name of a device has at most 15 characters.
        self._outer, self._inner = f"ov{serial}", f"iv{serial}"
        net = os.getpid() % 250
        self.address = NETWORK.format(net, 4 * number + 1)
        """The address of this side, which the node reaches."""

        self._other = NETWORK.format(net, 4 * number + 2)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Namespace:
        _delete_stale()
        with contextlib.ExitStack() as stack:
            _ip("netns", "add", self._name)
            # The deletion of the namespace deletes both devices.
            stack.callback(_ip, "netns", "delete", self._name)
            pair = ("type", "veth", "peer", "name", self._inner)
            _ip("link", "add", self._outer, *pair)
            stack.callback(self._delete_link)
            _ip("link", "set", self._inner, "netns", self._name)
            _ip("address", "add", f"{self.address}/30", "dev", self._outer)
            _ip("link", "set", self._outer, "up")
            inside = ("-n", self._name)
            _ip(*inside, "address", "add", f"{self._other}/30", "dev", self._inner)
            _ip(*inside, "link", "set", self._inner, "up")
            _ip(*inside, "link", "set", "lo", "up")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def prefix(self) -> tuple[str, ...]:
        """The words before a command that runs in the namespace."""
        return ("ip", "netns", "exec", self._name)

    def cut(self) -> None:
        """Take the link down."""
        _ip("link", "set", self._outer, "down")

    def mend(self) -> None:
        """Take the link up again."""
        _ip("link", "set", self._outer, "up")

    def _delete_link(self) -> None:
        # It is gone if its namespace was deleted before.
        subprocess.run(
            ["ip", "link", "delete", self._outer], capture_output=True, check=False
        )


def _delete_stale() -> None:
    """Delete the namespaces of processes that were killed."""
    for found in NAMES.finditer(_ip("netns", "list")):
        if not Path("/proc", found[1]).exists():
            _ip("netns", "delete", found[0])


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")
    return done.stdout
