"""``flask oci upstream``: the upstreams and their cached images."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..config.upstreams import Upstream
from ..rules.quota import readable
from ..rules.wording import plural
from ..services import services
from ..spec.reference import split_image
from . import output
from .aliases import Group
from .common import error_messages
from .digests import short

if t.TYPE_CHECKING:
    from ..upstreams.manager import UpstreamInfo


@click.group(cls=Group)
def upstream() -> None:
    """Show upstreams, and manage their cached images.

    An upstream is another registry whose images this one fetches when clients pull
    them, and keeps. OCI_UPSTREAMS configures them.
    """


@upstream.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_upstreams(as_json: bool) -> None:
    """List the upstreams and their state."""
    with error_messages():
        found = services().upstream_manager.list()
    if as_json:
        output.as_json([_fields(each) for each in found])
        return
    output.table(
        ("namespace", "upstream", "state", "repositories", "tags", "size"),
        (
            (
                *(each.namespace, each.address, state(each)),
                *(each.repositories, each.tags, readable(each.bytes)),
            )
            for each in found
        ),
    )
    if not found:
        output.none_found("OCI_UPSTREAMS configures no upstream.")


@upstream.command("show")
@with_appcontext
@click.argument("namespace")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show_upstream(namespace: str, as_json: bool) -> None:
    """Show an upstream, its state and its rate limit."""
    with error_messages():
        found = services().upstream_manager.get(namespace)
    if as_json:
        output.as_json(_fields(found))
        return
    settings = services().config.upstreams[namespace]
    output.facts(
        (
            ("Upstream", found.address),
            ("State", state(found)),
            ("Last answer", found.answered_at),
            ("Last failure", found.failed_at),
            ("Reason", found.failure),
            ("Rate limit", found.rate_limit),
            ("Remaining", found.rate_remaining),
            ("Repositories", str(found.repositories)),
            ("Tags", str(found.tags)),
            ("Size", readable(found.bytes)),
            *_settings(settings),
        )
    )


@upstream.command("check")
@with_appcontext
@click.argument("namespaces", metavar="[NAMESPACE]...", nargs=-1)
def check_upstreams(namespaces: tuple[str, ...]) -> None:
    """Send a request to each upstream, or to some.

    The exit status is 1 if one of them does not answer or refuses the credentials.
    """
    manager, failed = services().upstream_manager, 0
    for namespace in namespaces or sorted(services().config.upstreams):
        with error_messages():
            problem = manager.check(namespace)
        failed += problem is not None
        click.echo(f"{namespace}: {problem or 'answers'}")
    if failed:
        raise click.exceptions.Exit(1)


@upstream.command("warm")
@with_appcontext
@click.argument("images", metavar="NAME[:TAG]...", nargs=-1, required=True)
def warm_upstream(images: tuple[str, ...]) -> None:
    """Fetch images, so that a later pull is local.

    NAME has the namespace, such as hub/library/alpine. Only images for the platforms
    of the upstream are fetched.
    """
    for image in images:
        with error_messages():
            name, tag = split_image(image)
            done = services().upstream_manager.warm(
                name, tag or "latest", report=_report
            )
        click.echo(
            f"{image}: {short(done.digest)}, {plural(done.blobs, 'blob')} fetched"
            f" ({readable(done.bytes)})."
        )


@upstream.command("purge")
@with_appcontext
@click.argument("name", metavar="NAMESPACE|NAME[:TAG]")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def purge_upstream(name: str, yes: bool) -> None:
    """Delete cached images of an upstream.

    They are fetched again when a client asks for them. The disk space is freed when
    'flask oci gc' runs after the grace period.
    """
    if not yes:
        click.confirm(f"Delete the cached content of {name}?", abort=True, err=True)
    with error_messages():
        repository, tag = split_image(name)
        names = services().upstream_manager.purge(repository, tag)
    deleted = plural(len(names), "cached repository", "cached repositories")
    click.echo(f"Deleted {f'the tag {tag} of {repository}' if tag else deleted}.")


def state(found: UpstreamInfo) -> str:
    """Return the state of an upstream in a word."""
    if found.is_failing:
        return "fails"
    return "not used yet" if found.answered_at is None else "answers"


def _fields(found: UpstreamInfo) -> dict[str, t.Any]:
    return {**asdict(found), "state": state(found)}


def _settings(upstream: Upstream) -> list[tuple[str, str]]:
    return [
        ("Allowed", ", ".join(upstream.allow)),
        ("Platforms", ", ".join(upstream.platforms) or "all"),
        ("Fresh for", str(upstream.fresh)),
        ("Stale for", "no limit" if upstream.stale is None else str(upstream.stale)),
        ("If deleted", upstream.on_deleted),
        ("Quota", "" if upstream.quota is None else readable(upstream.quota)),
        ("Mirror hosts", ", ".join(upstream.mirror_hosts)),
    ]


def _report(digest: str) -> None:
    click.echo(f"Fetching {short(digest)}", err=True)
