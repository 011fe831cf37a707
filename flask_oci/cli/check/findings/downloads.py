"""Findings about downloads that nginx or the object store sends."""

from __future__ import annotations

from ..finding import FindingType

_PUBLIC = (
    'OCI_STORAGE = "s3://forge-images?endpoint=http://10.0.0.7:9000'
    '&public_endpoint=https://store.example.com"'
)
_NGINX = 'OCI_DOWNLOADS = "nginx"'

UNSIGNED = FindingType(
    "store-signs-no-url",
    "warning",
    "The application sends the blobs of an object store, against OCI_DOWNLOADS.",
    "The store signs no URL, or its credentials cannot: Azure needs an account key, or"
    " an identity with the role Storage Blob Delegator for the account. A SAS token"
    " signs none. Each download occupies a thread of the application until it ends.",
    {
        "python": 'OCI_DOWNLOADS = "stream"',
        "command": (
            "az role assignment create --role 'Storage Blob Delegator' --assignee … "
            "--scope …"
        ),
    },
)

NOT_READ = FindingType(
    "nginx-store-unread",
    "warning",
    "nginx does not read the object store.",
    "It asks the application for each blob, because the store refuses or does not"
    " answer. Each download occupies a thread until it ends. The error log of nginx has"
    " the cause.",
    {
        "nginx": (
            "location /_oci_blobs/s3-forge-images/ {\n"
            "    internal;\n"
            "    proxy_pass https://store.example.com/;\n"
            "    proxy_pass_request_headers off;\n"
            "    …\n"
            "}"
        )
    },
)

REDIRECT_FAILS = FindingType(
    "redirect-fails",
    "error",
    "A client that follows a redirect to the object store gets no layer.",
    "docker pull fails. The store is not reachable from here, has another certificate,"
    " or refuses the signed URL: its address has to be that of public_endpoint, and its"
    " clock has to be right.",
    {"python": f"{_PUBLIC}\n# Or: {_NGINX}"},
)

REDIRECT_PRIVATE = FindingType(
    "redirect-private",
    "warning",
    "Clients are redirected to a private address.",
    "The registry has a public address, and its object store has none. Clients outside"
    " your network cannot pull.",
    {"python": f"{_PUBLIC}\n# Or: {_NGINX}"},
)

REDIRECT_PLAIN_HTTP = FindingType(
    "redirect-plain-http",
    "error",
    "Clients are redirected to an object store without TLS.",
    "The layers of private images, and the URLs that grant access to them, cross the"
    " network in the clear. Some clients refuse such a redirect.",
    {"python": f"{_PUBLIC}\n# Or: {_NGINX}"},
)

REDIRECT_SAME_HOST = FindingType(
    "redirect-same-host",
    "warning",
    "The object store has the host name of the registry, or one below it.",
    "regctl then sends its token to the store, and so do other programs. Most stores"
    " refuse a request with two authentications.",
    {"python": f"{_PUBLIC}\n# Or: {_NGINX}"},
)
