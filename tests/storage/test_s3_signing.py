"""Signed URLs of S3, compared with those of botocore."""

from __future__ import annotations

import time
import typing as t
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import pytest

session: t.Any = pytest.importorskip("botocore.session")


@pytest.mark.parametrize(
    ("address", "style", "credentials", "host"),
    [
        (
            "s3://forge-images/pre fix?region=eu-central-1",
            "virtual",
            {"access_key": "A/KEY", "secret_key": "s/+cret", "token": "t+o/k=en"},
            "forge-images.s3.eu-central-1.amazonaws.com",
        ),
        (
            "s3://a?endpoint=http://10.0.0.7&public_endpoint=https://store.example.com",
            "path",
            {"access_key": "KEY", "secret_key": "secret"},
            "store.example.com",
        ),
    ],
)
def test_signature_is_that_of_botocore(
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    style: str,
    credentials: dict[str, str],
    host: str,
) -> None:
    """Keys, tokens and names with any character, and both forms of addresses."""
    from botocore.config import Config

    from flask_oci.config.bucket_url import storage
    from flask_oci.storage.buckets.opening import open_bucket

    url: t.Any = storage(address)
    client = session.Session().create_client(
        "s3",
        region_name=url.options.get("region", "us-east-1"),
        endpoint_url=url.options.get("public_endpoint"),
        aws_access_key_id=credentials["access_key"],
        aws_secret_access_key=credentials["secret_key"],
        aws_session_token=credentials.get("token"),
        config=Config(signature_version="s3v4", s3={"addressing_style": style}),
    )
    for key in ("data/3f/3f0a", "data/é+=&.~"):
        expected = client.generate_presigned_url(
            "get_object",
            {
                "Bucket": url.bucket,
                "Key": url.prefix + key,
                "ResponseContentType": "application/octet-stream",
                "ResponseContentDisposition": "attachment",
            },
            300,
        )
        fields = parse_qs(urlsplit(expected).query)
        now = time.strptime(fields["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ")
        with monkeypatch.context() as patch:
            patch.setattr(time, "gmtime", lambda now=now: now)
            found = open_bucket(url, credentials).sign(key, 300, is_public=True)
        assert found is not None
        assert parse_qs(urlsplit(found).query) == fields
        assert urlsplit(found)[:3] == urlsplit(expected)[:3]
        assert urlsplit(found).netloc == host
