"""Checks of the public address: certificate, clock and server."""

from __future__ import annotations

import re
import ssl
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone

from werkzeug.http import parse_date

from .finding import Finding
from .findings import tls as findings
from .transport import Unreachable

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .http_transport import HttpTransport

#: The remaining days of a certificate below which to warn.
MIN_DAYS: t.Final = 14

#: The largest accepted clock difference, in seconds.
MAX_SKEW: t.Final = 10

#: A date in a header (RFC 9110, section 5.6.7).
DATE: t.Final = re.compile(r"\w+, \d+ \w+ \d+ [\d:]+ GMT", re.ASCII)

#: Hosts that docker connects to without TLS.
LOCAL: t.Final = ("localhost", "127.", "::1")


def check(address: HttpTransport) -> Iterator[Finding]:
    """Check the certificate and the server of an address.

    :raises Unreachable: if there is no response, after the finding.
    """
    local = address.host.startswith(LOCAL)
    if not address.secure and not local:
        yield findings.PLAIN_HTTP.found(
            "docker requires HTTPS for all hosts except localhost."
        )
    try:
        reply = address.ask("GET", "/v2/")
        ends = address.certificate_ends()
    except Unreachable as error:
        yield _unreachable(error)
        raise
    if ends is not None and ends - _now() < timedelta(days=MIN_DAYS):
        yield findings.CERTIFICATE_ENDS.found(f"It expires on {ends:%Y-%m-%d}.")
    if "werkzeug" in reply.headers.get("server", "").lower():
        yield findings.DEVELOPMENT.found(
            f"The header Server is {reply.headers['server']}."
        )
    # The server and the application may both have sent a Date header.
    dates = map(parse_date, DATE.findall(reply.headers.get("date", "")))
    for skew in [(date - _now()).total_seconds() for date in dates if date]:
        if abs(skew) > MAX_SKEW:
            yield findings.CLOCKS_DIFFER.found(f"They differ by {skew:.0f} s.")


def _unreachable(error: Unreachable) -> Finding:
    cause = error.__cause__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return findings.UNREACHABLE.found(f"{error}.")
    # The numbers are OpenSSL's X509_V_ERR_…
    known = {
        62: findings.CERTIFICATE_NAME,
        64: findings.CERTIFICATE_NAME,
        10: findings.CERTIFICATE_EXPIRED,
    }
    found = known.get(cause.verify_code, findings.CERTIFICATE_UNTRUSTED)
    return found.found(f"{cause.verify_message}.")


def _now() -> datetime:
    return datetime.now(timezone.utc)
