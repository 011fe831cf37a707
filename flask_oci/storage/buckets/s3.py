"""Buckets of S3 and compatible stores."""

from __future__ import annotations

import os
import threading
import typing as t
from contextlib import contextmanager
from functools import cached_property

from botocore import UNSIGNED
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError
from botocore.session import Session

from ..place import StoredObject
from .circuit_breaker import CircuitBreaker
from .failures import unavailable
from .inspection import Inspection
from .protocol import Body
from .protocol import Head
from .protocol import NoSuchUpload
from .protocol import Part
from .protocol import PART_SIZE
from .s3_client import make_client
from .s3_inspection import inspect
from .s3_signing import Signer

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from ...config.bucket_url import BucketUrl

#: Completing an upload can take minutes; a store then sends nothing or white space.
COMPLETION_TIMEOUT: t.Final = 300.0

_ABSENT: t.Final = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_UPLOAD: t.Final = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder"})


class S3Bucket:
    """A :class:`~flask_oci.storage.buckets.Bucket` of S3.

    :param url: the bucket and its options.
    :param credentials: ``access_key``, ``secret_key`` and ``token``; botocore searches
        for missing ones in the environment, in files and at the machine's provider.
    """

    def __init__(self, url: BucketUrl, credentials: Mapping[str, str]) -> None:
        self.name = url.text
        self.part_size = PART_SIZE
        self._url = url
        self._credentials = credentials
        self._prefix = url.prefix
        self._lock = threading.Lock()
        self._breaker = CircuitBreaker(url.text, url.options)
        self._clients: dict[tuple[int, float], t.Any] = {}
        self._signers: dict[bool, Signer] = {}

    def put(self, key: str, body: bytes | bytearray) -> None:
        """Write an object; see :class:`Bucket`."""
        with self._errors("PutObject"):
            client = self._client(self._breaker.timeout_of(body))
            client.put_object(**self._object(key), Body=body)

    def create(self, key: str) -> str:
        """Begin a multipart upload; see :class:`Bucket`."""
        with self._errors("CreateMultipartUpload"):
            made = self._client().create_multipart_upload(**self._object(key))
            return t.cast(str, made["UploadId"])

    def part(
        self, key: str, upload_id: str, number: int, body: bytes | bytearray
    ) -> Part:
        """Write a part; see :class:`Bucket`."""
        with self._errors("UploadPart"):
            client = self._client(self._breaker.timeout_of(body))
            made = client.upload_part(
                **self._object(key), UploadId=upload_id, PartNumber=number, Body=body
            )
            return Part(number, made["ETag"], len(body))

    def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Turn parts into an object; see :class:`Bucket`."""
        named = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        if self._breaker.is_open:
            # A short request tries whether the store answers.
            self.head(key)
        with self._errors("CompleteMultipartUpload"):
            # botocore repeats the request if the store fails within an answer of 200.
            self._client(COMPLETION_TIMEOUT).complete_multipart_upload(
                **self._object(key),
                UploadId=upload_id,
                MultipartUpload={"Parts": named},
            )

    def abort(self, key: str, upload_id: str) -> None:
        """Delete the parts of an upload; see :class:`Bucket`."""
        try:
            with self._errors("AbortMultipartUpload"):
                self._client().abort_multipart_upload(
                    **self._object(key), UploadId=upload_id
                )
        except (NoSuchUpload, FileNotFoundError):
            pass

    def head(self, key: str) -> Head | None:
        """Return the properties of an object; see :class:`Bucket`."""
        try:
            with self._errors("HeadObject"):
                found = self._client().head_object(**self._object(key))
        except FileNotFoundError:
            return None
        return Head(found["ContentLength"], found["LastModified"].timestamp())

    def get(self, key: str, start: int = 0, stop: int | None = None) -> Body:
        """Read an object; see :class:`Bucket`."""
        options = {}
        if start or stop is not None:
            last = "" if stop is None else stop - 1
            options["Range"] = f"bytes={start}-{last}"
        with self._errors("GetObject"):
            found = self._client().get_object(**self._object(key), **options)
        return _Body(self, found["Body"])

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete objects; see :class:`Bucket`."""
        # Stores disagree about the checksum that a request for several objects needs,
        # and Google has no such request.
        for key in keys:
            with self._errors("DeleteObject"):
                self._client().delete_object(**self._object(key))

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield objects by key; see :class:`Bucket`."""
        options = {"StartAfter": self._prefix + after} if after else {}
        with self._errors("ListObjectsV2"):
            pages = (
                self._client()
                .get_paginator("list_objects_v2")
                .paginate(
                    Bucket=self._url.bucket, Prefix=self._prefix + prefix, **options
                )
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    yield StoredObject(
                        found["Key"].removeprefix(self._prefix),
                        found["Size"],
                        found["LastModified"].timestamp(),
                    )

    def sign(self, key: str, seconds: int, *, is_public: bool = False) -> str:
        """Return the signed URL of an object; see :class:`Bucket`."""
        with self._translated("Sign"):
            signer = self._signers.get(is_public)
            if signer is None:
                signer = self._make_signer(is_public=is_public)
                self._signers[is_public] = signer
            return signer.sign(self._prefix + key, seconds)

    def inspect(self, key: str) -> Inspection:
        """Return the setup of the bucket; see :class:`Inspectable`."""
        anonymous = self._make_client(0, signature_version=UNSIGNED)
        name = self._url.bucket
        return inspect(self._client(), anonymous, name, self._prefix + key)

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._url.bucket, "Key": self._prefix + key}

    @contextmanager
    def _errors(self, operation: str) -> Iterator[None]:
        """Send a request, unless the store is silent."""
        with self._breaker.request(), self._translated(operation):
            yield

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _NO_UPLOAD:
                raise NoSuchUpload(code) from error
            if code in _ABSENT:
                raise FileNotFoundError(code) from error
            raise unavailable(self.name, operation, code, error) from error
        except BotoCoreError as error:
            code = type(error).__name__
            raise unavailable(self.name, operation, code, error) from error

    @property
    def _timeout(self) -> float:
        return self._breaker.timeout

    def _client(self, timeout: float = 0) -> t.Any:
        """Return the client of this process. Connections do not survive a fork.

        :param timeout: how long the store may be silent, in seconds, if that is longer
            than usual.
        """
        timeout = max(timeout, self._timeout)
        key = (os.getpid(), timeout)
        found = self._clients.get(key)
        if found is None:
            with self._lock:
                found = self._clients.get(key) or self._make_client(timeout)
                self._clients = {
                    **{k: v for k, v in self._clients.items() if k[0] == key[0]},
                    key: found,
                }
        return found

    def _make_signer(self, *, is_public: bool) -> Signer:
        """Return a signer with the address and the region that botocore has."""
        endpoint = self._url.options.get("public_endpoint") if is_public else None
        client = self._make_client(0, endpoint=endpoint)
        example = client.generate_presigned_url("get_object", self._object("key"))
        keys = self._credentials
        found: t.Any = (
            Credentials(keys["access_key"], keys["secret_key"], keys.get("token"))
            if "access_key" in keys
            else self._session.get_credentials()
        )
        return Signer(example, self._prefix + "key", found.get_frozen_credentials)

    @cached_property
    def _session(self) -> Session:
        """The session of all clients: each one reads the 11 MiB of the model of S3
        once."""
        return Session(profile=self._url.options.get("profile"))

    def _make_client(self, timeout: float, **options: t.Any) -> t.Any:
        return make_client(
            self._session,
            self._url,
            self._credentials,
            self._timeout,
            max(timeout, self._timeout),
            **options,
        )


class _Body:
    """The body of a response, whose errors are those of the bucket."""

    def __init__(self, bucket: S3Bucket, source: t.Any) -> None:
        self._bucket = bucket
        self._source = source

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; see :class:`Body`."""
        # Bytes that were received earlier are no sign that the store answers.
        with self._bucket._translated("GetObject"):
            return t.cast(bytes, self._source.read(size))

    def close(self) -> None:
        """Close the connection, which may have unread bytes."""
        self._source.close()
