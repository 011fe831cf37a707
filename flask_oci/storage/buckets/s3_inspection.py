"""Inspections of S3 buckets."""

from __future__ import annotations

import time
import typing as t
from email.utils import parsedate_to_datetime

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from .inspection import Inspection


def inspect(client: t.Any, anonymous: t.Any, bucket: str, key: str) -> Inspection:
    """Return the setup of a bucket.

    :param client: a client of botocore.
    :param anonymous: a client without credentials.
    :param key: the key of an existing object.
    """
    return Inspection(
        is_public=_is_public(anonymous, bucket, key),
        keeps_versions=_keeps_versions(client, bucket),
        aborts_uploads=_aborts_uploads(client, bucket),
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


def _keeps_versions(client: t.Any, bucket: str) -> bool | None:
    try:
        found = client.get_bucket_versioning(Bucket=bucket)
    except (ClientError, BotoCoreError):
        return None
    return bool(found.get("Status") == "Enabled")


def _aborts_uploads(client: t.Any, bucket: str) -> bool | None:
    try:
        found = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        return False if code == "NoSuchLifecycleConfiguration" else None
    except BotoCoreError:
        return None
    return any(
        rule.get("Status") == "Enabled" and "AbortIncompleteMultipartUpload" in rule
        for rule in found.get("Rules", ())
    )


def _behind(client: t.Any, bucket: str) -> float | None:
    try:
        found = client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except (ClientError, BotoCoreError):
        return None
    date = found["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is None:
        return None
    return time.time() - parsedate_to_datetime(date).timestamp()
