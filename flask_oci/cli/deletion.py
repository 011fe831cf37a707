"""``flask oci delete``: tags, manifests and repositories."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..catalog import RepositoryInfo
from ..core.actor import Actor
from ..rules.quota import readable
from ..rules.wording import plural
from ..services import services
from ..spec.reference import parse_reference
from ..spec.reference import split_image
from .common import error_messages
from .digests import whole_image
from .image import details


@click.command()
@with_appcontext
@click.argument("image", metavar="REPOSITORY[:TAG|@DIGEST]")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--final",
    is_flag=True,
    help="Let 'flask oci gc' free the space of a manifest as soon as it may.",
)
def delete(image: str, yes: bool, final: bool) -> None:
    """Delete a tag, a manifest or a repository.

    \b
    REPOSITORY:TAG      deletes the tag, but not its manifest
    REPOSITORY@DIGEST   deletes the manifest and every tag that points to it; DIGEST
                        may be the first digits of a digest
    REPOSITORY          deletes the repository with all tags and manifests

    A manifest that an index needs is not deleted. 'flask oci restore' undoes the
    deletion of a tag, and for some time that of a manifest. The disk space is freed
    when 'flask oci gc' runs after that time and the grace period.
    """
    with error_messages():
        name, reference = split_image(whole_image(image))
        repository = services().administration.find(name)
        question, result = _messages(repository, reference)
    if not yes:
        click.confirm(question, abort=True, err=True)
    with error_messages():
        if reference is None:
            services().administration.delete(name)
        else:
            services().content.delete(
                repository, parse_reference(reference), Actor(), restorable=not final
            )
    click.echo(result)


def _messages(repository: RepositoryInfo, reference: str | None) -> tuple[str, str]:
    """Return the question before a deletion, and the message after it."""
    name = repository.name
    if reference is None:
        key = repository.key
        figures = services().catalog.repository_list.figures([key])[key]
        tags = plural(figures.tags, "tag")
        return (
            f"Delete {name} with {tags} and {readable(figures.bytes)}?",
            f"Deleted {name}.",
        )
    found = details(repository, reference)
    if ":" not in reference:
        return (
            f"Delete the tag {reference}, but not the manifest {found['digest']}?",
            f"Deleted the tag {reference} of {name}.",
        )
    label = "tag" if len(found["tags"]) == 1 else "tags"
    named = f" and its {label} {', '.join(found['tags'])}" if found["tags"] else ""
    return (
        f"Delete {reference}{named} from {name}?",
        f"Deleted {reference}{named} from {name}.",
    )
