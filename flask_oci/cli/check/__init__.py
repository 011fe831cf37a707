"""Finds out what is wrong with a host's setup, and says what to do about it.

First the application is looked at from inside: its settings, its database, its disk.
Then it is asked as a client would ask, without a server; and then through its public
address, with all that is in front of it. What an application does by itself is told as
such, and what is new at the address is the proxy's.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from flask import url_for

from . import disk
from . import login
from . import pulling
from . import pushing
from . import requests
from . import settings
from . import tables
from . import tls
from .address import Address
from .application import Application
from .finding import Finding
from .finding import PLACES
from .finding import Report
from .finding import SEVERITIES
from .findings import finding_types
from .findings import login as login_findings
from .findings import requests as requests_findings
from .findings import settings as settings_findings
from .findings import tables as tables_findings
from .sandbox import new_name
from .sandbox import rehearse
from .sandbox import Sandbox
from .session import Session
from .target import Target
from .transport import Unreachable

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from flask import Flask

    from .transport import Transport

__all__ = [
    "PLACES",
    "SEVERITIES",
    "Finding",
    "Report",
    "Target",
    "check",
    "finding_types",
    "new_name",
]

#: How many bytes the layers have, that are pushed for a try: into the application
#: itself, and through what is in front of it.
INSIDE: t.Final = 1024 * 1024
OUTSIDE: t.Final = 16 * 1024 * 1024

#: Findings without whose remedy there is nothing more to find.
NEEDED_FIRST: t.Final = (
    settings_findings.KEY_MISSING,
    tables_findings.DATABASE_SILENT,
    tables_findings.TABLES_MISSING,
)


def check(
    subject: Target,
    *,
    cafile: str | None = None,
    progress: Callable[[str], object] = lambda _: None,
) -> Report:
    """Look at an application, within a context of it.

    :param cafile: the certificates to believe, for an address of https; None takes
        the system's.
    :param progress: called with what is going to be looked at.
    """
    report = Report()
    progress("the settings")
    report.add(settings.look(subject))
    progress("the storage folder")
    report.add(disk.look(subject))
    progress("the database")
    report.add(tables.look(subject))
    if any(found.type in NEEDED_FIRST for found in report.findings):
        report.passed_over.append("Everything else, since nothing works without that.")
        return report
    report.add(settings.ask_policy(subject))
    with rehearse(subject) as rehearsal:
        progress("the application")
        _inside(report, subject, rehearsal)
        if subject.url is not None:
            progress(subject.url)
            _outside(report, subject, rehearsal, Address(subject.url, cafile))
    _tell_what_was_not(report, subject)
    return report


def _inside(report: Report, subject: Target, rehearsal: Sandbox) -> None:
    url = subject.url or subject.parts.config.external_url or _own_url(subject.app)
    application = Application(subject.app, url)
    visit = _visit(subject, application, rehearsal, INSIDE)
    _walk(report, visit)
    if subject.user is not None:
        stranger = Session(subject, application, Sandbox(subject.repository), INSIDE)
        report.add(_or_fails(login.look(stranger)))
    report.add(_or_fails(_forced(subject, url)))
    report.add(_or_fails(requests.hurry(visit)))
    report.passed_over += visit.passed_over


def _own_url(app: Flask) -> str:
    """Return an address by which the application knows its registry: one of its hosts,
    where it tells them apart."""
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    ours = sorted(e for e in endpoints if f".{e}".endswith(".oci.support"))
    with app.test_request_context():
        parts = urlsplit(url_for(ours[0], _external=True) if ours else "")
    return f"https://{parts.netloc or 'localhost'}"


def _forced(subject: Target, url: str) -> Iterator[Finding]:
    """See whether the application sends a proxy away, which speaks plain HTTP."""
    plain = Application(subject.app, f"http://{urlsplit(url).netloc}")
    headers = {"X-Forwarded-Proto": "https"}
    reply = plain.ask("GET", "/v2/", headers)
    if reply.is_redirect or reply.status == 403:
        yield requests_findings.HTTPS_FORCED.found(
            f"A proxy's request is answered {reply.summary}."
        )


def _outside(
    report: Report, subject: Target, rehearsal: Sandbox, address: Address
) -> None:
    rehearsal.stored = None
    try:
        report.add(tls.knock(address), address.name)
    except Unreachable:
        report.passed_over.append(f"Everything behind {address.name}.")
        return
    visit = _visit(subject, address, rehearsal, OUTSIDE)
    _walk(report, visit)
    if visit.size < OUTSIDE:
        report.passed_over.append(
            f"Layers of more than {visit.size} bytes: OCI_MAX_BLOB_SIZE allows none."
        )


def _visit(
    subject: Target, transport: Transport, rehearsal: Sandbox, size: int
) -> Session:
    """Go with a layer that is as large as it should be, and as it may be."""
    most = subject.parts.config.max_blob_size
    return Session(subject, transport, rehearsal, min(size, most or size))


def _walk(report: Report, visit: Session) -> None:
    """Come in, look around, push and pull; as far as one gets."""
    where = visit.transport.name
    report.add(_or_fails(login.look(visit)), where)
    if visit.bearer is None:
        whose = where or "the application"
        report.passed_over.append(f"Requests with a token to {whose}: there is none.")
    if not visit.entered:
        return
    report.add(_or_fails(requests.look(visit)), where)
    if requests_findings.METHODS_BLOCKED in [
        finding.type for finding in report.findings
    ]:
        report.passed_over.append("Pushing and pulling, since requests are blocked.")
    elif visit.pushes and visit.bearer is not None:
        report.add(_or_fails(pushing.look(visit)), where)
        report.add(_or_fails(pulling.look(visit)), where)


def _or_fails(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Turn an answer that does not come into a finding."""
    try:
        yield from findings
    except Unreachable as error:
        yield login_findings.FAILS.found(f"{error}.")


def _tell_what_was_not(report: Report, subject: Target) -> None:
    if subject.user is None:
        report.passed_over.append(
            "Pushing and pulling: say as whom with --user. Nothing of it is left"
            " behind."
        )
    if subject.url is None:
        report.passed_over.append(
            "What is in front of the application: say where it is with --url."
        )
