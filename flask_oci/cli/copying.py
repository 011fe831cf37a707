"""``flask oci copy`` and ``mirror``: images from and to other registries."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..services import services
from ..transfer.copying import JOBS
from ..transfer.worker_pool import MOST
from . import output
from .common import CommandT
from .common import printable
from .common import told
from .common import user_or_none
from .transfers import BY
from .transfers import fields_of
from .transfers import JSON
from .transfers import PLATFORM
from .transfers import progress_bar
from .transfers import REFERRERS
from .transfers import report

HOW_MANY = click.option(
    "--jobs",
    type=click.IntRange(1, MOST),
    default=JOBS,
    show_default=True,
    help="How many to move at once.",
)
PLAIN = click.option(
    "--plain-http",
    "plain",
    metavar="HOST[:PORT]",
    multiple=True,
    help="Talk to this host without TLS. This machine is, without being named.",
)


def between_registries(command: CommandT) -> CommandT:
    """Give a command the options that say how images are copied."""
    for option in (JSON, BY, PLAIN, HOW_MANY, REFERRERS, PLATFORM):
        command = option(command)
    return command


@click.command()
@with_appcontext
@click.argument("source")
@click.argument("target")
@between_registries
def copy(
    source: str,
    target: str,
    platforms: tuple[str, ...],
    referrers: bool,
    jobs: int,
    plain: tuple[str, ...],
    by: str | None,
    as_json: bool,
) -> None:
    """Copy an image from SOURCE to TARGET, byte for byte.

    Each is [HOST/]NAME[:TAG|@DIGEST]; without a host, it is here. Docker Hub's images
    have 'docker.io/' before them. The tag is 'latest' where there is none, and that of
    SOURCE at a TARGET without one. 'docker login HOST' logs in, also for this command.

    What the target has already is not sent again. Where both are at one registry,
    nothing is sent at all.
    """
    with told(), progress_bar("Copying", as_json) as progress:
        moved = services().images.copy(
            source,
            target,
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain,
            by=user_or_none(by),
            progress=progress,
        )
    report(moved, _repository(target), as_json)


@click.command()
@with_appcontext
@click.argument("source")
@click.argument("target")
@click.option(
    "--tag",
    "tags",
    metavar="PATTERN",
    multiple=True,
    help="Copy tags like this, such as '1.*'. Can be repeated; all, without it.",
)
@click.option(
    "--without",
    metavar="PATTERN",
    multiple=True,
    help="Leave out tags like this. Can be repeated.",
)
@click.option(
    "--newest",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of these, copy the N that were made last. Each has to be looked into.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be copied.")
@between_registries
def mirror(
    source: str,
    target: str,
    tags: tuple[str, ...],
    without: tuple[str, ...],
    newest: int | None,
    platforms: tuple[str, ...],
    referrers: bool,
    jobs: int,
    plain: tuple[str, ...],
    dry_run: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Copy the tags of the repository SOURCE that TARGET does not have, or has
    elsewhere, several at once. Nothing is deleted at TARGET.

    Either is [HOST/]NAME. What cannot be copied is told of, and the exit status is 1;
    the others are there all the same. Type the command again for the rest.
    """
    with told(), progress_bar("Mirroring", as_json) as progress:
        done = services().images.mirror(
            source,
            target,
            tags=tags,
            exclude=without,
            newest=newest,
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain,
            dry_run=dry_run,
            by=user_or_none(by),
            progress=progress,
        )
    if as_json:
        output.as_json({**fields_of(done, target), "failed": done.failed})
    else:
        report(done, target, False)
    for tag, reason in done.failed.items():
        click.echo(printable(f"{tag}: {reason}"), err=True)
    if done.failed:
        raise click.exceptions.Exit(1)


def _repository(image: str) -> str:
    """Return an image without its tag."""
    front = image.partition("@")[0]
    name, colon, tag = front.rpartition(":")
    return name if colon and "/" not in tag else front
