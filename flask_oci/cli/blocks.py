"""``flask oci block``: digests that no client may pull or push."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..errors import ManifestUnknown
from ..rules.wording import plural
from ..services import services
from ..spec.digest import is_digest
from ..spec.reference import parse_reference
from ..spec.reference import split_image
from . import output
from .aliases import Group
from .common import error_messages
from .digests import short
from .digests import whole_image

if t.TYPE_CHECKING:
    from ..core.blocks import Block

CommandT = t.TypeVar("CommandT", bound=t.Callable[..., t.Any])


class Target(t.NamedTuple):
    """A digest and the scope of its block: a repository or a path."""

    digest: str
    repository: str | None
    path: str | None

    @property
    def scope(self) -> str:
        """The scope in words."""
        return self.repository or t.cast("str", self.path)


def target_arguments(command: CommandT) -> CommandT:
    """Add the argument IMAGE and the option --path."""
    for parameter in (
        click.option(
            "--path",
            metavar="PATH",
            help="Apply to a path, such as 'website/*', or '*' for all repositories.",
        ),
        click.argument("image", metavar="IMAGE"),
    ):
        command = parameter(command)
    return command


@click.group(cls=Group)
def block() -> None:
    """Block digests from being pulled or pushed.

    IMAGE is a repository with a tag or a digest, and the block applies to that
    repository. With --path, it applies to the repositories of the path, and IMAGE can
    also be a digest alone.
    """


@block.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_blocks(as_json: bool) -> None:
    """List the blocks."""
    with error_messages():
        found = services().blocks.list()
    if as_json:
        output.as_json([asdict(each) for each in found])
        return
    output.table(
        ("digest", "scope", "since", "by", "reason"),
        (
            (
                *(short(each.digest), each.repository or each.path),
                *(each.blocked_at, each.blocked_by or "-", _reason(each)),
            )
            for each in found
        ),
    )
    if not found:
        output.none_found("No digests are blocked.")


@block.command("add")
@with_appcontext
@target_arguments
@click.option(
    "--reason", required=True, metavar="TEXT", help="The reason, which clients print."
)
@click.option(
    "--no-children",
    is_flag=True,
    help="Block only an index itself, and not the images in it.",
)
def add_block(image: str, path: str | None, reason: str, no_children: bool) -> None:
    """Block an image or a blob.

    A block of an index applies to the images in it too.
    """
    with error_messages():
        target = _target(image, path)
        blocked = services().blocks.add(
            target.digest,
            repository=target.repository,
            path=target.path,
            reason=reason,
            children=not no_children,
        )
    more = f" and {plural(len(blocked) - 1, 'image')} in it" if blocked[1:] else ""
    click.echo(f"Blocked {target.digest}{more} in {target.scope}.")


@block.command("remove")
@with_appcontext
@target_arguments
def remove_block(image: str, path: str | None) -> None:
    """Remove the block of an image or a blob.

    Blocks of other scopes stay: see 'flask oci block list'.
    """
    with error_messages():
        target = _target(image, path)
        removed = services().blocks.remove(
            target.digest, repository=target.repository, path=target.path
        )
    if not removed:
        raise click.ClickException(
            f"There is no block of {target.digest} in {target.scope}."
        )
    click.echo(f"Removed the block of {target.digest} in {target.scope}.")


def _target(image: str, path: str | None) -> Target:
    if is_digest(image):
        if path is None:
            raise click.UsageError(
                "A digest alone needs --path, such as --path '*' for all repositories."
            )
        return Target(image, None, path)
    name, reference = split_image(whole_image(image))
    if reference is None:
        raise click.UsageError(f"Give a tag or a digest, such as {name}:latest.")
    digest = reference if is_digest(reference) else _digest_of(name, reference)
    return Target(digest, name if path is None else None, path)


def _digest_of(name: str, tag: str) -> str:
    repository = services().administration.find(name)
    found = services().catalog.manifests.find(
        repository.key, parse_reference(tag), content=False
    )
    if found is None:
        raise ManifestUnknown(detail=tag)
    return found.digest


def _reason(each: Block) -> str:
    part = f" (in {short(each.index_digest)})" if each.index_digest else ""
    return each.reason + part
