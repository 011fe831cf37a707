"""``flask oci copy`` and ``mirror``: copy images between registries."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..services import services
from ..transfer.copying import JOBS
from ..transfer.worker_pool import MAX_WORKERS
from . import output
from .common import CommandT
from .common import error_messages
from .common import printable
from .common import user_or_none
from .digests import whole_image
from .transfers import BY
from .transfers import fields_of
from .transfers import JSON
from .transfers import PLATFORM
from .transfers import progress_bar
from .transfers import REFERRERS
from .transfers import report

JOBS_OPTION = click.option(
    "--jobs",
    type=click.IntRange(1, MAX_WORKERS),
    default=JOBS,
    show_default=True,
    help="The number of parallel transfers.",
)
PLAIN_HTTP = click.option(
    "--plain-http",
    "plain",
    metavar="HOST[:PORT]",
    multiple=True,
    help="Connect to this host without TLS. The default for this machine.",
)
TOKEN_HOST = click.option(
    "--token-host",
    "token_hosts",
    metavar="HOST[:PORT]",
    multiple=True,
    help="Send the credentials to a token service on this host, if a registry names"
    " it. Can be repeated.",
)


def between_registries(command: CommandT) -> CommandT:
    """Add the options of copies between registries."""
    for option in (JSON, BY, TOKEN_HOST, PLAIN_HTTP, JOBS_OPTION, REFERRERS, PLATFORM):
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
    token_hosts: tuple[str, ...],
    by: str | None,
    as_json: bool,
) -> None:
    """Copy an image from SOURCE to TARGET, byte for byte.

    Each has the form [HOST/]NAME[:TAG|@DIGEST]; without a host, it is in this
    registry. For images of Docker Hub, use the host 'docker.io'. The default tag of
    SOURCE is 'latest', and the default tag of TARGET is that of SOURCE. The DIGEST
    of an image in this registry may be its first digits. The command uses the
    credentials of 'docker login HOST'.

    Content that the target already has is not sent again. If both are in one registry,
    no content is sent.
    """
    with error_messages(), progress_bar("Copying", as_json) as progress:
        result = services().images.copy(
            whole_image(source, remote=True),
            target,
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain,
            token_hosts=token_hosts,
            by=user_or_none(by),
            progress=progress,
        )
    report(result, _repository(target), as_json)


@click.command()
@with_appcontext
@click.argument("source")
@click.argument("target")
@click.option(
    "--tag",
    "tags",
    metavar="PATTERN",
    multiple=True,
    help="Copy matching tags, such as '1.*'; by default all. Can be repeated.",
)
@click.option(
    "--exclude",
    metavar="PATTERN",
    multiple=True,
    help="Exclude matching tags. Can be repeated.",
)
@click.option(
    "--newest",
    type=click.IntRange(min=1),
    metavar="N",
    help="Copy the N most recently built of these. Reads the config of each.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be copied.")
@between_registries
def mirror(
    source: str,
    target: str,
    tags: tuple[str, ...],
    exclude: tuple[str, ...],
    newest: int | None,
    platforms: tuple[str, ...],
    referrers: bool,
    jobs: int,
    plain: tuple[str, ...],
    token_hosts: tuple[str, ...],
    dry_run: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Copy the missing and changed tags of a repository.

    The command copies the tags of SOURCE that are missing or different in TARGET.
    Nothing is deleted from TARGET.

    Each has the form [HOST/]NAME. The command copies several tags in parallel. If a tag
    cannot be copied, the command prints the reason, copies the other tags and exits
    with status 1. Run it again to copy the rest.
    """
    with error_messages(), progress_bar("Mirroring", as_json) as progress:
        result = services().images.mirror(
            source,
            target,
            tags=tags,
            exclude=exclude,
            newest=newest,
            platforms=platforms,
            referrers=referrers,
            jobs=jobs,
            plain_http_hosts=plain,
            token_hosts=token_hosts,
            dry_run=dry_run,
            by=user_or_none(by),
            progress=progress,
        )
    if as_json:
        output.as_json({**fields_of(result, target), "failed": result.failed})
    else:
        report(result, target, False)
    for tag, reason in result.failed.items():
        click.echo(printable(f"{tag}: {reason}"), err=True)
    if result.failed:
        raise click.exceptions.Exit(1)


def _repository(image: str) -> str:
    """Return the repository of an image, without tag and digest."""
    front = image.partition("@")[0]
    name, colon, tag = front.rpartition(":")
    return name if colon and "/" not in tag else front
