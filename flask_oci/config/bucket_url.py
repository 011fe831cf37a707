"""The address of a bucket: ``s3://bucket/prefix`` or
``azure://account/container/prefix``, with options as query parameters."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

#: The options of each kind of store.
OPTIONS: t.Final = {
    "s3": frozenset(
        {"endpoint", "public_endpoint", "region", "path_style", "profile", "timeout"}
    ),
    "azure": frozenset({"endpoint", "public_endpoint", "timeout"}),
}

#: The keys of ``OCI_STORAGE_CREDENTIALS``.
CREDENTIALS: t.Final = frozenset(
    {"access_key", "secret_key", "token", "account_key", "sas_token"}
)

_ENDPOINTS: t.Final = {
    "endpoint": "an endpoint",
    "public_endpoint": "a public_endpoint",
}
_ENDPOINT: t.Final = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?", re.ASCII)

#: The methods that an object needs to be a bucket.
BUCKET: t.Final = ("put", "create", "part", "complete", "abort", "head", "get")

#: The methods that an object needs to be a storage.
STORAGE: t.Final = ("start_upload", "open_upload", "open", "size", "identity")


@dataclass(frozen=True)
class BucketUrl:
    """The address of a bucket."""

    scheme: str
    bucket: str
    """The bucket, or the container of Azure."""

    prefix: str
    """The beginning of every key, empty or with a slash at its end."""

    options: Mapping[str, str]
    account: str = ""
    """The account of Azure; empty for S3."""

    @property
    def text(self) -> str:
        """The address without its options."""
        path = "/".join(filter(None, (self.account, self.bucket, self.prefix)))
        return f"{self.scheme}://{path}".rstrip("/")


def storage(value: object) -> object:
    """Return the value of ``OCI_STORAGE``: None, a path, a :class:`BucketUrl` or an
    object of the host."""
    if value is None:
        return None
    if isinstance(value, str) and "://" in value:
        return _parse(value)
    if isinstance(value, str | os.PathLike):
        if not os.fspath(value):
            raise ValueError("must be a path, or an address such as s3://bucket/prefix")
        return os.path.abspath(os.fspath(value))
    for methods in (BUCKET, STORAGE):
        if all(callable(getattr(value, name, None)) for name in methods):
            return value
    raise ValueError(
        "must be a path, an address such as s3://bucket/prefix, or an object with the"
        " methods of flask_oci.storage.Storage or flask_oci.storage.buckets.Bucket"
    )


def others(value: object) -> tuple[tuple[object, dict[str, str]], ...]:
    """Return the value of ``OCI_STORAGE_ALSO``: each store with its credentials, which
    are empty if it has those of ``OCI_STORAGE``."""
    if isinstance(value, Mapping):
        pairs = [(store, credentials(keys)) for store, keys in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [(store, {}) for store in value]
    else:
        raise ValueError("must be a list of stores, or a dict of their credentials")
    found = [(storage(store), keys) for store, keys in pairs]
    if any(store is None or isinstance(store, str) for store, _ in found):
        raise ValueError(
            "must have addresses such as s3://bucket/prefix; the folder of"
            " OCI_STORAGE_PATH is always read"
        )
    return tuple(found)


def is_bucket(value: object) -> bool:
    """Return True if an object of the host has the methods of a bucket."""
    return all(callable(getattr(value, name, None)) for name in BUCKET)


def credentials(value: object) -> dict[str, str]:
    """Return the value of ``OCI_STORAGE_CREDENTIALS``."""
    if not isinstance(value, Mapping) or not all(
        key in CREDENTIALS and isinstance(value[key], str) and value[key]
        for key in value
    ):
        raise ValueError(
            f"must be a dict of texts with some of the keys {_listed(CREDENTIALS)}"
        )
    found = dict(value)
    if ("access_key" in found) != ("secret_key" in found):
        raise ValueError("must have both access_key and secret_key, or neither")
    return found


def _parse(value: str) -> BucketUrl:
    parts = urlsplit(value)
    if parts.scheme not in OPTIONS:
        raise ValueError("must be a path, or begin with s3:// or azure://")
    if "@" in parts.netloc:
        raise ValueError(
            "must not contain credentials; set OCI_STORAGE_CREDENTIALS, or the"
            " environment variables of the store"
        )
    path = [name for name in parts.path.split("/") if name]
    account, bucket = "", parts.netloc
    if parts.scheme == "azure":
        account, bucket = parts.netloc, path.pop(0) if path else ""
    if not re.fullmatch(r"[A-Za-z0-9._$-]+", bucket) or "." in (account or ""):
        form = "azure://account/container" if account else f"{parts.scheme}://bucket"
        raise ValueError(f"must name a bucket: {form}, and a prefix if you want one")
    prefix = "".join(f"{name}/" for name in path)
    if ".." in path or "." in path or parts.fragment:
        raise ValueError("must have a prefix without '.', '..' and '#'")
    return BucketUrl(
        parts.scheme, bucket, prefix, _options(parts.scheme, parts.query), account
    )


def _options(scheme: str, query: str) -> dict[str, str]:
    found = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(found.keys() - OPTIONS[scheme]):
        raise ValueError(
            f"has the unknown option {unknown[0]!r}; use {_listed(OPTIONS[scheme])}"
        )
    for name, form in _ENDPOINTS.items():
        if not re.fullmatch(_ENDPOINT, found.get(name, "https://default")):
            raise ValueError(f"must have {form} such as https://s3.example.com")
    if found.get("path_style", "true") not in ("true", "false"):
        raise ValueError("must have path_style=true or path_style=false")
    if not re.fullmatch(r"[1-9][0-9]?|[12][0-9]{2}|300", found.get("timeout", "1")):
        raise ValueError("must have a timeout of 1 to 300 seconds, such as timeout=30")
    return found


def _listed(names: t.Iterable[str]) -> str:
    return ", ".join(sorted(names))
