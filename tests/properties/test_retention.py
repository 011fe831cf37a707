"""Retention: invariants for any rules and any content."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path

from hypothesis import assume
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from flask_oci.rules.protection import Protection
from flask_oci.rules.retention import RetentionDecision
from flask_oci.rules.retention import RetentionEvaluator
from flask_oci.rules.retention import Snapshot
from flask_oci.rules.retention import Tagged
from flask_oci.rules.retention import UntaggedManifest
from flask_oci.rules.retention_rules import parse
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.host import Administrator
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
NAMES = ["a", "b", "ab", "v1", "v2", f"sha256-{'0' * 64}.sig"]
DIGESTS = [f"sha256:{n:064}" for n in range(4)]

names = st.sampled_from(NAMES)
digests = st.sampled_from(DIGESTS)
moments = st.integers(0, 100).map(lambda days: NOW - timedelta(days=days))
globs = st.sampled_from(["*", "a*", "v?", "a", "b", "zzz"])
numbers = st.integers(1, 60)
rules = st.one_of(
    st.builds("keep {}".format, globs),
    st.builds("keep {} newest of {}".format, numbers, globs),
    st.builds(
        "keep {} newest of {} by {}".format,
        *(numbers, globs, st.sampled_from(["push", "creation", "version"])),
    ),
    st.builds("delete {}".format, globs),
    st.builds("delete {} older than {} days".format, globs, numbers),
    st.builds("delete {} not pulled for {} days".format, globs, numbers),
    st.builds(
        "delete {} older than {} days not pulled for {} days".format,
        *(globs, numbers, numbers),
    ),
    st.builds("delete untagged after {} days".format, numbers),
)
tags = st.lists(
    st.builds(Tagged, names, digests, moments, st.none() | moments),
    unique_by=lambda tag: tag.name,
)
loose = st.lists(
    st.builds(UntaggedManifest, digests, moments, st.none() | moments),
    unique_by=lambda item: item.digest,
)


@st.composite
def judgements(
    draw: st.DrawFn,
) -> tuple[RetentionEvaluator, Snapshot, list[RetentionDecision]]:
    """Return the verdicts of some rules on some content."""
    texts = draw(st.lists(rules, max_size=6))
    assume(not texts or any(t.startswith("delete") or t == "keep *" for t in texts))
    released = draw(st.frozensets(names))
    judge = RetentionEvaluator(
        rules=parse(texts),
        now=NOW,
        protection=Protection(tuple(draw(st.lists(globs, max_size=2)))),
        is_exempt=lambda tag, digest: tag in released,
        grace=timedelta(days=draw(st.integers(0, 3))),
    )
    items = draw(loose)

    def unneeded(before: datetime) -> set[str]:
        return {item.digest for item in items if item.touched_at < before}

    stock = Snapshot(frozenset(DIGESTS), draw(tags), items, unneeded)
    return judge, stock, judge.evaluate(stock)


@given(judgements())
def test_protected_exempt_or_kept_tag_is_never_deleted(
    judged: tuple[RetentionEvaluator, Snapshot, list[RetentionDecision]],
) -> None:
    """Neither is a tag or a manifest that no rule deletes."""
    judge, stock, verdicts = judged
    for verdict in verdicts:
        if not verdict.deleted:
            continue
        assert verdict.rule in [rule.text for rule in judge.rules if not rule.keeps]
        if verdict.tag is None:
            continue
        assert judge.protection.pattern_of(verdict.tag) is None
        assert not judge.is_exempt(verdict.tag, verdict.digest)
        for rule in judge.rules:
            if rule.keeps and rule.matches(verdict.tag):
                assert rule.newest is not None
                own = [t for t in stock.tags if rule.matching(t) and t.name in "abv12"]
                (tag,) = (t for t in stock.tags if t.name == verdict.tag)
                newer = [t for t in own if t.moved_at >= tag.moved_at]
                assert len(newer) + 1 >= rule.newest


@given(judgements())
def test_every_tag_and_untagged_manifest_has_one_verdict(
    judged: tuple[RetentionEvaluator, Snapshot, list[RetentionDecision]],
) -> None:
    """Each verdict has a reason."""
    _, stock, verdicts = judged
    assert sorted(v.tag for v in verdicts if v.tag) == sorted(
        t.name for t in stock.tags
    )
    found = sorted(v.digest for v in verdicts if v.tag is None)
    assert found == sorted(item.digest for item in stock.loose)
    assert all(verdict.reason for verdict in verdicts)


@given(judgements(), st.integers(0, 30))
def test_additional_keep_rules_delete_no_more(
    judged: tuple[RetentionEvaluator, Snapshot, list[RetentionDecision]], number: int
) -> None:
    """An additional rule that keeps tags never causes a deletion."""
    judge, stock, verdicts = judged
    more = parse([*(r.text for r in judge.rules), "keep a*", "delete zzz"])
    again = RetentionEvaluator(
        more, judge.now, judge.protection, judge.is_exempt, judge.grace
    )
    gone = {(v.tag, v.digest) for v in again.evaluate(stock) if v.deleted}
    assert gone <= {(v.tag, v.digest) for v in verdicts if v.deleted}


class Image(t.NamedTuple):
    """An index, its children, its signature and its tags."""

    number: int
    tags: tuple[str, ...]
    age: int
    pulled: bool


images = st.lists(
    st.builds(
        Image,
        st.integers(0, 5),
        st.lists(st.sampled_from(NAMES[:5]), max_size=2, unique=True).map(tuple),
        st.integers(0, 60),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda image: image.number,
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(images, st.lists(rules, min_size=1, max_size=3), st.booleans())
def test_run_deletes_what_the_preview_says(
    make_app: MakeApp, found: list[Image], texts: list[str], protect: bool
) -> None:
    """The rest of each image can be pulled completely, and a second run deletes
    nothing."""
    app = make_app(OCI_UNDO_PERIOD=None)
    Administrator(app).start_afresh()
    # The folder belongs to the rows that were deleted.
    Path(app.instance_path, "oci/identity").unlink(missing_ok=True)
    alice = RegistryClient.of(app, "alice")
    for image in found:
        with later(timedelta(days=60 - image.age)):
            push(alice, image)
    with app.app_context(), later(timedelta(days=61)):
        if protect:
            registry.tag_protection.set(repository="alice/app", protected=["v*"])
        registry.retention.set([*texts, "delete zzz"], repository="alice/app")
        before = alice.tags("alice/app")
        preview = registry.apply_retention(dry_run=True)
        assert alice.tags("alice/app") == before
        assert registry.apply_retention() == preview
        gone = {row.tag for row in preview if row.deleted}
        assert alice.tags("alice/app") == sorted(set(before) - gone)
        assert not (protect and {"v1", "v2"} & gone)
        for tag in alice.tags("alice/app"):
            whole(alice, tag)
        assert not any(row.deleted for row in registry.apply_retention())


def push(client: RegistryClient, image: Image) -> None:
    """Push and sign an image of two platforms."""
    children = [
        client.push_image("alice/app", layer=f"{image.number} {n}".encode())
        for n in range(2)
    ]
    made = index(*(descriptor(child, OCI_MANIFEST) for child in children))
    for tag in image.tags or (None,):
        client.push_manifest("alice/app", made, tag)
    client.push_image(
        "alice/app",
        layer=f"signature {image.number}".encode(),
        subject=descriptor(made, OCI_MANIFEST),
    )
    if image.pulled:
        client.get(f"/v2/alice/app/manifests/{digest_of(made)}")


def whole(client: RegistryClient, tag: str) -> None:
    """Pull an index, the content that it needs, and its referrers."""
    path = "/v2/alice/app/manifests/"
    made = client.get(path + tag)
    assert made.status_code == 200
    for child in made.get_json()["manifests"]:
        image = client.get(path + child["digest"])
        assert image.status_code == 200
        for layer in image.get_json()["layers"]:
            assert (
                client.get(f"/v2/alice/app/blobs/{layer['digest']}").status_code == 200
            )
    referrers = client.get(f"/v2/alice/app/referrers/{digest_of(made.data)}").get_json()
    (signature,) = referrers["manifests"]
    assert client.get(path + signature["digest"]).status_code == 200
