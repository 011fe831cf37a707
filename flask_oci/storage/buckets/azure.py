"""Containers of Azure Blob Storage, as buckets.

A multipart upload is a list of blocks that is not committed yet. The id of each block
is unique, so that two writers of one upload cannot replace each other's blocks.
"""

from __future__ import annotations

import os
import time
import typing as t
from contextlib import contextmanager
from contextlib import suppress
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote
from uuid import uuid4

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.core.exceptions import HttpResponseError
from azure.core.exceptions import ResourceExistsError
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock
from azure.storage.blob import BlobSasPermissions
from azure.storage.blob import BlobServiceClient
from azure.storage.blob import ContainerClient
from azure.storage.blob import generate_blob_sas

from ..place import StoredObject
from ..protocol import BLOB_DISPOSITION
from ..protocol import BLOB_TYPE
from .azure_signing import signed_query
from .azure_transport import make_retry_policy
from .azure_transport import make_transport
from .circuit_breaker import CircuitBreaker
from .delegation_keys import DelegationKeys
from .failures import unavailable
from .inspection import Inspection
from .protocol import Body
from .protocol import Head
from .protocol import NoSuchUpload
from .protocol import Part
from .protocol import PART_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from azure.storage.blob import BlobClient

    from ...config.bucket_url import BucketUrl

#: The number of bytes that one request reads.
CHUNK: t.Final = 4 * 1024 * 1024


class AzureBucket:
    """A :class:`~flask_oci.storage.buckets.Bucket` of Azure.

    :param url: the account, the container and the options.
    :param credentials: ``account_key`` or ``sas_token``. Without them, the variables
        ``AZURE_STORAGE_KEY`` and ``AZURE_STORAGE_SAS_TOKEN`` apply, and then the chain
        of azure-identity.
    """

    def __init__(self, url: BucketUrl, credentials: Mapping[str, str]) -> None:
        self.name = url.text
        self.part_size = PART_SIZE
        self._url = url
        self._credentials = credentials
        self._prefix = url.prefix
        self._breaker = CircuitBreaker(url.text, url.options)
        self._delegation_keys = DelegationKeys(self._request_delegation_key)
        self._clients: dict[int, ContainerClient] = {}

    def put(self, key: str, body: bytes | bytearray) -> None:
        """Write an object; see :class:`Bucket`."""
        with self._errors("Put Blob"):
            options = self._options(body)
            self._blob(key).upload_blob(bytes(body), overwrite=True, **options)

    def create(self, key: str) -> str:
        """Begin a multipart upload; see :class:`Bucket`. Azure needs no request."""
        return uuid4().hex

    def part(
        self, key: str, upload_id: str, number: int, body: bytes | bytearray
    ) -> Part:
        """Write a block; see :class:`Bucket`."""
        name = f"{upload_id}-{number:05d}-{uuid4().hex[:16]}"
        with self._errors("Put Block"):
            self._blob(key).stage_block(
                name, bytes(body), length=len(body), **self._options(body)
            )
        return Part(number, name, len(body))

    def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Commit blocks; see :class:`Bucket`."""
        try:
            with self._errors("Put Block List"):
                blocks = [BlobBlock(part.etag) for part in parts]
                # Another upload of the same key must not be replaced.
                self._blob(key).commit_block_list(
                    blocks, match_condition=MatchConditions.IfMissing
                )
        except FileExistsError:
            raise NoSuchUpload(upload_id) from None

    def abort(self, key: str, upload_id: str) -> None:
        """Delete the uncommitted blocks; see :class:`Bucket`."""
        blob = self._blob(key)
        # An empty list drops the blocks. An existing object is left as it is.
        with suppress(FileExistsError, FileNotFoundError), self._errors("Abort"):
            made = blob.commit_block_list([], match_condition=MatchConditions.IfMissing)
            etag = str(made["etag"])
            blob.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)

    def head(self, key: str) -> Head | None:
        """Return the properties of an object; see :class:`Bucket`."""
        try:
            with self._errors("Get Blob Properties"):
                found = self._blob(key).get_blob_properties()
        except FileNotFoundError:
            return None
        return Head(found.size, found.last_modified.timestamp())

    def get(self, key: str, start: int = 0, stop: int | None = None) -> Body:
        """Read an object; see :class:`Bucket`."""
        return _Body(self, key, start, None if stop is None else stop - start)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete objects; see :class:`Bucket`."""
        for key in keys:
            with suppress(FileNotFoundError), self._errors("Delete Blob"):
                self._blob(key).delete_blob()

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield objects by key; see :class:`Bucket`."""
        with self._errors("List Blobs"):
            start = self._prefix + prefix
            for found in self._container().list_blobs(name_starts_with=start):
                key = found.name.removeprefix(self._prefix)
                # The service returns names in order, but cannot begin at one.
                if key > after:
                    modified = found.last_modified.timestamp()
                    yield StoredObject(key, found.size, modified)

    def sign(self, key: str, seconds: int, *, is_public: bool = False) -> str | None:
        """Return the signed URL of an object, if the credential is an account key or an
        identity; see :class:`Bucket`. A SAS token would grant more than this object."""
        options, name = self._url.options, self._prefix + key
        endpoint = options.get("public_endpoint") if is_public else None
        endpoint = (endpoint or self._endpoint).rstrip("/")
        protocol = "https" if endpoint.startswith("https:") else ""
        end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        path = f"{self._url.bucket}/{name}"
        if account_key := self._account_key():
            query = generate_blob_sas(
                self._url.account,
                self._url.bucket,
                name,
                account_key=account_key,
                permission=BlobSasPermissions(read=True),
                expiry=end,
                protocol=protocol or None,
                content_type=BLOB_TYPE,
                content_disposition=BLOB_DISPOSITION,
            )
        else:
            found = None if self._sas_token() else self._delegation_keys.get()
            if found is None:
                return None
            query = signed_query(f"{self._url.account}/{path}", found, end, protocol)
        return f"{endpoint}/{quote(path)}?{query}"

    def inspect(self, key: str) -> Inspection:
        """Return the setup of the container; see :class:`Inspectable`. The service
        itself deletes blocks that are never committed."""
        dates: list[str] = []
        with self._errors("Get Container Properties"):
            found = self._container().get_container_properties(
                raw_response_hook=lambda response: dates.append(
                    response.http_response.headers.get("Date", "")
                )
            )
        date = parsedate_to_datetime(dates[0]) if dates and dates[0] else None
        return Inspection(
            is_public=found.public_access is not None,
            behind=None if date is None else time.time() - date.timestamp(),
        )

    def _options(self, body: bytes | bytearray) -> dict[str, t.Any]:
        """Return the options of a request with a body."""
        timeout = self._breaker.timeout_of(body)
        if timeout == self._breaker.timeout:
            return {}
        return {
            "connection_timeout": timeout,
            "read_timeout": timeout,
            "retry_read": 0,
        }

    def _blob(self, key: str) -> BlobClient:
        return self._container().get_blob_client(self._prefix + key)

    def _container(self) -> ContainerClient:
        """Return the client of this process. Connections do not survive a fork."""
        found = self._clients.get(os.getpid())
        if found is None:
            found = self._make_client()
            self._clients = {os.getpid(): found}
        return found

    def _make_client(self) -> ContainerClient:
        return ContainerClient(
            self._endpoint,
            self._url.bucket,
            credential=self._credential(),
            max_single_put_size=PART_SIZE,
            # The client reads each of these into memory.
            max_single_get_size=CHUNK,
            max_chunk_get_size=CHUNK,
            transport=make_transport(self._breaker.timeout),
            retry_policy=make_retry_policy(),
        )

    @property
    def _endpoint(self) -> str:
        default = f"https://{self._url.account}.blob.core.windows.net"
        return self._url.options.get("endpoint", default)

    def _credential(self) -> t.Any:
        if key := self._account_key():
            return {"account_name": self._url.account, "account_key": key}
        if token := self._sas_token():
            return token
        try:
            from azure.identity import DefaultAzureCredential
        except ModuleNotFoundError:
            code, reason = "NoCredentialsError", "set AZURE_STORAGE_KEY"
            raise unavailable(self.name, "Login", code, reason) from None
        return DefaultAzureCredential()

    def _request_delegation_key(self, start: datetime, end: datetime) -> t.Any:
        with (
            self._errors("Get User Delegation Key"),
            BlobServiceClient(
                self._endpoint,
                credential=self._credential(),
                transport=make_transport(self._breaker.timeout),
                retry_policy=make_retry_policy(),
            ) as client,
        ):
            return client.get_user_delegation_key(start, end)

    def _sas_token(self) -> str | None:
        given = self._credentials.get("sas_token")
        return given or os.environ.get("AZURE_STORAGE_SAS_TOKEN")

    def _account_key(self) -> str | None:
        if "sas_token" in self._credentials:
            return self._credentials.get("account_key")
        return self._credentials.get("account_key") or os.environ.get(
            "AZURE_STORAGE_KEY"
        )

    @contextmanager
    def _errors(self, operation: str) -> Iterator[None]:
        """Send a request, unless the service is silent."""
        with self._breaker.request(), self._translated(operation):
            yield

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        try:
            yield
        except AzureError as error:
            found = getattr(error, "error_code", None)
            code = str(getattr(found, "value", found) or type(error).__name__)
            if code == "InvalidBlockList":
                raise NoSuchUpload(code) from error
            if code == "ContainerNotFound":
                raise unavailable(self.name, operation, code, error) from error
            if isinstance(error, ResourceNotFoundError):
                raise FileNotFoundError(code) from error
            if isinstance(error, ResourceExistsError) or _is_conflict(error):
                raise FileExistsError(code) from error
            raise unavailable(self.name, operation, code, error) from error


class _Body:
    """The bytes of an object, read in ranges of :data:`CHUNK`."""

    def __init__(
        self, bucket: AzureBucket, key: str, start: int, length: int | None
    ) -> None:
        self._bucket = bucket
        with bucket._errors("Get Blob"):
            offset = start if start or length is not None else None
            found = bucket._blob(key).download_blob(offset, length)
        self._chunks = found.chunks()
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; see :class:`Body`."""
        if not self._rest:
            with self._bucket._errors("Get Blob"):
                self._rest = next(self._chunks, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        """Forget the rest."""
        self._rest = b""
        self._chunks = iter(())


def _is_conflict(error: AzureError) -> bool:
    return isinstance(error, HttpResponseError) and error.status_code in (409, 412)
