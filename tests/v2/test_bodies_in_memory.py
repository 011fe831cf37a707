"""WSGI servers that pass on a complete body in memory or in a temporary file, without
its length."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import typing as t
from tempfile import SpooledTemporaryFile

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import with_query
from tests.support.registry_client import RegistryClient

from .test_over_http import CONTENT
from .test_over_http import Wire

Environ = dict[str, t.Any]

UPLOADS = "/v2/alice/app/blobs/uploads/"


def chunked(body: bytes) -> Environ:
    """Return the environment of Tornado or Starlette for a body that came in chunks."""
    return {
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": False,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
    }


def unannounced(body: bytes) -> Environ:
    """Return the environment for HTTP/2, where a body needs neither header."""
    environ = chunked(body)
    del environ["HTTP_TRANSFER_ENCODING"]
    return environ


def spooled(body: bytes) -> Environ:
    """Return the environment of asgiref's WsgiToAsgi, with a temporary file."""
    file = SpooledTemporaryFile()  # noqa: SIM115
    file.write(body)
    file.seek(0)
    return {**chunked(body), "wsgi.input": file}


FRAMINGS = pytest.mark.parametrize("framing", [chunked, unannounced, spooled])


@FRAMINGS
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_blob_in_memory_is_stored(
    alice: RegistryClient, method: str, framing: t.Callable[[bytes], Environ]
) -> None:
    """The bytes are complete, whether or not the server gives their number."""
    digest = digest_of(LAYER)
    path = UPLOADS if method == "POST" else alice.start_upload("alice/app")
    environ = framing(LAYER)
    with environ["wsgi.input"]:
        response = alice.send(
            method,
            path if method == "PATCH" else with_query(path, digest=digest),
            headers=bearer(alice),
            environ=environ,
        )
    if method == "PATCH":
        assert response.status_code == 202
        location = with_query(response.headers["Location"], digest=digest)
        response = alice.put(location, b"")
    assert response.status_code == 201
    assert alice.get(f"/v2/alice/app/blobs/{digest}").data == LAYER


@FRAMINGS
def test_manifest_in_memory_is_stored(
    alice: RegistryClient, framing: t.Callable[[bytes], Environ]
) -> None:
    """A manifest is stored byte for byte."""
    manifest = alice.push_image("alice/app", "1.0")
    environ = framing(manifest)
    with environ["wsgi.input"]:
        response = alice.send(
            "PUT",
            "/v2/alice/app/manifests/2.0",
            headers={
                **bearer(alice),
                "Content-Type": "application/vnd.oci.image.manifest.v1+json",
            },
            environ=environ,
        )
    assert response.status_code == 201
    assert alice.get("/v2/alice/app/manifests/2.0").data == manifest


def test_empty_body_in_memory_may_be_hidden(alice: RegistryClient) -> None:
    """A server that hides chunked bodies may pass on an empty one."""
    path = alice.start_upload("alice/app")
    response = alice.send("PATCH", path, headers=bearer(alice), environ=chunked(b""))
    assert refusal(response) == (501, "UNSUPPORTED")


def bearer(client: RegistryClient) -> dict[str, str]:
    """Return the header with a token of the client for its repository."""
    query = {"service": "forge", "scope": "repository:alice/app:pull,push"}
    token = client.get("/v2/token", query=query).get_json()["token"]
    return {"Authorization": f"Bearer {token}"}


@contextlib.contextmanager
def tornado(app: Flask) -> t.Iterator[int]:
    """Serve an application by Tornado's WSGI container, and return the port."""
    httpserver: t.Any = pytest.importorskip("tornado.httpserver")
    wsgi: t.Any = pytest.importorskip("tornado.wsgi")
    netutil: t.Any = pytest.importorskip("tornado.netutil")
    (listener,) = netutil.bind_sockets(0, "127.0.0.1")
    stop, loop = asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = httpserver.HTTPServer(wsgi.WSGIContainer(app))
        server.add_socket(listener)
        await stop.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextlib.contextmanager
def starlette(app: Flask) -> t.Iterator[int]:
    """Serve an application by Starlette's WSGI middleware, as MLflow does."""
    uvicorn: t.Any = pytest.importorskip("uvicorn")
    middleware: t.Any = pytest.importorskip("starlette.middleware.wsgi")
    ready = threading.Event()

    class Server(uvicorn.Server):  # type: ignore[misc]
        async def startup(self, sockets: t.Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    config = uvicorn.Config(
        middleware.WSGIMiddleware(app), port=0, lifespan="off", log_level="error"
    )
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(60)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:starlette.middleware.wsgi is deprecated")
@pytest.mark.parametrize("serving", [tornado, starlette])
def test_image_is_pushed_through_server_that_buffers(
    app: Flask, serving: t.Callable[[Flask], t.ContextManager[int]]
) -> None:
    """Docker sends each layer in chunks."""
    with serving(app) as port:
        wire = Wire(port)
        start = wire.send("POST", UPLOADS, b"")
        patch = wire.send(
            "PATCH", start.headers["Location"], [CONTENT[:1000], CONTENT[1000:]]
        )
        assert patch.status == 202, patch.body
        digest = digest_of(CONTENT)
        location = with_query(patch.headers["Location"], digest=digest)
        assert wire.send("PUT", location, b"").status == 201
        assert wire.send("GET", f"/v2/alice/app/blobs/{digest}").body == CONTENT
        manifest = image()
        put = wire.send(
            "PUT",
            "/v2/alice/app/manifests/1.0",
            [manifest],
            {"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
        )
        # The body has arrived; its layers were not pushed.
        assert b"MANIFEST_BLOB_UNKNOWN" in put.body
        wire.connection.close()
