"""``flask oci delete``: tags, manifests and repositories."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..catalog import RepositoryInfo
from ..core.actor import Actor
from ..rules.quota import readable
from ..services import services
from ..spec.reference import parse_reference
from ..spec.reference import split_image
from .common import told
from .image import details


@click.command()
@with_appcontext
@click.argument("image", metavar="REPOSITORY[:TAG|@DIGEST]")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(image: str, yes: bool) -> None:
    """Delete a tag, a manifest with its tags, or a whole repository.

    \b
    REPOSITORY:TAG      takes the tag away; what it pointed at stays
    REPOSITORY@DIGEST   deletes a manifest and every tag that points at it
    REPOSITORY          deletes all of it

    A manifest that an index needs is not deleted. Room on the disk is only free when
    'flask oci gc' has run after the grace period.
    """
    with told():
        name, reference = split_image(image)
        repository = services().administration.find(name)
        question, done = _announce(repository, reference)
    if not yes:
        click.confirm(question, abort=True, err=True)
    with told():
        if reference is None:
            services().administration.delete(name)
        else:
            services().content.delete(repository, parse_reference(reference), Actor())
    click.echo(done)


def _announce(repository: RepositoryInfo, reference: str | None) -> tuple[str, str]:
    """Return what to ask before it is done, and what to say after it."""
    name = repository.name
    if reference is None:
        key = repository.key
        figures = services().catalog.repository_list.figures([key])[key]
        return (
            f"Delete {name} with {figures.tags} tags and {readable(figures.bytes)}?",
            f"Deleted {name}.",
        )
    found = details(repository, reference)
    if ":" not in reference:
        return (
            f"Take the tag {reference} away? {found['digest']} stays in {name}.",
            f"{name} has no tag {reference} any more.",
        )
    named = f" and its tags {', '.join(found['tags'])}" if found["tags"] else ""
    return (
        f"Delete {reference}{named} from {name}?",
        f"Deleted {reference}{named} from {name}.",
    )
