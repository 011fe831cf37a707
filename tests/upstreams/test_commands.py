"""``flask oci upstream``."""

from __future__ import annotations

import json

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import LAYER
from tests.conftest import MakeApp
from tests.support.check_world import check
from tests.support.host import registry
from tests.support.upkeep import Upkeep

from .conftest import Upstreamed

NAME = "hub/library/alpine"


def test_image_is_fetched_in_advance_shown_and_purged(up: Upstreamed) -> None:
    app = up.app()
    operator = Upkeep(app)
    assert "not used yet" in operator.run("upstream", "list").output
    warmed = operator.run("upstream", "warm", f"{NAME}:3")
    assert warmed.exit_code == 0, warmed.output
    assert "2 blobs fetched" in warmed.stdout
    (found,) = json.loads(operator.run("upstream", "list", "--json").stdout)
    size = len(CONFIG) + len(LAYER)
    assert (found["state"], found["tags"], found["bytes"]) == ("answers", 1, size)
    shown = operator.run("upstream", "show", "hub").output
    assert "127.0.0.1" in shown
    assert "Stale for:" in shown
    assert operator.run("upstream", "purge", f"{NAME}:3", "--yes").exit_code == 0
    assert operator.run("upstream", "purge", "hub", "--yes").exit_code == 0
    (found,) = json.loads(operator.run("upstream", "list", "--json").stdout)
    assert found["repositories"] == 0


def test_unknown_upstream_and_image_are_named(up: Upstreamed) -> None:
    operator = Upkeep(up.app())
    for args, problem in (
        (("show", "quay"), "There is no upstream 'quay'"),
        (("check", "quay"), "There is no upstream 'quay'"),
        (("warm", "alice/app:1"), "not in the namespace of an upstream"),
        (("warm", f"{NAME}:none"), "no manifest with that tag"),
        (("purge", "alice", "--yes"), "neither an upstream nor a cached repository"),
    ):
        done = operator.run("upstream", *args)
        assert (done.exit_code, problem in done.output) == (1, True), done.output


def test_check_names_an_upstream_that_fails(up: Upstreamed) -> None:
    up.hub.closed = True
    app = up.app(None, username="robot", password="wrong")
    done = Upkeep(app).run("upstream", "check")
    assert done.exit_code == 1
    assert done.stdout.startswith("hub: ")
    assert "401" in check(app, "--user", "alice").findings["upstream-fails"]["detail"]
    app = up.app(None, username="robot", password="sesame:open")
    assert Upkeep(app).run("upstream", "check").stdout == "hub: answers\n"
    assert "upstream-fails" not in check(app, "--user", "alice").findings


def test_check_finds_images_of_users_in_the_namespace(
    up: Upstreamed, make_app: MakeApp
) -> None:
    """They existed before the upstream, and clients get them instead."""
    with make_app().app_context():
        registry.images.put_blob("hub/library/old", b"of a user")
    app = up.app()
    found = check(app, "--user", "alice").findings["upstream-namespace-taken"]
    assert "hub/library/old" in found["detail"]
    Upkeep(app).run("rename", "hub/library/old", "alice/old")
    assert "upstream-namespace-taken" not in check(app, "--user", "alice").findings
