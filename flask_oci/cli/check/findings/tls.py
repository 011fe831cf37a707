"""Findings about the address."""

from __future__ import annotations

from ..finding import FindingType

_CHAIN = """\
ssl_certificate     /etc/ssl/forge/fullchain.pem;
ssl_certificate_key /etc/ssl/forge/key.pem;"""

UNREACHABLE = FindingType(
    "unreachable",
    "error",
    "Nobody answers at the address.",
    "docker says: connection refused, no such host, or EOF.",
    {
        "command": "curl -v https://forge.example.org/v2/",
    },
)

CERTIFICATE_NAME = FindingType(
    "certificate-name",
    "error",
    "The certificate is for another host.",
    "docker says: x509: certificate is valid for …, not …",
    {
        "nginx": _CHAIN,
        "command": "openssl s_client -connect forge.example.org:443 -servername"
        " forge.example.org",
    },
)

CERTIFICATE_EXPIRED = FindingType(
    "certificate-expired",
    "error",
    "The certificate has expired.",
    "docker says: x509: certificate has expired or is not yet valid.",
    {
        "command": "certbot renew",
    },
)

CERTIFICATE_UNTRUSTED = FindingType(
    "certificate-untrusted",
    "error",
    "The certificate is not signed by anybody who is known.",
    "docker says: x509: certificate signed by unknown authority. Either the server does"
    " not send the certificates in between, which browsers hide, or the authority is"
    " your own: then every docker needs its certificate.",
    {
        "nginx": f"{_CHAIN}  # With those in between.",
        "apache": "SSLCertificateFile /etc/ssl/forge/fullchain.pem",
        "command": "mkdir -p /etc/docker/certs.d/forge.example.org\ncp ca.pem"
        " /etc/docker/certs.d/forge.example.org/ca.crt\nflask oci check --cafile ca.pem"
        " --url https://forge.example.org",
    },
)

CERTIFICATE_ENDS = FindingType(
    "certificate-ends-soon",
    "warning",
    "The certificate expires soon.",
    "From that moment on, docker talks to nobody here.",
    {
        "command": "certbot renew",
    },
)

PLAIN_HTTP = FindingType(
    "plain-http",
    "error",
    "The address is not https.",
    "docker refuses to talk to it, unless each machine is told otherwise; and passwords"
    " can be read on the way.",
    {
        "nginx": f"listen 443 ssl;\n{_CHAIN}",
        "caddy": "forge.example.org {  # Gets a certificate by itself.\n    reverse_proxy"
        " 127.0.0.1:8000\n}",
    },
)

DEVELOPMENT = FindingType(
    "development-server",
    "warning",
    "The application runs on the development server.",
    "Its authors say that it was not made to be secure, stable or efficient.",
    {
        "command": "gunicorn --worker-class gthread --threads 8 'forge:create_app()'",
    },
)

CLOCKS_DIFFER = FindingType(
    "clocks-differ",
    "warning",
    "The server's clock is not ours.",
    "Tokens carry the time at which they were made. Where several machines serve, one"
    " refuses what another has just signed.",
    {
        "command": "timedatectl set-ntp true",
    },
)
