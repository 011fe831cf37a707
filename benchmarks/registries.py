"""The registries that can be measured, by the name that selects each."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from . import postgresql
from .example import Example
from .fast import Fast
from .fast import Granian
from .ours import FlaskOci
from .peers import Distribution
from .peers import find
from .signing import Signer

if t.TYPE_CHECKING:
    from .server import Server

#: flask_oci on SQLite: with the default policy, and with the example's own policy on
#: several servers.
ON_SQLITE: t.Final[dict[str, Callable[[Path], Server]]] = {
    "sqlite": FlaskOci,
    "example": Example,
    "granian": Granian,
    "fast": Fast,
}

NAMES: t.Final = (
    "distribution",
    "distribution-tokens",
    "debian",
    "debian-tokens",
    *ON_SQLITE,
    "postgresql",
    "stored-100",
    "stored-10000",
    "stored-100000",
)


def create(name: str, folder: Path, go_bin: str | None, stack: ExitStack) -> Server:
    """Create a registry.

    :param name: one of :data:`NAMES`.
    :param folder: the folder for the folders of all registries.
    :param go_bin: the folder of Distribution's program, if it is not on the ``PATH``.
    :param stack: stops the database that the registry needs.
    :raises SystemExit: if it is not installed.
    """
    own = folder / name
    if name in ON_SQLITE:
        return ON_SQLITE[name](own)
    if name.startswith("stored-"):
        return FlaskOci(own, stored=int(name.removeprefix("stored-")))
    if name == "postgresql":
        url = postgresql.running(folder / "postgresql-server")
        return FlaskOci(own, stack.enter_context(url))
    return _distribution(name, folder, go_bin)


def _distribution(name: str, folder: Path, go_bin: str | None) -> Distribution:
    old = name.startswith("debian")
    program = find(["docker-registry"] if old else ["registry"], go_bin)
    if program is None:
        raise SystemExit(f"{name} is not installed; see docs/performance.rst")
    signer = Signer(folder / f"{name}-key") if name.endswith("tokens") else None
    title = "docker-registry (Debian)" if old else "Distribution"
    return Distribution(folder / name, title, program, signer)
