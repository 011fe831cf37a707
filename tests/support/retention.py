"""Retention in tests: rules, runs and verdicts."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later

NAME = "alice/app"
PAGE = f"/images/{NAME}"
DAY = timedelta(days=1)
#: Some databases store whole seconds only.
HOUR = timedelta(hours=1)


def lay(app: Flask, *rules: str, name: str = NAME) -> None:
    """Set the rules of a repository."""
    with app.app_context():
        registry.retention.set(rules, repository=name)


def retain(app: Flask, *, dry_run: bool = False) -> dict[str, bool]:
    """Apply the rules, and return the deleted and the kept tags or digests."""
    with app.app_context():
        found = registry.apply_retention(dry_run=dry_run)
    return {row.tag or row.digest: row.deleted for row in found}


def why(app: Flask, tag: str, name: str = NAME) -> tuple[bool, str | None, str]:
    """Return the verdict on a tag: whether it is deleted, the rule and the reason."""
    with app.app_context():
        (row,) = (
            r for r in registry.apply_retention([name], dry_run=True) if r.tag == tag
        )
    return row.deleted, row.rule, row.reason


def push(client: RegistryClient, *tags: str, name: str = NAME) -> None:
    """Push a new image for each tag, one a day."""
    for number, tag in enumerate(tags):
        with later(number * DAY):
            client.push_image(name, tag, layer=f"layer of {tag}".encode())


def pull(client: RegistryClient, reference: str) -> int:
    """Return the status of a pull."""
    return client.get(f"/v2/{NAME}/manifests/{reference}").status_code
