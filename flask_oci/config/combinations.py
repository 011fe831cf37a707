"""Settings that depend on each other."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from .bucket_url import BucketUrl
from .reading import ConfigError

#: The location of nginx that sends blobs, unless ``OCI_ACCEL_REDIRECT`` names another.
NGINX_LOCATION: t.Final = "/_oci_blobs"

#: nginx decodes the path of an address and encodes it again. The result has the same
#: signature if nothing in it is encoded.
_PLAIN_PATH: t.Final = re.compile(r"[A-Za-z0-9._~/-]*")


def complete(found: dict[str, t.Any], *, has_folder: bool) -> None:
    """Derive the settings that follow from others.

    :param found: the value of each field.
    :param has_folder: whether ``OCI_STORAGE_PATH`` is set.
    :raises ConfigError: if settings contradict each other.
    """
    _share_folder(found, has_folder)
    _select_downloads(found)


def _share_folder(found: dict[str, t.Any], has_folder: bool) -> None:
    """Take the folder of ``OCI_STORAGE``, if it is a path, as that of the blobs."""
    folder = found["storage"]
    if not isinstance(folder, str):
        return
    if has_folder and folder != found["storage_path"]:
        raise ConfigError(
            "OCI_STORAGE and OCI_STORAGE_PATH name different folders; set one of them."
        )
    found["storage_path"] = folder


def _select_downloads(found: dict[str, t.Any]) -> None:
    mode = found["downloads"]
    if mode == "nginx" and found["accel_redirect"] is None:
        found["accel_redirect"] = NGINX_LOCATION
    if mode == "stream" and found["accel_redirect"] is not None:
        raise ConfigError(
            "OCI_DOWNLOADS = 'stream' and OCI_ACCEL_REDIRECT contradict each other;"
            " unset one of them."
        )
    stores = [found["storage"], *(store for store, _ in found["storage_also"])]
    if mode == "redirect" and all(s is None or isinstance(s, str) for s in stores):
        raise ConfigError(
            "OCI_DOWNLOADS = 'redirect' needs an object store, because clients cannot"
            " read the storage folder; set OCI_STORAGE, or use 'nginx'."
        )
    if found["accel_redirect"] is not None:
        for store in stores:
            _check_path(store)


def _check_path(store: object) -> None:
    if not isinstance(store, BucketUrl):
        return
    endpoint = urlsplit(store.options.get("endpoint", ""))
    if not _PLAIN_PATH.fullmatch(endpoint.path + store.prefix):
        raise ConfigError(
            f"OCI_ACCEL_REDIRECT cannot be used with {store.text!r}: use only letters,"
            " digits, '.', '_', '~' and '-' in the prefix and in the path of the"
            " endpoint."
        )
