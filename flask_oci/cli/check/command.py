"""``flask oci check``: what is wrong with this setup, and what to do about it."""

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

from ...auth.policy import is_active
from ...services import services
from ...spec.reference import is_name
from .. import output
from ..common import printable
from ..common import told
from ..common import user_or_none
from . import check as look
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
        raise click.BadParameter("such as https://forge.example.org")
    if parts.path.strip("/") or parts.query:
        raise click.BadParameter(
            "docker asks at the root of a host: leave the path out"
        )
    return f"{parts.scheme}://{parts.netloc}"


@click.command()
@with_appcontext
@click.option(
    "--url",
    metavar="URL",
    callback=_url,
    help="The address that clients use, such as https://forge.example.org.",
)
@click.option("--user", "username", metavar="NAME", help="Whom to push and pull as.")
@click.option(
    "--repository",
    "below",
    metavar="PATH",
    help="Below which name they may push; their own name by default.",
)
@click.option(
    "--cafile",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificates to believe, in the place of the system's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def check(
    url: str | None,
    username: str | None,
    below: str | None,
    cafile: str | None,
    as_json: bool,
) -> None:
    """Find out what is wrong with this setup, and say what to do about it.

    The settings, the database and the storage folder are looked at first, and the
    application is asked as docker would ask it. With --url, the same is asked through
    the public address: what is only found there is something in front of the
    application, such as a proxy.

    With --user, layers are pushed and pulled, for which no password is needed: the
    check makes itself an access token for a repository of its own, both of which are
    gone at the end. Run it as the user, and with the environment, that the server has.

    The exit status is 0 when nothing is wrong, 1 when something is, and 2 when that
    could not be found out. Notes are no fault.
    """
    with told(), _interruptible():
        subject = _subject(url, username, below)
        progress = _be_silent if as_json else _tell
        report = look(subject, cafile=cafile, progress=progress)
    if as_json:
        fields = [finding.as_fields() for finding in report.findings]
        output.as_json({"findings": fields, "passed_over": report.passed_over})
    else:
        _show(report)
    if not report.is_clean:
        raise click.exceptions.Exit(1)


def _subject(url: str | None, username: str | None, below: str | None) -> Target:
    user = user_or_none(username)
    if not is_active(user):
        raise click.UsageError(f"{username} may not log in: the account is off.")
    parts = services()
    namespace = below or (username or "flask-oci-check").lower()
    name = new_name(namespace)
    if not is_name(name):
        raise click.UsageError(
            f"{namespace} cannot begin an image's name; say with --repository below"
            " which name to push."
        )
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return Target(app, parts, user, name, url)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have what ends the process end it as the keyboard does: what has been pushed is
    taken back on the way out."""
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


def _tell(what: str) -> None:
    click.echo(f"Looking at {what} …", err=True)


def _be_silent(_what: str) -> None:
    """Tell nobody, for a program reads the rest."""


def _show(report: Report) -> None:
    for severity, meaning in SEVERITIES.items():
        found = [f for f in report.findings if f.type.severity == severity]
        if found:
            click.secho(f"\n{severity.upper()}S: {meaning}", bold=True)
        for finding in found:
            _show_one(finding)
    if not report.findings:
        click.echo("\nNothing is wrong.")
    if report.passed_over:
        click.echo("\nNot looked at:")
    for sentence in report.passed_over:
        click.echo(_filled(sentence, "  - ", "    "))


def _show_one(finding: Finding) -> None:
    type_ = finding.type
    where = f" (at {finding.where})" if finding.where else ""
    click.echo(f"\n{type_.code}{where}")
    for text in (f"{type_.title} {finding.what}", type_.why):
        click.echo(_filled(printable(text), "  ", "  "))
    for place, lines in type_.remedies.items():
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
