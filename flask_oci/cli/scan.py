"""``flask oci scan``: runs a scanner on images, and attaches the results."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import click
from flask.cli import with_appcontext

from ..operations.scanner import arguments
from ..operations.scanning import ScanRunner
from ..rules.wording import plural
from ..services import services
from . import output
from .common import error_messages
from .common import printable
from .common import report_failures
from .common import user_named
from .digests import short


@click.command()
@with_appcontext
@click.option(
    "--as", "username", required=True, help="The user or the robot that scans."
)
@click.option("--registry", required=True, metavar="HOST", help="As docker names it.")
@click.option("--repository", "names", multiple=True, help="Scan only this repository.")
@click.option(
    "--every", default=7, show_default=True, type=click.IntRange(1, 3650), help="Days."
)
@click.option(
    "--timeout", default=600, show_default=True, type=click.IntRange(1), help="Seconds."
)
@click.option("--limit", type=click.IntRange(1), help="Scan at most this many images.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.argument("command", nargs=-1, required=True)
def scan(
    username: str,
    registry: str,
    names: tuple[str, ...],
    every: int,
    timeout: int,
    limit: int | None,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Scan new images, and old ones again.

    COMMAND is a scanner that writes its results to the standard output: SARIF,
    CycloneDX with vulnerabilities, or the JSON of Trivy or Grype. {image} stands for
    the image.
    The results are attached to the image in the name of the user. Write '--' before the
    command.

    Several processes can run at once. The exit status is 3 if single images failed.
    """
    parts = services()
    with error_messages():
        arguments(command, {"image": "x", "digest": "x"})
        for name in names:
            parts.administration.find(name)
        by = parts.catalog.robots.by_login(username) or user_named(username)
        runner = ScanRunner(
            parts.catalog,
            parts.content,
            lambda found: parts.policy.is_allowed(by, "push", found),
            by=by,
            command=command,
            address=registry,
            timeout=timeout,
        )
        found = []
        for outcome in runner.run(names or None, timedelta(days=every), limit):
            found.append(outcome)
            if not as_json and not outcome.failed:
                line = f"{outcome.repository}@{short(outcome.digest)}: {outcome.text}"
                click.echo(printable(line))
    if as_json:
        output.as_json([asdict(each) for each in found])
    else:
        click.echo(f"Scanned {plural(sum(not o.failed for o in found), 'image')}.")
    report_failures(
        [
            f"{each.repository}@{short(each.digest)}: {each.text}"
            for each in found
            if each.failed
        ]
    )
