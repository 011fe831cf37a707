"""Failures of object stores: the log for operators, and the answer for clients."""

from __future__ import annotations

import logging
import typing as t

from ...errors import Unavailable

logger = logging.getLogger("flask_oci.storage")

#: The causes by the error codes of S3 and of Azure, each with the remedy for the log.
CAUSES: t.Final = {
    "wrong keys": frozenset(
        {
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "InvalidToken",
            "ExpiredToken",
            "AuthenticationFailed",
            "NoCredentialsError",
            "PartialCredentialsError",
            "ClientAuthenticationError",
            "InvalidAuthenticationInfo",
        }
    ),
    "no bucket": frozenset(
        {"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"}
    ),
    "no permission": frozenset(
        {
            "AccessDenied",
            "403",
            "AllAccessDisabled",
            "AuthorizationFailure",
            "AuthorizationPermissionMismatch",
            "InsufficientAccountPermissions",
            "MethodNotAllowed",
        }
    ),
    "clock": frozenset({"RequestTimeTooSkewed", "RequestExpired"}),
    "full": frozenset(
        {
            "QuotaExceeded",
            "QuotaExceededException",
            "XMinioAdminBucketQuotaExceeded",
            "XMinioStorageFull",
            "InsufficientCapacity",
            "AccountStorageQuotaExceeded",
        }
    ),
    "busy": frozenset({"SlowDown", "ServerBusy", "ServiceUnavailable", "RequestLimit"}),
}

#: The sentence for the operator by cause: the problem, then the action.
REMEDIES: t.Final = {
    "wrong keys": "The object store rejects the credentials. Check the keys of"
    " OCI_STORAGE.",
    "no bucket": "The bucket does not exist. Create it, or correct OCI_STORAGE.",
    "no permission": "The object store denies access. Let the credentials list the"
    " bucket, and read, write and delete its objects.",
    "clock": "The object store rejects the time of the request. Synchronize the clock"
    " of this machine.",
    "full": "The object store is full, or its quota is used up. Add space.",
    "busy": "The object store receives too many requests.",
    "": "The object store does not answer as it should.",
}


def cause_of(code: str) -> str:
    """Return the cause of an error code, or an empty string if it is unknown."""
    return next((cause for cause, codes in CAUSES.items() if code in codes), "")


def unavailable(bucket: str, operation: str, code: str, reason: object) -> Unavailable:
    """Log a failure, and return the error for the client.

    :param bucket: the name of the bucket.
    :param operation: the failed operation of the store.
    :param code: the error code of the store, or the name of an exception.
    :param reason: the message of the store, which only the log has.
    """
    remedy = REMEDIES[cause_of(code)]
    logger.error(
        "%s of %s failed: %s (%s: %s)", operation, bucket, remedy, code, reason
    )
    return StoreUnavailable(cause_of(code), remedy)


class StoreUnavailable(Unavailable):
    """``UNAVAILABLE``: the object store does not answer, or refuses.

    :param cause: a key of :data:`REMEDIES`.
    :param remedy: the problem and the action, for the operator.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(
            "The registry cannot do this now, because its object store does not accept"
            " the request. Try again later, or ask its operator."
        )
        self.cause = cause
        self.remedy = remedy
