"""Findings about the address itself: its certificate, its clock, its server."""

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

    from .address import Address

#: Below how many days somebody should see to a new certificate.
SOON: t.Final = 14

#: By how many seconds two clocks may differ.
SKEW: t.Final = 10

#: A moment in a header (RFC 9110, section 5.6.7).
DATE: t.Final = re.compile(r"\w+, \d+ \w+ \d+ [\d:]+ GMT", re.ASCII)

#: Hosts that docker talks to without TLS.
LOCAL: t.Final = ("localhost", "127.", "::1")


def knock(address: Address) -> Iterator[Finding]:
    """See whether somebody answers, and who; to raise :exc:`Unreachable`, after the
    finding, where nothing more can be asked."""
    local = address.host.startswith(LOCAL)
    if not address.secure and not local:
        yield findings.PLAIN_HTTP.found("docker wants https, but for localhost.")
    try:
        reply = address.ask("GET", "/v2/")
        ends = address.certificate_ends()
    except Unreachable as error:
        yield _unreachable(error)
        raise
    if ends is not None and ends - _now() < timedelta(days=SOON):
        yield findings.CERTIFICATE_ENDS.found(f"It is good until {ends:%Y-%m-%d}.")
    if "werkzeug" in reply.headers.get("server", "").lower():
        yield findings.DEVELOPMENT.found(
            f"It says that it is {reply.headers['server']}."
        )
    # Server and application may each have written one.
    dates = map(parse_date, DATE.findall(reply.headers.get("date", "")))
    for skew in [(date - _now()).total_seconds() for date in dates if date]:
        if abs(skew) > SKEW:
            yield findings.CLOCKS_DIFFER.found(f"They differ by {skew:.0f} seconds.")


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
