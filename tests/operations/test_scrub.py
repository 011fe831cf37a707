"""Scrubs: their position and their rate."""

from __future__ import annotations

import time

import pytest
from flask import Flask

from flask_oci.testing import Faults
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep


@pytest.fixture(name="manifest")
def _manifest(alice: RegistryClient) -> bytes:
    """An image in two repositories."""
    alice.push_image("alice/other", "1.0")
    return alice.push_image("alice/app", "1.0")


@pytest.fixture(name="keeper")
def _keeper(app: Flask, manifest: bytes) -> Upkeep:
    """An operator who checks the registry."""
    return Upkeep(app)


def test_scrub_interrupted_continues(keeper: Upkeep, alice: RegistryClient) -> None:
    """A scrub that a database failure ended continues at its position, and the scrub
    after it reads everything again."""
    contents = [b"1", b"2", b"3", b"4"]
    first, _, third, last = sorted(alice.push_blob("alice/new", c) for c in contents)
    whole = keeper.blob(third).read_bytes()
    keeper.store(third, b"?")
    with Faults(keeper.app).database(at=_statements(keeper), lasting=True):
        assert keeper.run("fsck", "--scrub", "--repair").exit_code == 2

    keeper.store(third, whole)
    for digest in (first, last):
        keeper.store(digest, b"?")
    assert keeper.kinds("--scrub", status=1) == [("damaged", last)]
    assert keeper.kinds("--scrub", status=1) == [
        ("damaged", first),
        ("damaged", last),
    ]


def _statements(keeper: Upkeep) -> int:
    """Return the number of statements of a check that finds no problem."""
    with Faults(keeper.app).database(at=10_000) as fault:
        keeper.run("fsck", "--repair")
    return 10_000 - fault._left


def test_scrub_with_unreadable_file_reads_the_rest(
    keeper: Upkeep, alice: RegistryClient
) -> None:
    """The check reports the file, and continues with the next one."""
    contents = [b"1", b"2", b"3", b"4"]
    first, _, third, last = sorted(alice.push_blob("alice/new", c) for c in contents)
    keeper.blob(first).unlink()
    keeper.blob(first).mkdir()
    keeper.store(last, b"?")
    found = keeper.kinds("--scrub", status=1)
    assert ("unreadable", first) in found
    assert ("damaged", last) in found
    assert not any(third == subject for _, subject in found)


def test_scrub_rate_is_limited(
    keeper: Upkeep, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scrub leaves the disk to others when it has read its share."""
    mebibyte = 1024 * 1024
    alice.push_blob("alice/new", bytes(4 * mebibyte))
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)

    assert keeper.fsck("--scrub", "--rate", "2MiB") == []

    # No time passes here, so that each pause is all that was read by then.
    assert pauses[-1] == pytest.approx(2, abs=0.001)
    assert keeper.run("fsck", "--scrub", "--rate", "0").exit_code == 2
