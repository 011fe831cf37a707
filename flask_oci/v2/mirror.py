"""Mirrors: an upstream at a host name of its own, without the namespace.

Docker asks a mirror for ``library/alpine`` where it would ask Docker Hub. It answers a
challenge with the user's password at Docker Hub, so a mirror never challenges, and
ignores credentials.
"""

from __future__ import annotations

import ipaddress
import typing as t

from flask import request

from ..auth.principal import MirrorAccess
from ..auth.principal import Principal
from ..config.upstreams import HUB_HOSTS
from ..errors import NameUnknown
from ..errors import Unsupported
from ..services import services
from ..spec.reference import check_name

if t.TYPE_CHECKING:
    from ..config.upstreams import Upstream

#: The endpoints of a mirror: what a pull needs.
ENDPOINTS: t.Final = frozenset({"support", "manifest", "blob", "referrers"})


def find() -> Upstream | None:
    """Return the upstream whose mirror the request is for, or None."""
    found = services().config.upstreams
    host = request.host.lower()
    return next((each for each in found.values() if host in each.mirror_hosts), None)


def principal_of(upstream: Upstream) -> Principal:
    """Return the principal of a request to a mirror, whatever credentials it has."""
    access = MirrorAccess(upstream.namespace, _is_in_network(upstream))
    return Principal(mirror=access)


def rewrite(
    upstream: Upstream, endpoint: str | None, values: dict[str, t.Any] | None
) -> None:
    """Add the namespace to the name in the variables of a request to a mirror.

    :raises Unsupported: if the request is not a part of a pull.
    :raises NameUnknown: if the request names another upstream.
    :raises NameInvalid: if the name is too long with the namespace.
    """
    view = (endpoint or "").rpartition(".")[2]
    if request.method not in ("GET", "HEAD") or view not in ENDPOINTS:
        raise Unsupported("A mirror serves only pulls; use the registry itself.")
    # containerd names the upstream that it wants.
    wanted = request.args.get("ns")
    if wanted is not None and wanted not in _names_of(upstream):
        raise NameUnknown("This mirror serves another registry.", detail=wanted)
    if values and "name" in values:
        values["name"] = check_name(f"{upstream.namespace}/{values['name']}")


def _names_of(upstream: Upstream) -> frozenset[str]:
    return HUB_HOSTS if upstream.is_hub else frozenset({upstream.host})


def _is_in_network(upstream: Upstream) -> bool:
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in upstream.mirror_networks)
