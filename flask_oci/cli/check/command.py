"""``flask oci check``: find problems of a setup, and their remedies."""

from __future__ import annotations

import signal
import textwrap
import threading
import typing as t
from contextlib import contextmanager
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext

from ...services import services
from ...spec.reference import is_name
from .. import output
from ..common import error_messages
from ..common import printable
from ..common import user_or_none
from . import check as run_checks
from . import new_name
from . import PLACES
from . import SEVERITIES
from . import Target

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Finding
    from . import Report

WIDTH: t.Final = 80


def _url(_context: object, _parameter: object, value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("use a URL such as https://forge.example.org")
    if parts.path.strip("/") or parts.query:
        raise click.BadParameter("docker uses the root of a host: remove the path")
    return f"{parts.scheme}://{parts.netloc}"


@click.command()
@with_appcontext
@click.option(
    "--url",
    metavar="URL",
    callback=_url,
    help="The address that clients use, such as https://forge.example.org.",
)
@click.option(
    "--user", "username", metavar="NAME", help="The user to push and pull as."
)
@click.option(
    "--repository",
    "namespace",
    metavar="PATH",
    help="A namespace that the user may push to; by default the user's name.",
)
@click.option(
    "--cafile",
    type=click.Path(exists=True, dir_okay=False),
    help="Trust these certificates instead of the system's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def check(
    url: str | None,
    username: str | None,
    namespace: str | None,
    cafile: str | None,
    as_json: bool,
) -> None:
    """Find problems of this setup, and print their remedies.

    The command checks the settings, the database and the storage folder, and sends the
    application the requests that docker sends. With --url, it also sends them through
    the public address. A problem that only shows there is caused by the proxy or the
    server in front of the application.

    With --user, the command pushes and pulls layers. It needs no password: it issues an
    access token for a repository of its own, and deletes both at the end. Run it as the
    operating system user, and in the environment, of the server.

    The exit status is 0 without errors and warnings, 1 with any, and 2 if the check
    failed.
    """
    with error_messages(), _interruptible():
        target = _target(url, username, namespace)
        progress = _print_nothing if as_json else _print_step
        report = run_checks(target, cafile=cafile, progress=progress)
    if as_json:
        fields = [finding.as_fields() for finding in report.findings]
        output.as_json({"findings": fields, "skipped": report.skipped})
    else:
        _print_report(report)
    if not report.is_clean:
        raise click.exceptions.Exit(1)


def _target(url: str | None, username: str | None, namespace: str | None) -> Target:
    user = user_or_none(username)
    if user is not None and not services().accounts.is_active(user):
        raise click.UsageError(f"{username} may not log in: the account is inactive.")
    parts = services()
    namespace = namespace or (username or "flask-oci-check").lower()
    name = new_name(namespace)
    if not is_name(name):
        raise click.UsageError(
            f"{namespace} is not a valid namespace. Name another one with --repository."
        )
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return Target(app, parts, user, name, url)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that the check deletes what it has pushed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> t.NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_step(step: str) -> None:
    click.echo(f"Checking {step} …", err=True)


def _print_nothing(_step: str) -> None:
    """Print no progress with --json."""


def _print_report(report: Report) -> None:
    for severity, meaning in SEVERITIES.items():
        found = [f for f in report.findings if f.type.severity == severity]
        if found:
            click.secho(f"\n{severity.upper()}S: {meaning}", bold=True)
        for finding in found:
            _print_finding(finding)
    if not report.findings:
        click.echo("\nNo problems found.")
    if report.skipped:
        click.echo("\nSkipped:")
    for sentence in report.skipped:
        click.echo(_filled(sentence, "  - ", "    "))


def _print_finding(finding: Finding) -> None:
    type_ = finding.type
    url = f" (at {finding.url})" if finding.url else ""
    click.echo(f"\n{type_.code}{url}")
    for text in (f"{type_.title} {finding.detail}", type_.why):
        click.echo(_filled(printable(text), "  ", "  "))
    for place, lines in finding.remedies.items():
        click.echo(f"  {PLACES[place]}:")
        click.echo(textwrap.indent(lines, " " * 6))


def _filled(text: str, first: str, others: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
