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

#: The classes of objects that cannot be read until they are restored.
_ARCHIVES: t.Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def inspect(client: t.Any, anonymous: t.Any, bucket: str, key: str) -> Inspection:
    """Return the setup of a bucket.

    :param client: a client of botocore.
    :param anonymous: a client without credentials.
    :param key: the key of an existing object.
    """
    found = _lifecycle(client, bucket)
    rules = None if found is None else [rule for rule in found if _applies(rule, key)]
    return Inspection(
        is_public=_is_public(anonymous, bucket, key),
        keeps_versions=_keeps_versions(client, bucket, rules or []),
        aborts_uploads=None if rules is None else _has(rules, _ABORT),
        removes_blobs=[_name(r) for r in found or () if _removes(r, key)],
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


def _lifecycle(client: t.Any, bucket: str) -> list[dict[str, t.Any]] | None:
    """Return the enabled lifecycle rules, or None if the store does not say."""
    try:
        found = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        return [] if code == "NoSuchLifecycleConfiguration" else None
    except BotoCoreError:
        return None
    return [rule for rule in found.get("Rules", ()) if rule.get("Status") == "Enabled"]


def _applies(rule: dict[str, t.Any], key: str) -> bool:
    """Return True if a rule selects all blobs.

    :param key: the key of an object with the same prefix.
    """
    selected = rule.get("Filter") or {}
    # A rule for tags or sizes leaves other objects out.
    prefix = selected.get("Prefix", rule.get("Prefix", "" if not selected else None))
    return prefix is not None and _blobs(key).startswith(prefix)


def _removes(rule: dict[str, t.Any], key: str) -> bool:
    """Return True if a rule deletes or archives some blobs.

    :param key: the key of an object with the same prefix.
    """
    selected = rule.get("Filter") or {}
    both = selected.get("And", {})
    if "Tag" in selected or both.get("Tags"):
        # The objects of the registry have no tags.
        return False
    prefix = selected.get("Prefix", both.get("Prefix", rule.get("Prefix", "")))
    blobs = _blobs(key)
    if not blobs.startswith(prefix) and not prefix.startswith(blobs):
        return False
    expiration = rule.get("Expiration", {})
    classes = {each.get("StorageClass") for each in rule.get("Transitions", ())}
    return bool({"Days", "Date"} & set(expiration) or classes & _ARCHIVES)


def _blobs(key: str) -> str:
    """Return the prefix of all blobs.

    :param key: the key of an object with the same prefix.
    """
    return f"{key.rpartition('/')[0]}/data/".lstrip("/")


def _name(rule: dict[str, t.Any]) -> str:
    return str(rule.get("ID") or "a rule without a name")


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
