"""Opening the storage of a configuration."""

from __future__ import annotations

import typing as t

from ...config import ConfigError
from ...config.bucket_url import BucketUrl
from ...config.bucket_url import is_bucket
from ..combined import CombinedStorage
from ..local import LocalStorage
from ..place import nginx_name
from .storage import BucketStorage

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ...config import Config
    from ..protocol import Storage
    from .protocol import Bucket
    from .state import UploadRecords


def open_storage(config: Config, records: UploadRecords) -> Storage:
    """Return the storage of a configuration.

    :param records: keeps the state of upload sessions in a bucket.
    :raises ConfigError: if the client of the store is not installed, or two stores have
        the same name.
    """
    local = LocalStorage(config.storage_path, config.storage_reserve)
    default = _open(config.storage, config.storage_credentials, records, local)
    others = [
        _open(value, keys or config.storage_credentials, records, local)
        for value, keys in config.storage_also
    ]
    if not others:
        return default
    names = [name for each in (default, *others) for name in each.stores()]
    if len(set(names)) < len(names):
        raise ConfigError(
            "OCI_STORAGE and OCI_STORAGE_ALSO name a store twice. The names are:"
            f" {', '.join(names)}."
        )
    if config.accel_redirect and len(set(map(nginx_name, names))) < len(names):
        raise ConfigError(
            "OCI_ACCEL_REDIRECT cannot tell the stores apart, because their names"
            f" differ only in punctuation: {', '.join(names)}."
        )
    return t.cast("Storage", CombinedStorage(default, others))


def _open(
    value: object,
    credentials: Mapping[str, str],
    records: UploadRecords,
    local: LocalStorage,
) -> Storage:
    """Return the storage of one value of the configuration."""
    if value is None or isinstance(value, str):
        return local
    if isinstance(value, BucketUrl):
        return BucketStorage(open_bucket(value, credentials), records, local)
    if is_bucket(value):
        return BucketStorage(t.cast("Bucket", value), records, local)
    return t.cast("Storage", value)


def open_bucket(url: BucketUrl, credentials: Mapping[str, str]) -> Bucket:
    """Return the bucket of an address. The first call of a method connects.

    :param url: the address, as the configuration has it.
    :param credentials: the keys of the configuration, which may be empty.
    :raises ConfigError: if the client of the store is not installed.
    """
    try:
        if url.scheme == "azure":
            from .azure import AzureBucket

            return AzureBucket(url, credentials)
        from .s3 import S3Bucket

        return S3Bucket(url, credentials)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("azure", "botocore"):
            raise
        raise ConfigError(
            f"OCI_STORAGE = {url.text!r} needs the client of that store:"
            f" pip install flask-oci[{url.scheme}]"
        ) from None
