"""Protection of private networks against requests of webhooks."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import sys
import typing as t

import pytest

from flask_oci.events import ssrf
from flask_oci.events.http_client import send
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

#: Addresses that only the server can reach, by how they are hidden.
PRIVATE = {
    "loopback": "127.0.0.1 127.255.255.254 ::1",
    "unspecified": "0.0.0.0 0.1.2.3 ::",
    "private": "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd12:3456::1",
    "link-local": "169.254.0.1 fe80::1 febf::1",
    "metadata of clouds": (
        "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192"
        " fd00:ec2::254 fd20:ce::254"
    ),
    "shared between customers": "100.64.0.1 100.127.255.255",
    "tests and documentation": (
        "192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1"
    ),
    "multicast": "224.0.0.1 239.255.255.250 ff02::1 ff0e::1",
    "reserved": "240.0.0.1 255.255.255.255 100::1 4000::1 fec0::1 192.88.99.1",
    "mapped": (
        "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:0"
        " ::ffff:c0a8:101"
    ),
    "compatible": "::127.0.0.1 ::10.0.0.1",
    "translated": (
        "64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1"
    ),
    "in a tunnel": "2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe::1 2001::1 2001:20::1",
}

PUBLIC = "1.1.1.1 8.8.8.8 93.184.216.34 2606:4700::1111 2a00:1450::1 64:ff9b::101:101"


@pytest.mark.parametrize(
    "address",
    [address for addresses in PRIVATE.values() for address in addresses.split()],
)
def test_private_address_is_refused(address: str) -> None:
    """A private address is refused as a literal, and among several of a host name."""
    assert not ssrf.may_reach(ipaddress.ip_address(address), ())
    with pytest.raises(ssrf.Forbidden, match="OCI_WEBHOOK_NETWORKS"):
        ssrf.choose([address], ())
    assert ssrf.choose([address, "1.1.1.1"], ()) == ["1.1.1.1"]
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(ValueError, match="not a public address"):
        ssrf.check_url(f"https://{literal}/hook", ())


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_address_is_allowed(address: str) -> None:
    """Public addresses are allowed."""
    assert ssrf.may_reach(ipaddress.ip_address(address), ())


def test_allowed_networks_are_reachable() -> None:
    """Allowed networks are reachable by every form of their addresses."""
    allowed = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1"):
        assert ssrf.may_reach(ipaddress.ip_address(address), allowed)
    for address in ("10.2.0.1", "::ffff:10.2.0.1", "fe80::1", "127.0.0.1"):
        assert not ssrf.may_reach(ipaddress.ip_address(address), allowed)


#: Other ways to write 127.0.0.1, which the resolver understands.
SPELLINGS = ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_names_of_loopback_are_refused(
    alice: RegistryClient, receiver: Receiver, name: str
) -> None:
    """The addresses of a host name are checked, not the name."""
    upkeep = Upkeep(alice.app)
    url = f"http://{name}:{receiver.port}/"
    assert upkeep.run("webhooks", "add", url).exit_code == 0
    alice.push_image("alice/app", "v1")
    assert upkeep.run("events", "deliver").exit_code == 1
    event = json.loads(upkeep.run("events", "list", "--json").stdout)[-1]["id"]
    (row,) = json.loads(upkeep.run("events", "show", str(event), "--json").stdout)
    # Where "localhost" is ::1 as well, both are named.
    named, _, rest = row["log"][0]["error"].partition(" is not a public address")
    assert "127.0.0.1" in named.split(", ")
    assert "OCI_WEBHOOK_NETWORKS" in rest
    assert receiver.arrived == []


@pytest.fixture(name="receiver")
def _receiver() -> t.Iterator[Receiver]:
    """A server that must receive no request."""
    with Receiver() as receiver:
        yield receiver


def test_host_name_is_resolved_once(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """The client connects to the address that it checked, even if the name resolves to
    another one later."""
    answers = iter(["127.0.0.1", "10.0.0.1"])
    looked_up = []

    def look_up(name: str, port: int, *args: t.Any, **kwargs: t.Any) -> t.Any:
        looked_up.append(name)
        address = next(answers) if name == "rebinding.example" else name
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    outcome = send(
        f"http://rebinding.example:{receiver.port}/",
        b"{}",
        {},
        allowed=[ipaddress.ip_network("127.0.0.0/8")],
        timeout=5,
    )
    assert (outcome.status, outcome.error) == (204, None)
    assert looked_up.count("rebinding.example") == 1
    host = receiver.taken[0].headers["host"]
    assert host == f"rebinding.example:{receiver.port}"


@pytest.mark.skipif(sys.platform != "linux", reason="others have one local address")
def test_unresponsive_address_is_followed_by_the_next(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """The client tries the next address of the name until the timeout."""
    with contextlib.ExitStack() as stack:
        # No thread accepts here, so that the last connection waits.
        full = stack.enter_context(socket.create_server(("127.0.0.2", 0), backlog=0))
        place = full.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(place)

        def look_up(name: str, port: int, *args: t.Any, **kwargs: t.Any) -> t.Any:
            known = ["127.0.0.2", "127.0.0.1"] if name == "two.example" else [name]
            return [(2, 1, 6, "", (address, port)) for address in known]

        connect = socket.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        monkeypatch.setattr(
            socket,
            "create_connection",
            lambda to, wait: connect(place if to[0] == place[0] else to, wait),
        )
        outcome = send(
            f"http://two.example:{receiver.port}/",
            b"{}",
            {},
            allowed=[ipaddress.ip_network("127.0.0.0/8")],
            timeout=6,
        )
    assert (outcome.status, outcome.error) == (204, None)


def test_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """A proxy would resolve the name itself."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    allowed = [ipaddress.ip_network("127.0.0.0/8")]
    outcome = send(f"{receiver.url}/", b"{}", {}, allowed=allowed, timeout=5)
    assert outcome.status == 204


def test_invalid_certificate_receives_no_event(receiver: Receiver) -> None:
    """A server without a valid certificate for the name receives nothing."""
    allowed = [ipaddress.ip_network("127.0.0.0/8")]
    url = f"https://localhost:{receiver.port}/"
    outcome = send(url, b"secret", {}, allowed=allowed, timeout=5)
    assert outcome.status is None
    assert outcome.error is not None
    assert outcome.error.startswith("SSL")
    assert receiver.arrived == []
