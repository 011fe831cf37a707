"""``flask oci check`` on downloads that nginx or the object store sends."""

from __future__ import annotations

import typing as t
from functools import partial

import pytest
from flask import Flask

from flask_oci.testing import MemoryBucket
from tests.conftest import MakeApp
from tests.support.check_world import check
from tests.support.check_world import SECRET
from tests.support.forge import free_port

Serve = t.Callable[[t.Any], int]


class PublicBucket(MemoryBucket):
    """A bucket of a host, whose objects clients reach by HTTP.

    :param address: the scheme and the host for clients.
    """

    def __init__(self, address: str = "") -> None:
        super().__init__()
        self.address = address
        self.damage = b""

    def sign(  # type: ignore[override]
        self, key: str, seconds: int, *, is_public: bool = False
    ) -> str:
        """Return the URL of an object."""
        return f"{self.address}/{key}?signature=secret"

    def __call__(self, environ: t.Any, start: t.Any) -> list[bytes]:
        """Answer as a store does."""
        content, _ = self.objects[environ["PATH_INFO"][1:]]
        start("200 OK", [("Content-Type", "application/octet-stream")])
        return [content + self.damage]


def _app(make_app: MakeApp, bucket: MemoryBucket, mode: str, **more: object) -> Flask:
    return make_app(
        SECRET_KEY=SECRET,
        TESTING=False,
        OCI_STORAGE=bucket,
        OCI_DOWNLOADS=mode,
        **more,
    )


@pytest.mark.parametrize(
    ("address", "codes"),
    [
        ("http://10.0.0.7:9000", {"redirect-plain-http", "redirect-private"}),
        ("https://8.8.8.8:9000", {"redirect-same-host"}),
        ("https://1.1.1.1", set()),
    ],
)
def test_check_of_the_address_of_a_store(
    make_app: MakeApp, address: str, codes: set[str]
) -> None:
    """The registry has a public address with TLS."""
    url = "https://8.8.8.8"
    bucket = PublicBucket(address)
    app = _app(make_app, bucket, "redirect", OCI_EXTERNAL_URL=url)
    assert check(app, "--user", "alice").codes == codes


def test_check_of_a_store_without_urls_finds_it(make_app: MakeApp) -> None:
    """The application sends the blobs, although it is configured not to."""
    for mode in ("nginx", "redirect"):
        app = _app(make_app, MemoryBucket(), mode)
        assert check(app).codes == {"store-signs-no-url"}


def test_check_follows_a_redirect_without_showing_the_signature(
    make_app: MakeApp, serve: Serve
) -> None:
    """A store that sends other bytes, or does not answer, is reported."""
    bucket = PublicBucket()
    bucket.address = f"http://localhost:{serve(bucket)}"
    app = _app(make_app, bucket, "redirect")
    url = f"http://127.0.0.1:{serve(app)}"
    ask = partial(check, app, "--user", "alice", "--url", url)
    assert ask().codes == {"development-server"}
    bucket.damage = b"more"
    assert "another digest" in ask().findings["redirect-fails"]["detail"]
    bucket.address = f"http://localhost:{free_port()}"
    detail = ask().findings["redirect-fails"]["detail"]
    assert bucket.address in detail
    assert "signature" not in detail


def test_check_without_the_location_of_nginx_finds_it(
    make_app: MakeApp, serve: Serve
) -> None:
    """The header reaches the client. An nginx that asks the application for the bytes
    works, but its store does not."""
    app = _app(make_app, PublicBucket("http://store"), "nginx")
    url = f"http://127.0.0.1:{serve(app)}"
    ask = partial(check, app, "--user", "alice", "--url", url)
    assert ask().codes == {"development-server", "accel-unhandled"}
    inner = app.wsgi_app

    def fall_back(environ: t.Any, start: t.Any) -> t.Any:
        environ["HTTP_X_OCI_DOWNLOADS"] = "stream"
        return inner(environ, start)

    outer: t.Any = fall_back
    app.wsgi_app = outer  # type: ignore[method-assign]
    assert ask().codes == {"development-server", "nginx-store-unread"}
