"""Errors, as spec.md's section "Error Codes" has them.

"A `4XX` response code from the registry MAY return a body in any format. If
the response body is in JSON format, it MUST have the following format", which
is what :meth:`RegistryError.get_body` writes. Each class below is one row of
the table of codes; its docstring is that row.
"""

from __future__ import annotations

import json
import typing as t
from http import HTTPStatus

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping
    from collections.abc import Sequence

    from _typeshed.wsgi import WSGIEnvironment

#: The key of the WSGI environment with a list of the registry's own errors: a request
#: that the application refuses adds none. A list, because Werkzeug copies the mapping.
ANSWERED: t.Final = "flask_oci.answered"

#: Longer details are cut, because they echo what the client sent.
MAX_DETAIL: t.Final = 512


class RegistryError(HTTPException):
    """What went wrong, in the registry's own JSON.

    :param message: a sentence for the person at the other end, saying what to
        do; the class has a default.
    :param detail: the value the error is about, as text.
    :param status: the HTTP status, where it differs from the class's own.
    :param headers: headers the answer needs beside its body.
    """

    # The class keeps Werkzeug's ``code`` at None so that Flask passes it on
    # as a finished response. With a number here, the host's own handler for
    # that number would win and answer docker in HTML.
    code: int | None = None

    error_code: t.ClassVar[str] = "UNKNOWN"
    status: int = 500
    message: str = "The registry could not answer this request."

    def __init__(
        self,
        message: str | None = None,
        *,
        detail: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message
        self.details: list[str | None] = [detail]
        self.status = status or self.status
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return self.message

    @property
    def name(self) -> str:
        """The reason phrase of the status line."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Unknown Error"

    def get_body(
        self,
        environ: WSGIEnvironment | None = None,
        scope: dict[str, t.Any] | None = None,
    ) -> str:
        """Write ``{"errors": [{"code", "message", "detail"}]}``."""
        return json.dumps({"errors": [self._entry(d) for d in self.details]})

    def get_response(  # type: ignore[override]
        self,
        environ: WSGIEnvironment | None = None,
        scope: dict[str, t.Any] | None = None,
    ) -> Response:
        """Return the response that carries this error, and mark its request with
        :data:`ANSWERED`."""
        if environ is not None:
            environ.get(ANSWERED, []).append(self.status)
        return Response(
            self.get_body(),
            self.status,
            self.headers,
            content_type="application/json",
        )

    def _entry(self, detail: str | None) -> dict[str, str]:
        entry = {"code": self.error_code, "message": self.message}
        if detail is not None:
            entry["detail"] = detail[:MAX_DETAIL]
        return entry


class BlobUnknown(RegistryError):
    """``BLOB_UNKNOWN``: blob unknown to registry."""

    error_code = "BLOB_UNKNOWN"
    status = 404
    message = "This repository has no blob of that digest; push it first."


class BlobUploadInvalid(RegistryError):
    """``BLOB_UPLOAD_INVALID``: blob upload invalid."""

    error_code = "BLOB_UPLOAD_INVALID"
    status = 400
    message = "The upload could not go on as asked; ask for its status and resume."


class BlobUploadUnknown(RegistryError):
    """``BLOB_UPLOAD_UNKNOWN``: blob upload unknown to registry."""

    error_code = "BLOB_UPLOAD_UNKNOWN"
    status = 404
    message = "There is no such upload session here; start a new one with POST."


class DigestInvalid(RegistryError):
    """``DIGEST_INVALID``: provided digest did not match uploaded content."""

    error_code = "DIGEST_INVALID"
    status = 400
    message = "The digest given does not match the content received; send it again."


class Unavailable(RegistryError):
    """Not in the specification's table, which is about ``4XX``: the disk or the
    database does not answer, and a client may try again."""

    error_code = "UNAVAILABLE"
    status = 503
    message = "The registry cannot do this now; try again in a minute."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": "60"})


class SchemaOutdated(Unavailable):
    """The same, where the database lacks tables or columns of this version.

    :param missing: which, for whoever runs the registry.
    """

    message = (
        "The registry's tables are not those of its version; the people who run it have"
        " to upgrade them."
    )

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(self.message)
        self.remedy = (
            f"The database lacks {', '.join(missing)}, which this version of flask-oci"
            " needs. With Flask-Migrate, run 'flask db migrate' and 'flask db upgrade';"
            " without, db.create_all() makes tables that are not there. The page"
            " 'Upgrading' of the documentation has the details."
        )


class ManifestBlobUnknown(RegistryError):
    """``MANIFEST_BLOB_UNKNOWN``: manifest references a manifest or blob unknown
    to registry.

    :param digests: what is missing; the answer has one error for each.
    """

    error_code = "MANIFEST_BLOB_UNKNOWN"
    status = 400
    message = (
        "The manifest references content that this repository does not hold;"
        " push that first."
    )

    def __init__(self, digests: Iterable[str]) -> None:
        super().__init__()
        self.details = list(digests)


class ManifestInvalid(RegistryError):
    """``MANIFEST_INVALID``: manifest invalid."""

    error_code = "MANIFEST_INVALID"
    status = 400
    message = "The manifest is not valid."


class ManifestUnknown(RegistryError):
    """``MANIFEST_UNKNOWN``: manifest unknown to registry."""

    error_code = "MANIFEST_UNKNOWN"
    status = 404
    message = "This repository has no manifest of that tag or digest."


class NameInvalid(RegistryError):
    """``NAME_INVALID``: invalid repository name."""

    error_code = "NAME_INVALID"
    status = 400
    message = (
        "A repository name has components of lower-case letters and digits,"
        " which may be joined by '.', '_', '__' or dashes, with '/' between the"
        " components, and at most 255 characters in all."
    )


class NameUnknown(RegistryError):
    """``NAME_UNKNOWN``: repository name not known to registry."""

    error_code = "NAME_UNKNOWN"
    status = 404
    message = "There is no repository of that name that you may see."


class SizeInvalid(RegistryError):
    """``SIZE_INVALID``: provided length did not match content length."""

    error_code = "SIZE_INVALID"
    status = 400
    message = "The length given does not match the content received; send it again."


class Unauthorized(RegistryError):
    """``UNAUTHORIZED``: authentication required."""

    error_code = "UNAUTHORIZED"
    status = 401
    message = "Authentication is required; use 'docker login'."


class Denied(RegistryError):
    """``DENIED``: requested access to the resource is denied."""

    error_code = "DENIED"
    status = 403
    message = "You may not do this to that repository; ask its owner."


class Unsupported(RegistryError):
    """``UNSUPPORTED``: the operation is unsupported."""

    error_code = "UNSUPPORTED"
    status = 405
    message = "The registry does not support this operation."


class TooManyRequests(RegistryError):
    """``TOOMANYREQUESTS``: too many requests."""

    error_code = "TOOMANYREQUESTS"
    status = 429
    message = "There were too many requests; wait a moment and try again."
