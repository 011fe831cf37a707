"""Clients of botocore: their settings, timeouts and attempts."""

from __future__ import annotations

import typing as t
from functools import partial

from botocore.config import Config

from . import circuit_breaker
from .circuit_breaker import is_silence
from .pieces import in_pieces

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.session import Session

    from ...config.bucket_url import BucketUrl

#: The number of connections that a process keeps. More threads wait for nothing: they
#: open connections that are closed after use.
CONNECTIONS: t.Final = 32


def make_client(
    session: Session,
    url: BucketUrl,
    credentials: Mapping[str, str],
    usual: float,
    timeout: float,
    *,
    signature_version: t.Any = "s3v4",
    endpoint: str | None = None,
) -> t.Any:
    """Return a client of S3.

    :param usual: how long the store may be silent, in seconds.
    :param timeout: how long it may be silent for the requests of this client. If that
        is longer, a silent store receives each request once.
    :param signature_version: the signature of requests.
    :param endpoint: the address of the store, or None for that of the configuration.
    """
    options, is_long = url.options, timeout > usual
    endpoint = endpoint or options.get("endpoint")
    style = options.get("path_style", "true" if endpoint else "false")
    s3 = {"addressing_style": "path" if style == "true" else "virtual"}
    if endpoint is None or endpoint.startswith("https:"):
        # TLS protects the bytes, which are hashed already.
        s3["payload_signing_enabled"] = False  # type: ignore[assignment]
    client = session.create_client(
        "s3",
        region_name=options.get("region")
        or session.get_config_variable("region")
        or "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=credentials.get("access_key"),
        aws_secret_access_key=credentials.get("secret_key"),
        aws_session_token=credentials.get("token"),
        config=Config(
            # By default, signed addresses of other stores have the old signature.
            signature_version=signature_version,
            # Other stores refuse the checksums that AWS has.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # It limits each call that sends bytes, too.
            connect_timeout=timeout if is_long else timeout / 2,
            read_timeout=timeout,
            retries={
                "mode": "standard",
                "total_max_attempts": circuit_breaker.ATTEMPTS,
            },
            max_pool_connections=CONNECTIONS,
            s3=s3,
        ),
    )
    attempts = 1 if is_long else circuit_breaker.SILENT_ATTEMPTS
    events = client.meta.events
    events.register_first("needs-retry.s3", partial(_end_silence, attempts))
    events.register("before-send.s3", _send_in_pieces)
    return client


def _end_silence(
    limit: int, attempts: int, caught_exception: Exception | None, **_: object
) -> None:
    """Keep botocore from sending a request to a silent store again.

    :param limit: how often it is sent.
    :param attempts: how often it was sent.
    """
    if attempts >= limit and is_silence(caught_exception):
        raise t.cast(Exception, caught_exception)


def _send_in_pieces(request: t.Any, **_: object) -> None:
    request.body = in_pieces(request.body)
