"""Findings about the public address: certificate, clock and server."""

from __future__ import annotations

from ..finding import FindingType

_CHAIN = """\
ssl_certificate     /etc/ssl/forge/fullchain.pem;
ssl_certificate_key /etc/ssl/forge/key.pem;"""

UNREACHABLE = FindingType(
    "unreachable",
    "error",
    "No server responds at the address.",
    "docker prints: connection refused, no such host, or EOF.",
    {"command": "curl -v https://forge.example.org/v2/"},
)

CERTIFICATE_NAME = FindingType(
    "certificate-name",
    "error",
    "The certificate is for another host.",
    "docker prints: x509: certificate is valid for …, not …",
    {
        "nginx": _CHAIN,
        "command": (
            "openssl s_client -connect forge.example.org:443"
            " -servername forge.example.org"
        ),
    },
)

CERTIFICATE_EXPIRED = FindingType(
    "certificate-expired",
    "error",
    "The certificate has expired.",
    "docker prints: x509: certificate has expired or is not yet valid.",
    {"command": "certbot renew"},
)

CERTIFICATE_UNTRUSTED = FindingType(
    "certificate-untrusted",
    "error",
    "The certificate is not signed by a trusted authority.",
    "docker prints: x509: certificate signed by unknown authority. Either the server"
    " does not send the intermediate certificates, which browsers can often do without;"
    " or the authority is your own, and every docker client needs its certificate.",
    {
        "nginx": f"{_CHAIN}  # Including the intermediate certificates.",
        "apache": "SSLCertificateFile /etc/ssl/forge/fullchain.pem",
        "command": (
            "mkdir -p /etc/docker/certs.d/forge.example.org\n"
            "cp ca.pem /etc/docker/certs.d/forge.example.org/ca.crt\n"
            "flask oci check --cafile ca.pem --url https://forge.example.org"
        ),
    },
)

CERTIFICATE_ENDS = FindingType(
    "certificate-ends-soon",
    "warning",
    "The certificate expires soon.",
    "After that, docker refuses to connect to the registry.",
    {"command": "certbot renew"},
)

PLAIN_HTTP = FindingType(
    "plain-http",
    "error",
    "The address does not use HTTPS.",
    "docker refuses to connect unless each machine is configured to allow it, and"
    " passwords can be read on the network.",
    {
        "nginx": f"listen 443 ssl;\n{_CHAIN}",
        "caddy": (
            "forge.example.org {  # Gets a certificate automatically.\n"
            "    reverse_proxy 127.0.0.1:8000\n"
            "}"
        ),
    },
)

DEVELOPMENT = FindingType(
    "development-server",
    "warning",
    "The application runs on the development server.",
    "Werkzeug's documentation says that it is not designed to be secure, stable or"
    " efficient.",
    {"command": "gunicorn --worker-class gthread --threads 8 'forge:create_app()'"},
)

CLOCKS_DIFFER = FindingType(
    "clocks-differ",
    "warning",
    "The clocks of the server and of this machine differ.",
    "Tokens contain the time at which they were issued. If several machines serve the"
    " registry, one can reject a token that another has just signed.",
    {"command": "timedatectl set-ntp true"},
)
