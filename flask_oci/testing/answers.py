"""Checks of a registry's responses, and the errors for unexpected ones."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

#: Makes pytest show the failed line of the test instead of the lines here.
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
    """A request of a test got an unexpected response.

    :param response: the response.
    :param who: the client that sent the request.
    """

    def __init__(self, response: TestResponse, who: str = "a client") -> None:
        super().__init__(f"{_request(response)} as {who}: {_message(response)}")
        self.response = response
        """The response."""

        self.status: int = response.status_code
        """The status."""

        self.code: str | None = _code(response)
        """The code of the error, such as ``DENIED``, or None."""


def expect(
    response: TestResponse, *statuses: int, who: str = "a client"
) -> TestResponse:
    """Return a response after checking its status.

    :param who: the client that sent the request.
    :raises Refused: if the status is another.
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
    """Return the entries of an error in the format of spec.md.

    :raises AssertionError: if the response is no error, or has another format.
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


def _message(response: TestResponse) -> str:
    messages = [
        f"{entry.get('code')}: {entry.get('message')}" for entry in _entries(response)
    ]
    return "\n  ".join([response.status, *(messages or [response.text[:500]])]).rstrip()


def _entries(response: TestResponse) -> list[dict[str, str]]:
    match response.get_json(silent=True):
        case {"errors": [*entries], **others} if not others:
            return entries if all(isinstance(e, dict) for e in entries) else []
    return []
