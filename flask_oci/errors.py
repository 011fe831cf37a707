"""Errors of the registry: one class for each code in spec.md, "Error Codes".

"A `4XX` response code from the registry MAY return a body in any format. If the
response body is in JSON format, it MUST have the following format":
:meth:`RegistryError.get_body` writes that format. The docstring of each class is its
row in the specification's table.
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

#: The key of the WSGI environment with the statuses of the registry's own errors. A
#: request that the application refuses has none. It is a list, because Werkzeug copies
#: the environment.
ANSWERED: t.Final = "flask_oci.answered"

#: The maximum length of a detail in characters. Details repeat input of the client.
MAX_DETAIL: t.Final = 512


class RegistryError(HTTPException):
    """An error that the registry answers with as JSON.

    :param message: a sentence for the user of the client, with the problem and the
        action. None is the default of the class.
    :param detail: the value that caused the error, as text.
    :param status: the HTTP status. None is the default of the class.
    :param headers: additional headers of the response.
    """

    # With None, Flask treats the error as a finished response. With a number, the
    # host's error handler for that number would answer docker with HTML.
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

    def __repr__(self) -> str:
        # Werkzeug's shows the code, which is None, and no message.
        return f"<{type(self).__name__} {self.status}: {self.message}>"

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
        """Return the body: ``{"errors": [{"code", "message", "detail"}]}``."""
        return json.dumps({"errors": [self._entry(d) for d in self.details]})

    def get_response(  # type: ignore[override]
        self,
        environ: WSGIEnvironment | None = None,
        scope: dict[str, t.Any] | None = None,
    ) -> Response:
        """Return the response for this error, and record its status in the request."""
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
    message = "This repository has no blob with that digest; push it first."


class BlobUploadInvalid(RegistryError):
    """``BLOB_UPLOAD_INVALID``: blob upload invalid."""

    error_code = "BLOB_UPLOAD_INVALID"
    status = 400
    message = "This request does not continue the upload; get its status and resume."


class BlobUploadUnknown(RegistryError):
    """``BLOB_UPLOAD_UNKNOWN``: blob upload unknown to registry."""

    error_code = "BLOB_UPLOAD_UNKNOWN"
    status = 404
    message = "This upload session does not exist; start a new one with POST."


class DigestInvalid(RegistryError):
    """``DIGEST_INVALID``: provided digest did not match uploaded content."""

    error_code = "DIGEST_INVALID"
    status = 400
    message = "The digest does not match the received content; send it again."


class Unavailable(RegistryError):
    """``UNAVAILABLE``: the disk or the database does not answer, and the client may try
    again. The specification has no such code: its table covers only ``4XX``."""

    error_code = "UNAVAILABLE"
    status = 503
    message = "The registry cannot do this now; try again in a minute."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": "60"})


class StorageForeign(Unavailable):
    """``UNAVAILABLE``: the storage does not belong to the database.

    :param problem: a sentence for the operator.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The registry cannot do this now. {problem} Ask its operator to run"
            " 'flask oci check'."
        )
        self.problem = problem


class CollectionRunning(Unavailable):
    """``UNAVAILABLE``: another process collects garbage now."""

    message = (
        "Another process is collecting garbage. Wait until it has finished, and try"
        " again."
    )

    def __init__(self) -> None:
        super().__init__(self.message)


class SchemaOutdated(Unavailable):
    """``UNAVAILABLE``: the database lacks tables or columns of this version.

    :param missing: the names of the missing tables and columns, for the operator.
    """

    message = (
        "The registry's database tables are outdated; its operator has to upgrade them."
    )

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(self.message)
        self.remedy = (
            f"The database lacks {', '.join(missing)}, which this version of flask-oci"
            " needs. 'flask oci tables --create' creates missing tables. Missing"
            " columns need a migration: with Flask-Migrate, run 'flask db migrate' and"
            " 'flask db upgrade'. See the page 'Upgrading' of the documentation."
        )


class ManifestBlobUnknown(RegistryError):
    """``MANIFEST_BLOB_UNKNOWN``: manifest references a manifest or blob unknown
    to registry.

    :param digests: the missing digests. The response has one error for each.
    """

    error_code = "MANIFEST_BLOB_UNKNOWN"
    status = 400
    message = (
        "The manifest references content that this repository does not have;"
        " push that content first."
    )

    def __init__(self, digests: Iterable[str]) -> None:
        super().__init__()
        self.details = list(digests)


class ManifestInvalid(RegistryError):
    """``MANIFEST_INVALID``: manifest invalid."""

    error_code = "MANIFEST_INVALID"
    status = 400
    message = "The manifest is invalid."


class ManifestUnknown(RegistryError):
    """``MANIFEST_UNKNOWN``: manifest unknown to registry."""

    error_code = "MANIFEST_UNKNOWN"
    status = 404
    message = "This repository has no manifest with that tag or digest."


class NameInvalid(RegistryError):
    """``NAME_INVALID``: invalid repository name."""

    error_code = "NAME_INVALID"
    status = 400
    message = (
        "A repository name consists of lower-case letters and digits, separated by '.',"
        " '_', '__', dashes or '/', and has at most 255 characters."
    )


class NameUnknown(RegistryError):
    """``NAME_UNKNOWN``: repository name not known to registry."""

    error_code = "NAME_UNKNOWN"
    status = 404
    message = "There is no repository with that name that you may see."


class SizeInvalid(RegistryError):
    """``SIZE_INVALID``: provided length did not match content length."""

    error_code = "SIZE_INVALID"
    status = 400
    message = "The length does not match the received content; send it again."


class Unauthorized(RegistryError):
    """``UNAUTHORIZED``: authentication required."""

    error_code = "UNAUTHORIZED"
    status = 401
    message = "Authentication is required; use 'docker login'."


class UserDeleted(Unauthorized):
    """``UNAUTHORIZED``: the user was deleted, or the credentials were revoked, while
    the request ran."""

    message = "This user no longer exists, or the login was revoked; log in again."


class Denied(RegistryError):
    """``DENIED``: requested access to the resource is denied."""

    error_code = "DENIED"
    status = 403
    message = "You do not have permission to do this in that repository; ask its owner."


class Unsupported(RegistryError):
    """``UNSUPPORTED``: the operation is unsupported."""

    error_code = "UNSUPPORTED"
    status = 405
    message = "The registry does not support this operation."


class TooManyRequests(RegistryError):
    """``TOOMANYREQUESTS``: too many requests."""

    error_code = "TOOMANYREQUESTS"
    status = 429
    message = "Too many requests; wait a moment and try again."
