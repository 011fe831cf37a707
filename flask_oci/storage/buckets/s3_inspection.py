"""Inspections of S3 buckets."""

from __future__ import annotations

import time
import typing as t
from email.utils import parsedate_to_datetime

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from .inspection import Inspection

_ABORT: t.Final = "AbortIncompleteMultipartUpload"
_EXPIRY: t.Final = "NoncurrentVersionExpiration"


def inspect(client: t.Any, anonymous: t.Any, bucket: str, key: str) -> Inspection:
    """Return the setup of a bucket.

    :param client: a client of botocore.
    :param anonymous: a client without credentials.
    :param key: the key of an existing object.
    """
    rules = _lifecycle(client, bucket, key)
    return Inspection(
        is_public=_is_public(anonymous, bucket, key),
        keeps_versions=_keeps_versions(client, bucket, rules or []),
        aborts_uploads=None if rules is None else _has(rules, _ABORT),
        behind=_behind(client, bucket),
    )


def _is_public(anonymous: t.Any, bucket: str, key: str) -> bool | None:
    try:
        anonymous.get_object(Bucket=bucket, Key=key)["Body"].close()
    except ClientError:
        return False
    except BotoCoreError:
        return None
    return True


def _keeps_versions(
    client: t.Any, bucket: str, rules: list[dict[str, t.Any]]
) -> bool | None:
    try:
        found = client.get_bucket_versioning(Bucket=bucket)
    except (ClientError, BotoCoreError):
        return None
    return found.get("Status") == "Enabled" and not _has(rules, _EXPIRY)


def _lifecycle(client: t.Any, bucket: str, key: str) -> list[dict[str, t.Any]] | None:
    """Return the enabled lifecycle rules for an object, or None if the store does not
    say."""
    try:
        found = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        return [] if code == "NoSuchLifecycleConfiguration" else None
    except BotoCoreError:
        return None
    return [rule for rule in found.get("Rules", ()) if _applies(rule, key)]


def _applies(rule: dict[str, t.Any], key: str) -> bool:
    """Return True if a rule is enabled, and selects all blobs.

    :param key: the key of an object with the same prefix.
    """
    selected = rule.get("Filter") or {}
    # A rule for tags or sizes leaves other objects out.
    prefix = selected.get("Prefix", rule.get("Prefix", "" if not selected else None))
    blobs = f"{key.rpartition('/')[0]}/data/".lstrip("/")
    is_enabled = rule.get("Status") == "Enabled"
    return is_enabled and prefix is not None and blobs.startswith(prefix)


def _has(rules: list[dict[str, t.Any]], action: str) -> bool:
    return any(action in rule for rule in rules)


def _behind(client: t.Any, bucket: str) -> float | None:
    try:
        found = client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except (ClientError, BotoCoreError):
        return None
    date = found["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is None:
        return None
    return time.time() - parsedate_to_datetime(date).timestamp()
