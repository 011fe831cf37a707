"""The settings of a bucket: addresses, keys, and clients that are not installed."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.config import ConfigError
from flask_oci.testing import MemoryBucket
from tests.conftest import MakeApp
from tests.support.upkeep import Upkeep


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("", "must be a path"),
        ("gs://bucket", "must be a path, or begin with s3:// or azure://"),
        ("s3://", "must name a bucket"),
        ("azure://account", "must name a bucket: azure://account/container"),
        ("s3://key:secret@bucket", "must not contain credentials"),
        ("s3://bucket/../other", "must have a prefix without"),
        ("s3://bucket?zone=x", "has the unknown option 'zone'"),
        ("s3://bucket?endpoint=store:9000", "must have an endpoint such as https://"),
        ("s3://bucket?path_style=yes", "must have path_style=true"),
        ("s3://bucket?timeout=0", "must have a timeout of 1 to 300 seconds"),
        ("azure://a/b?timeout=301", "must have a timeout of 1 to 300 seconds"),
        (object(), "must be a path, an address such as s3://bucket/prefix, or an"),
    ],
)
def test_address_invalid_fails_at_start(
    make_app: MakeApp, value: object, sentence: str
) -> None:
    """The error names the key and the form. It does not repeat the value, which may
    have a password."""
    with pytest.raises(ConfigError) as error:
        make_app(OCI_STORAGE=value)
    assert str(error.value).startswith(f"OCI_STORAGE {sentence}")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "value", [{"access_key": "A"}, {"acces_key": "A"}, {"sas_token": 1}, "key"]
)
def test_credentials_invalid_fail_at_start(make_app: MakeApp, value: object) -> None:
    """A key alone, an unknown name and another type are errors."""
    with pytest.raises(ConfigError, match=r"^OCI_STORAGE_CREDENTIALS must"):
        make_app(OCI_STORAGE="s3://bucket", OCI_STORAGE_CREDENTIALS=value)


@pytest.mark.parametrize(
    ("address", "client", "extra"),
    [
        ("s3://bucket", "botocore", "flask-oci[s3]"),
        ("azure://a/bucket", "azure", "flask-oci[azure]"),
    ],
)
def test_address_without_its_client_names_the_extra(
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    client: str,
    extra: str,
) -> None:
    """The application does not start, instead of failing at the first push."""
    for name in list(sys.modules):
        if name.split(".")[0] == client or "storage.buckets." in name:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, client, None)
    with pytest.raises(ConfigError) as error:
        make_app(OCI_STORAGE=address)
    assert f"pip install {extra}" in str(error.value)


def test_path_is_that_of_the_folder(make_app: MakeApp, tmp_path: Path) -> None:
    """A path replaces OCI_STORAGE_PATH. Two different paths are an error."""
    app = make_app(OCI_STORAGE=tmp_path / "images")
    with pytest.raises(ConfigError, match="name different folders"):
        make_app(OCI_STORAGE=tmp_path / "images", OCI_STORAGE_PATH=tmp_path / "other")
    assert app.extensions["oci"].storage.name == str(tmp_path / "images")


class Broken(MemoryBucket):
    """A bucket that refuses to delete."""

    def delete_many(self, keys: t.Sequence[str]) -> None:
        """Fail as a store does."""
        from flask_oci.storage.buckets.failures import unavailable

        raise unavailable("memory", "DeleteObject", "AccessDenied", "no")


def test_check_examines_the_bucket(make_app: MakeApp) -> None:
    """A bucket that refuses an operation of a push or a collection is reported, with
    the remedy. The local disk is not examined."""
    works = _findings(make_app(OCI_STORAGE=MemoryBucket()))
    found = _findings(make_app(OCI_STORAGE=Broken()))

    assert not any(code.startswith(("bucket-", "storage-")) for code in works)
    assert "read, write and delete its objects" in found["bucket-unusable"]


def _findings(app: Flask) -> dict[str, str]:
    """Return the details of the findings by code."""
    result = Upkeep(app).run("check", "--json")
    return {f["code"]: f["detail"] for f in json.loads(result.stdout)["findings"]}
