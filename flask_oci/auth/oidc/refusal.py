"""The refusal of an identity token."""

from __future__ import annotations


class IdentityRefused(Exception):
    """An identity token is not accepted.

    :param reason: sentences for the user, with the problem and the action. They contain
        no part of a token whose signature was not verified.
    :param code: the problem in one word, for the audit log.
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class IssuerUnavailable(IdentityRefused):
    """The keys of an issuer cannot be read now; the client may try again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "issuer-unavailable")
