"""What a registry answers, and how a test is told that it was something else."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

#: pytest shows the line of the test that failed, and none of these.
__tracebackhide__ = True

#: "A `4XX` response code [...] MUST be one of the following" (spec.md, "Error
#: Codes").
ERROR_CODES: t.Final = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "DENIED",
        "UNSUPPORTED",
        "TOOMANYREQUESTS",
    }
)


class Refused(AssertionError):
    """The registry did not do what a test relies on.

    :param response: what it answered.
    :param who: sent the request.
    """

    def __init__(self, response: TestResponse, who: str = "somebody") -> None:
        super().__init__(f"{_request(response)} as {who}: {_told(response)}")
        self.response = response
        """The answer."""

        self.status: int = response.status_code
        """Its status."""

        self.code: str | None = _code(response)
        """The code of its error, such as ``DENIED``; None, if it has none."""


def expect(
    response: TestResponse, *statuses: int, who: str = "somebody"
) -> TestResponse:
    """Return an answer that has one of some statuses.

    :param who: sent the request.
    :raises Refused: when it has another.
    """
    if response.status_code not in statuses:
        raise Refused(response, who)
    return response


def refusal(response: TestResponse) -> tuple[int, str]:
    """Return the status and the code of an error, which must be well-formed."""
    entries = errors(response)
    codes = {entry["code"] for entry in entries}
    if len(codes) != 1:
        raise AssertionError(f"{_request(response)} got several codes: {entries}")
    return response.status_code, codes.pop()


def errors(response: TestResponse) -> list[dict[str, str]]:
    """Return the entries of an error in the form that spec.md demands.

    :raises AssertionError: when it is none, or has another form.
    """
    if not 400 <= response.status_code < 600:
        raise AssertionError(f"{_request(response)} was answered {response.status}")
    if response.content_type != "application/json":
        raise AssertionError(
            f"{_request(response)} got an error that is {response.content_type} and"
            f" not JSON, which no client can read: {response.data[:500]!r}"
        )
    entries = _entries(response)
    codes = ERROR_CODES if response.status_code < 500 else None
    if not entries or not all(_is_error(entry, codes) for entry in entries):
        raise AssertionError(
            f"{_request(response)} got a malformed error: {response.data[:500]!r}"
        )
    return entries


def _is_error(entry: dict[str, str], codes: t.Collection[str] | None) -> bool:
    return (
        {"code", "message"} <= set(entry) <= {"code", "message", "detail"}
        and all(isinstance(value, str) for value in entry.values())
        and bool(entry["message"])
        and (codes is None or entry["code"] in codes)
    )


def _request(response: TestResponse) -> str:
    return f"{response.request.method} {response.request.path}"


def _code(response: TestResponse) -> str | None:
    entries = _entries(response)
    return entries[0].get("code") if entries else None


def _told(response: TestResponse) -> str:
    told = [
        f"{entry.get('code')}: {entry.get('message')}" for entry in _entries(response)
    ]
    return "\n  ".join([response.status, *(told or [response.text[:500]])]).rstrip()


def _entries(response: TestResponse) -> list[dict[str, str]]:
    match response.get_json(silent=True):
        case {"errors": [*entries], **others} if not others:
            return entries if all(isinstance(e, dict) for e in entries) else []
    return []
