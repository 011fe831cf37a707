"""The store of the read cache under threads and forks."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from flask_oci.catalog.read_cache.store import Store


class SlowKey(str):
    """A part of a key that can be stored once ``may_end`` is set."""

    is_stored = threading.Event()
    may_end = threading.Event()

    def __hash__(self) -> int:
        self.is_stored.set()
        self.may_end.wait()
        return super().__hash__()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_child_of_a_process_that_stores_a_value_does_not_wait() -> None:
    """The child does not wait for a thread of its parent, which it does not have."""
    store = Store()
    thread = threading.Thread(target=store.put, args=[(1,), (SlowKey("slow"),), 1])
    thread.start()
    SlowKey.is_stored.wait()
    child = os.fork()
    if child == 0:
        # A child that waits for ever is ended by the signal.
        signal.alarm(10)
        store.put((1,), ("key",), 2)
        os._exit(0)
    result = os.waitpid(child, 0)[1]
    SlowKey.may_end.set()
    thread.join()
    assert result == 0
