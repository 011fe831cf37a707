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
from .finding import kind
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

_CHAIN = """\
ssl_certificate     /etc/ssl/forge/fullchain.pem;
ssl_certificate_key /etc/ssl/forge/key.pem;"""

UNREACHABLE = kind(
    "unreachable",
    "error",
    "Nobody answers at the address.",
    "docker says: connection refused, no such host, or EOF.",
    command="curl -v https://forge.example.org/v2/",
)
CERTIFICATE_NAME = kind(
    "certificate-name",
    "error",
    "The certificate is for another host.",
    "docker says: x509: certificate is valid for …, not …",
    nginx=_CHAIN,
    command="openssl s_client -connect forge.example.org:443 -servername"
    " forge.example.org",
)
CERTIFICATE_EXPIRED = kind(
    "certificate-expired",
    "error",
    "The certificate has expired.",
    "docker says: x509: certificate has expired or is not yet valid.",
    command="certbot renew",
)
CERTIFICATE_UNTRUSTED = kind(
    "certificate-untrusted",
    "error",
    "The certificate is not signed by anybody who is known.",
    "docker says: x509: certificate signed by unknown authority. Either the server does"
    " not send the certificates in between, which browsers hide, or the authority is"
    " your own: then every docker needs its certificate.",
    nginx=f"{_CHAIN}  # With those in between.",
    apache="SSLCertificateFile /etc/ssl/forge/fullchain.pem",
    command="mkdir -p /etc/docker/certs.d/forge.example.org\ncp ca.pem"
    " /etc/docker/certs.d/forge.example.org/ca.crt\nflask oci check --cafile ca.pem"
    " --url https://forge.example.org",
)
CERTIFICATE_ENDS = kind(
    "certificate-ends-soon",
    "warning",
    "The certificate expires soon.",
    "From that moment on, docker talks to nobody here.",
    command="certbot renew",
)
PLAIN_HTTP = kind(
    "plain-http",
    "error",
    "The address is not https.",
    "docker refuses to talk to it, unless each machine is told otherwise; and passwords"
    " can be read on the way.",
    nginx=f"listen 443 ssl;\n{_CHAIN}",
    caddy="forge.example.org {  # Gets a certificate by itself.\n    reverse_proxy"
    " 127.0.0.1:8000\n}",
)
DEVELOPMENT = kind(
    "development-server",
    "warning",
    "The application runs on the development server.",
    "Its authors say that it was not made to be secure, stable or efficient.",
    command="gunicorn --worker-class gthread --threads 8 'forge:create_app()'",
)
CLOCKS_DIFFER = kind(
    "clocks-differ",
    "warning",
    "The server's clock is not ours.",
    "Tokens carry the time at which they were made. Where several machines serve, one"
    " refuses what another has just signed.",
    command="timedatectl set-ntp true",
)


def knock(address: Address) -> Iterator[Finding]:
    """See whether somebody answers, and who; to raise :exc:`Unreachable`, after the
    finding, where nothing more can be asked."""
    local = address.host.startswith(LOCAL)
    if not address.secure and not local:
        yield PLAIN_HTTP.found("docker wants https, but for localhost.")
    try:
        reply = address.ask("GET", "/v2/")
        ends = address.certificate_ends()
    except Unreachable as error:
        yield _unreachable(error)
        raise
    if ends is not None and ends - _now() < timedelta(days=SOON):
        yield CERTIFICATE_ENDS.found(f"It is good until {ends:%Y-%m-%d}.")
    if "werkzeug" in reply.headers.get("server", "").lower():
        yield DEVELOPMENT.found(f"It says that it is {reply.headers['server']}.")
    # Server and application may each have written one.
    dates = map(parse_date, DATE.findall(reply.headers.get("date", "")))
    for skew in [(date - _now()).total_seconds() for date in dates if date]:
        if abs(skew) > SKEW:
            yield CLOCKS_DIFFER.found(f"They differ by {skew:.0f} seconds.")


def _unreachable(error: Unreachable) -> Finding:
    cause = error.__cause__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return UNREACHABLE.found(f"{error}.")
    # The numbers are OpenSSL's X509_V_ERR_…
    known = {62: CERTIFICATE_NAME, 64: CERTIFICATE_NAME, 10: CERTIFICATE_EXPIRED}
    kind = known.get(cause.verify_code, CERTIFICATE_UNTRUSTED)
    return kind.found(f"{cause.verify_message}.")


def _now() -> datetime:
    return datetime.now(timezone.utc)
