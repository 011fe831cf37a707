"""Checks of a host's setup, and the remedies for the problems they find.

The first checks inspect the application from inside: settings, database, and storage
folder or object stores. The next ones send it a client's requests without a server, and
then through its public address. A problem that only shows at the address is caused by
the proxy or the server in front of the application.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from flask import url_for

from . import accounts
from . import buckets
from . import disk
from . import downloads
from . import login
from . import nodes
from . import pages
from . import publishers
from . import pulling
from . import pushing
from . import requests
from . import robots
from . import settings
from . import tables
from . import tls
from . import trust
from . import upstreams
from . import work
from .finding import Finding
from .finding import PLACES
from .finding import Report
from .finding import SEVERITIES
from .findings import finding_types
from .findings import login as login_findings
from .findings import requests as requests_findings
from .findings import settings as settings_findings
from .findings import tables as tables_findings
from .http_transport import HttpTransport
from .sandbox import new_name
from .sandbox import open_sandbox
from .sandbox import Sandbox
from .session import Session
from .target import Target
from .transport import Unreachable
from .wsgi_transport import WsgiTransport

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

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

#: The size of the layers that are pushed to the application itself, and through the
#: public address, in bytes.
INSIDE: t.Final = 1024 * 1024
OUTSIDE: t.Final = 16 * 1024 * 1024

#: Findings that make all further checks fail.
BLOCKING: t.Final = (
    settings_findings.KEY_MISSING,
    tables_findings.DATABASE_UNREACHABLE,
    tables_findings.TABLES_MISSING,
)


def check(
    target: Target,
    *,
    cafile: str | None = None,
    progress: Callable[[str], object] = lambda _: None,
) -> Report:
    """Check an application, within an application context.

    :param cafile: the trusted certificates for HTTPS; None uses the system's.
    :param progress: called with a description of each step before it starts.
    """
    report = Report()
    progress("the settings")
    report.add(settings.check(target))
    progress(_stores(target))
    report.add(disk.check(target))
    report.add(buckets.check(target))
    report.add(downloads.check(target))
    progress("the database")
    report.add(tables.check(target))
    if any(found.type in BLOCKING for found in report.findings):
        report.skipped.append("All other checks: they need these problems to be fixed.")
        return report
    report.add(accounts.check(target))
    report.add(settings.check_policy(target))
    report.add(settings.check_cache(target))
    report.add(work.check(target))
    report.add(nodes.check(target))
    report.add(upstreams.check(target))
    report.add(trust.check(target))
    report.add(robots.check(target))
    report.add(publishers.check(target))
    with open_sandbox(target) as sandbox:
        progress("the application")
        _check_application(report, target, sandbox)
        if target.url is not None:
            progress(target.url)
            _check_address(report, target, sandbox, HttpTransport(target.url, cafile))
    _add_skipped(report, target)
    return report


def _stores(target: Target) -> str:
    """Return the places of the blobs that the check inspects."""
    storage = target.parts.storage
    folder = ["the storage folder"] if storage.store is None else []
    return ", ".join([*folder, *(f"the object store {s}" for s in storage.stores())])


def _check_application(report: Report, target: Target, sandbox: Sandbox) -> None:
    url = target.url or target.parts.config.external_url or _own_url(target)
    application = WsgiTransport(target.app, url)
    session = _session(target, application, sandbox, INSIDE)
    _check_session(report, session)
    if target.user is not None:
        no_credentials = Sandbox(target.repository)
        anonymous = Session(target, application, no_credentials, INSIDE)
        report.add(_or_fails(login.check(anonymous)))
    report.add(_or_fails(_check_https_redirect(target, url)))
    report.add(_or_fails(requests.check_rate_limit(session)))
    if session.has_registry:
        report.add(pages.check(target, url, session.skipped))
    report.skipped += session.skipped


def _own_url(target: Target) -> str:
    """Return the URL of the registry: the host's, if the application routes by host."""
    with target.app.test_request_context():
        parts = urlsplit(url_for(f"{target.parts.blueprint}.support", _external=True))
    return f"https://{parts.netloc or 'localhost'}"


def _check_https_redirect(target: Target, url: str) -> Iterator[Finding]:
    """Check that the application accepts plain HTTP from a proxy."""
    plain = WsgiTransport(target.app, f"http://{urlsplit(url).netloc}")
    headers = {"X-Forwarded-Proto": "https"}
    reply = plain.ask("GET", "/v2/", headers)
    if reply.is_redirect or reply.status == 403:
        yield requests_findings.HTTPS_FORCED.found(
            f"A request of a proxy is answered {reply.summary}."
        )


def _check_address(
    report: Report, target: Target, sandbox: Sandbox, address: HttpTransport
) -> None:
    sandbox.stored = None
    try:
        report.add(tls.check(address), address.name)
    except Unreachable:
        report.skipped.append(f"All checks through {address.name}: it is unreachable.")
        return
    session = _session(target, address, sandbox, OUTSIDE)
    _check_session(report, session)
    if session.size < OUTSIDE:
        report.skipped.append(
            f"Layers of more than {session.size} bytes: OCI_MAX_BLOB_SIZE forbids them."
        )


def _session(
    target: Target, transport: Transport, sandbox: Sandbox, size: int
) -> Session:
    """Return a session with layers of ``size`` bytes, or the largest allowed."""
    limit = target.parts.config.max_blob_size
    return Session(target, transport, sandbox, min(size, limit or size))


def _check_session(report: Report, session: Session) -> None:
    """Sign in, send requests, push and pull, as far as each step succeeds."""
    url = session.transport.name
    report.add(_or_fails(login.check(session)), url)
    if session.bearer is None:
        place = url or "the application"
        report.skipped.append(f"Requests with a token to {place}: no token was issued.")
    if not session.has_registry:
        return
    report.add(_or_fails(requests.check(session)), url)
    if requests_findings.METHODS_BLOCKED in [found.type for found in report.findings]:
        report.skipped.append("Pushing and pulling: the methods are blocked.")
    elif session.may_push and session.bearer is not None:
        report.add(_or_fails(pushing.check(session)), url)
        report.add(_or_fails(pulling.check(session)), url)


def _or_fails(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield findings, and one more if a request gets no response."""
    try:
        yield from findings
    except Unreachable as error:
        yield login_findings.FAILS.found(f"{error}.")


def _add_skipped(report: Report, target: Target) -> None:
    if target.user is None:
        report.skipped.append(
            "Pushing and pulling: name a user with --user. The check deletes what it"
            " pushes."
        )
    if target.url is None:
        report.skipped.append(
            "The proxy and the server: give the public address with --url."
        )
