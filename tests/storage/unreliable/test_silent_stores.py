"""Real object stores that are silent for a while, or slow."""

from __future__ import annotations

import os
import threading
import time
import typing as t

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.support.faulty_store import Fault
from tests.support.faulty_store import FaultyStore
from tests.support.forge import wait_until
from tests.support.object_stores import versitygw
from tests.support.registry_client import RegistryClient

from .content import LARGE
from .content import MIB
from .content import NAME
from .content import path_of
from .content import SMALL
from .content import UPLOADS

pytestmark = pytest.mark.real

#: The pause after silence, in seconds. It ends when a test says so.
#: It is shorter than the time for which the identity of the bucket is believed.
PAUSE: t.Final = 45


@pytest.fixture(name="timeout")
def _timeout(request: pytest.FixtureRequest) -> float:
    """How long the store may be silent, in seconds."""
    return float(getattr(request, "param", 0.5))


@pytest.fixture(name="limits")
def _limits(timeout: float) -> dict[str, float]:
    return {"TIMEOUT": timeout, "DRAIN": 3, "PAUSE": PAUSE}


@pytest.fixture(name="end_pause")
def _end_pause(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[], None]:
    """Set the clock of the process to the end of the pause."""
    real = time.monotonic
    pauses = 0

    def end_pause() -> None:
        nonlocal pauses
        pauses += 1
        ahead = pauses * PAUSE
        monkeypatch.setattr(time, "monotonic", lambda: real() + ahead)

    return end_pause


def _post(client: RegistryClient, content: bytes) -> TestResponse:
    """Push a blob with one request."""
    at_once = with_query(UPLOADS, digest=digest_of(content))
    return client.request("POST", at_once, content)


def _is_refused(response: TestResponse) -> bool:
    return response.status_code == 503 and response.headers["Retry-After"] == "60"


def test_silent_store_receives_two_requests_and_others_do_not_wait(
    proxy: FaultyStore,
    alice: RegistryClient,
    end_pause: t.Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One request of a client waits for two requests to the store. The next ones are
    refused at once, until the pause is over and one tries again. The session of an
    upload keeps its bytes."""
    location = alice.start_upload(NAME)
    assert alice.patch(location, LARGE[:100]).status_code == 202
    fault = proxy.fault = Fault(is_silent=True)
    for _ in range(2):
        assert _is_refused(_post(alice, SMALL + b"1"))
        assert fault.happened == 2
        assert _is_refused(_post(alice, LARGE))
        assert _is_refused(alice.patch(location, LARGE[100:]))
        assert _is_refused(alice.get(path_of(SMALL)))
        assert fault.happened == 2
        assert alice.head(path_of(SMALL)).status_code == 200
        assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200
        assert "is silent" in caplog.text
        caplog.clear()
        fault.happened = 0
        end_pause()
    proxy.fault = None
    assert alice.blob(NAME, digest_of(SMALL)) == SMALL
    assert "is not silent any more" in caplog.text
    assert alice.get(location).headers["Range"] == "0-99"
    assert alice.patch(location, LARGE[100:]).status_code == 202
    done = alice.put(with_query(location, digest=digest_of(LARGE)))
    assert done.status_code == 201
    assert alice.blob(NAME, digest_of(LARGE)) == LARGE


def test_store_that_answers_other_requests_is_not_refused(
    proxy: FaultyStore, alice: RegistryClient
) -> None:
    """A store is slow, not silent, if it answers one request while another waits. The
    client of that one does not wait for a second attempt to store its bytes."""
    fault = proxy.fault = Fault(("PUT",), is_silent=True)
    found: list[TestResponse] = []
    push = threading.Thread(target=lambda: found.append(_post(alice, SMALL + b"2")))
    push.start()
    wait_until(lambda: fault.happened == 2, 20, "the second attempt")
    assert alice.blob(NAME, digest_of(SMALL)) == SMALL
    push.join()
    assert _is_refused(found[0])
    assert fault.happened == 2
    proxy.fault = None
    assert _post(alice, SMALL + b"2").status_code == 201


def test_store_that_refuses_connections_is_tried_by_each_request(
    proxy: FaultyStore, alice: RegistryClient, end_pause: t.Callable[[], None]
) -> None:
    """A store that is silent, and then stops, is not refused for another pause."""
    proxy.fault = Fault(is_silent=True)
    assert _is_refused(_post(alice, SMALL + b"3"))
    end_pause()
    proxy.fault = Fault(is_late=True)
    assert _is_refused(_post(alice, SMALL + b"3"))
    proxy.fault = None
    assert _post(alice, SMALL + b"3").status_code == 201


@pytest.mark.parametrize("store", [versitygw], indirect=True)
def test_completion_after_silence_is_tried_by_a_short_request(
    proxy: FaultyStore, alice: RegistryClient, end_pause: t.Callable[[], None]
) -> None:
    """A store may need minutes to complete an upload, so a completion does not find out
    whether it is silent."""
    location = alice.start_upload(NAME)
    done = with_query(location, digest=digest_of(LARGE))
    assert alice.patch(location, LARGE).status_code == 202
    proxy.fault = Fault(("POST",), status=500, code="InternalError")
    assert _is_refused(alice.put(done))
    fault = proxy.fault = Fault(is_silent=True)
    assert _is_refused(alice.get(path_of(SMALL)))
    end_pause()
    fault.happened = 0
    assert _is_refused(alice.put(done))
    assert fault.happened == 2
    proxy.fault = None
    end_pause()
    assert alice.put(done).status_code == 201
    assert alice.blob(NAME, digest_of(LARGE)) == LARGE


@pytest.mark.parametrize("timeout", [1], indirect=True)
def test_part_that_takes_longer_than_the_timeout_is_stored(
    app: Flask, proxy: FaultyStore, alice: RegistryClient
) -> None:
    """The timeout limits the silence of the store, not the time of a transfer. The
    store receives a part in six seconds, and may be silent for four."""
    app.extensions["oci"].storage.bucket.part_size = 16 * MIB
    content = os.urandom(16 * MIB + 1)
    proxy.fault = Fault(("PUT",), is_slow=True)
    assert _post(alice, content).status_code == 201
    proxy.fault = None
    assert alice.blob(NAME, digest_of(content)) == content
