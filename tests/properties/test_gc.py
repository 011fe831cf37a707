"""Histories of a registry with collections: reachable and leased content stays, other
content is deleted."""

from __future__ import annotations

import functools
import shutil
import typing as t
from datetime import datetime
from datetime import timedelta

import pytest
import time_machine
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import run_state_machine_as_test

from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.examples import examples
from tests.support.host import Administrator
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import GRACE
from tests.support.upkeep import Upkeep

#: Longer than a grace period, so that both have an effect.
UNTAGGED = GRACE * 2
#: Longer than every duration in the configuration.
AGE = UNTAGGED * 2

NAMES = ("alice/app", "alice/base")
TAGS = ("1.0", "latest")
BLOBS = (b"one", b"two", b"three")


class Repository:
    """The expected state of a repository."""

    def __init__(self) -> None:
        self.tags: dict[str, bytes] = {}
        self.manifests: dict[bytes, datetime] = {}
        """When each was last pushed, or had a tag."""

        self.promised: dict[bytes, datetime] = {}
        """The time when a client last learned that each blob exists."""


class Content(t.NamedTuple):
    """The blobs and manifests of a manifest."""

    blobs: tuple[bytes, ...] = ()
    children: tuple[bytes, ...] = ()
    subject: bytes | None = None


class Collections(RuleBasedStateMachine):
    """Pushes, mounts, deletions, waits and collections, in any order."""

    def __init__(self, make_app: MakeApp) -> None:
        super().__init__()
        seconds = int(UNTAGGED.total_seconds())
        app = make_app(OCI_UNTAGGED_LIFETIME=seconds, OCI_UNDO_PERIOD=None)
        self.alice = RegistryClient.of(app, "alice")
        self.keeper = Upkeep(app)
        Administrator(app).start_afresh()
        shutil.rmtree(self.keeper.folder, ignore_errors=True)
        self.travel = time_machine.travel(utcnow(), tick=False)
        self.clock = self.travel.start()
        self.repositories = {name: Repository() for name in NAMES}
        self.contents: dict[bytes, Content] = {}
        for name in NAMES:
            for blob in BLOBS:
                self.push_blob(name, blob)

    @rule(name=st.sampled_from(NAMES), blob=st.sampled_from(BLOBS))
    def push_blob(self, name: str, blob: bytes) -> None:
        """Push a new or an existing blob."""
        self.alice.push_blob(name, blob)
        self.repositories[name].promised[blob] = utcnow()

    @rule(name=st.sampled_from(NAMES), blob=st.sampled_from(BLOBS))
    def ask(self, name: str, blob: bytes) -> None:
        """Ask for a blob. The client then relies on the answer."""
        path = f"/v2/{name}/blobs/{digest_of(blob)}"
        if self.alice.head(path).status_code == 200:
            self.repositories[name].promised[blob] = utcnow()
        else:
            assert not self._is_due(name, blob)

    @rule(name=st.sampled_from(NAMES), blob=st.sampled_from(BLOBS))
    def mount(self, name: str, blob: bytes) -> None:
        """Mount a blob from any repository that has it."""
        query = {"mount": digest_of(blob)}
        response = self.alice.post(f"/v2/{name}/blobs/uploads/", query=query)
        if response.status_code == 201:
            self.repositories[name].promised[blob] = utcnow()
        else:
            assert not any(self._is_due(other, blob) for other in NAMES)

    @rule(
        name=st.sampled_from(NAMES),
        blobs=st.lists(st.sampled_from(BLOBS), min_size=1, max_size=2),
        tag=st.sampled_from([*TAGS, None]),
        signs=st.booleans(),
        data=st.data(),
    )
    def push_image(
        self,
        name: str,
        blobs: list[bytes],
        tag: str | None,
        signs: bool,
        data: st.DataObject,
    ) -> None:
        """Push an image, which may be the signature of another one."""
        known = sorted(self.repositories[name].manifests)
        subject = data.draw(st.sampled_from(known)) if signs and known else None
        signed = descriptor(subject, OCI_MANIFEST) if subject else None
        manifest = image(*blobs[1:], config=blobs[0], subject=signed)
        self._push(name, manifest, tag, Content(tuple(blobs), subject=subject))

    @rule(
        name=st.sampled_from(NAMES),
        tag=st.sampled_from([*TAGS, None]),
        data=st.data(),
    )
    def push_index(self, name: str, tag: str | None, data: st.DataObject) -> None:
        """Push an index of manifests that may still exist."""
        known = sorted(self.repositories[name].manifests)
        if not known:
            return
        children = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=2))
        described = (
            descriptor(
                child, OCI_INDEX if self.contents[child].children else OCI_MANIFEST
            )
            for child in children
        )
        self._push(name, index(*described), tag, Content(children=tuple(children)))

    @rule(name=st.sampled_from(NAMES), tag=st.sampled_from(TAGS))
    def delete_tag(self, name: str, tag: str) -> None:
        """Delete a tag."""
        response = self.alice.delete(f"/v2/{name}/manifests/{tag}")
        repository = self.repositories[name]
        assert (response.status_code == 202) == (tag in repository.tags)
        if tag in repository.tags:
            repository.manifests[repository.tags.pop(tag)] = utcnow()

    @rule(name=st.sampled_from(NAMES), data=st.data())
    def delete_manifest(self, name: str, data: st.DataObject) -> None:
        """Delete a manifest, unless an index needs it."""
        repository = self.repositories[name]
        if not repository.manifests:
            return
        manifest = data.draw(st.sampled_from(sorted(repository.manifests)))
        path = f"/v2/{name}/manifests/{digest_of(manifest)}"
        if self.alice.delete(path).status_code != 403:
            del repository.manifests[manifest]
            for tag, tagged in list(repository.tags.items()):
                if tagged == manifest:
                    del repository.tags[tag]

    @rule(name=st.sampled_from(NAMES), blob=st.sampled_from(BLOBS))
    def delete_blob(self, name: str, blob: bytes) -> None:
        """Delete a blob, unless a manifest needs it."""
        response = self.alice.delete(f"/v2/{name}/blobs/{digest_of(blob)}")
        if response.status_code != 403:
            assert blob not in self._needed(name)[1]
            self.repositories[name].promised.pop(blob, None)

    @rule(hours=st.sampled_from([1, 7, 23, 31, 49, 99]))
    def wait(self, hours: int) -> None:
        """Let time pass."""
        self.clock.shift(timedelta(hours=hours))

    @rule()
    def collect(self) -> None:
        """Check that a collection deletes what it reports and keeps needed content."""
        announced = self.keeper.gc("--dry-run")
        assert self.keeper.gc() == announced
        # The schedule left out no repository, and the counters agree with the tables.
        missed = self.keeper.gc("--dry-run", "--all")
        assert [missed[kind] for kind in ("manifests", "links", "blobs")] == [[]] * 3
        for name in NAMES:
            gone = {d for n, d in announced["manifests"] if n == name}
            self._expect(name)
            known = self.repositories[name].manifests
            for manifest in [m for m in known if digest_of(m) in gone]:
                del known[manifest]
        assert self.keeper.fsck() == []

    def teardown(self) -> None:
        """Check that only content with a tag is left in the end."""
        try:
            # Manifests are deleted first, and their blobs a grace period later.
            for _ in range(2):
                self.clock.shift(AGE)
                self.collect()
            needed = {blob for name in NAMES for blob in self._needed(name)[1]}
            assert self.keeper.blobs() == set(map(digest_of, needed))
            assert self.keeper.rows("Manifest") == sum(
                len(self._needed(name)[0]) for name in NAMES
            )
        finally:
            self.travel.stop()

    def _push(self, name: str, manifest: bytes, tag: str | None, made: Content) -> None:
        response = self.alice.put_manifest(name, tag or digest_of(manifest), manifest)
        repository = self.repositories[name]
        if response.status_code == 400:
            assert refusal(response) == (400, "MANIFEST_BLOB_UNKNOWN")
            assert not all(self._is_due(name, blob) for blob in made.blobs) or (
                not all(self._is_known(name, child) for child in made.children)
            )
            return
        assert response.status_code == 201
        self.contents[manifest] = made
        repository.manifests[manifest] = utcnow()
        if tag is not None:
            if tag in repository.tags:
                repository.manifests[repository.tags[tag]] = utcnow()
            repository.tags[tag] = manifest

    def _is_due(self, name: str, blob: bytes) -> bool:
        """Return True if a client may rely on a blob."""
        promised = self.repositories[name].promised.get(blob)
        young = promised is not None and utcnow() - promised < GRACE
        return young or blob in self._needed(name)[1]

    def _is_known(self, name: str, manifest: bytes) -> bool:
        repository = self.repositories[name]
        touched = repository.manifests.get(manifest)
        young = touched is not None and utcnow() - touched < UNTAGGED
        return young or manifest in self._needed(name)[0]

    def _needed(self, name: str) -> tuple[set[bytes], set[bytes]]:
        """Return the manifests and the blobs that tags lead to."""
        repository = self.repositories[name]
        needed = set(repository.tags.values())
        while True:
            more = set(needed)
            for manifest in repository.manifests:
                content = self.contents[manifest]
                if manifest in needed:
                    more.update(content.children)
                    more.update(repository.manifests.keys() & {content.subject})
                elif content.subject in needed:
                    more.add(manifest)
            if more == needed:
                blobs = {b for m in needed for b in self.contents[m].blobs}
                return needed, blobs
            needed = more

    def _expect(self, name: str) -> None:
        manifests, _ = self._needed(name)
        for manifest in self.repositories[name].manifests:
            path = f"/v2/{name}/manifests/{digest_of(manifest)}"
            if manifest in manifests or self._is_known(name, manifest):
                assert self.alice.get(path).data == manifest
        for blob in BLOBS:
            path = f"/v2/{name}/blobs/{digest_of(blob)}"
            if self._is_due(name, blob):
                assert self.alice.get(path).data == blob


@pytest.mark.slow
def test_any_history_with_collections_keeps_needed_content(make_app: MakeApp) -> None:
    """A collection deletes unneeded content only, and all of it in the end."""
    run_state_machine_as_test(
        # Anything that makes a machine will do, whatever the annotation says.
        t.cast(t.Any, functools.partial(Collections, make_app)),
        settings=settings(
            derandomize=True,
            deadline=None,
            max_examples=examples(15),
            stateful_step_count=25,
            phases=[Phase.generate],
        ),
    )
