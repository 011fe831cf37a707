"""The background work in a thread of the application (``OCI_WORK = "thread"``).

The thread of a process starts with the first request that the process serves. A server
that loads the application and then forks, such as ``gunicorn --preload``, serves no
request before the fork, so each of its workers has a thread and connections of its own.
Commands, the parent process of a reloader and tests start none.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import typing as t

from flask import request
from flask import request_started

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from .work import Worker

logger = logging.getLogger("flask_oci.work")

#: The key of the WSGI environment of a request that starts no thread.
NO_WORK: t.Final = "flask_oci.no_work"

#: The longest wait for the current piece when the process exits, in seconds.
STOP_TIMEOUT: t.Final = 30.0


class WorkThread:
    """The thread of one process of an application.

    :param app: the application.
    :param make_worker: returns the worker; its argument is the event that ends it.
    :param has_own_connections: returns True if the thread has its own connection.
    """

    def __init__(
        self,
        app: Flask,
        make_worker: Callable[[threading.Event], Worker],
        has_own_connections: Callable[[], bool],
    ) -> None:
        self._app = app
        self._make_worker = make_worker
        self._has_own_connections = has_own_connections
        self._lock = threading.Lock()
        self._process: int | None = None

    def start_with_first_request(self) -> None:
        """Start the thread with the first request of each process."""
        # The signal precedes the functions of the host, which may answer the request.
        request_started.connect(self._start, self._app, weak=False)

    def _start(self, _app: object, **_: object) -> None:
        if self._process == os.getpid():
            return
        if self._app.testing or NO_WORK in request.environ:
            return
        with self._lock:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
        if not self._has_own_connections():
            logger.error(
                "OCI_WORK has no effect: the database is in memory and has one"
                " connection for all threads."
            )
            return
        stop = threading.Event()
        worker = self._make_worker(stop)
        # Python waits for other threads before it calls the functions of atexit.
        thread = threading.Thread(target=worker.run, name="oci-work", daemon=True)
        atexit.register(_end, thread, stop)
        thread.start()


def _end(thread: threading.Thread, stop: threading.Event) -> None:
    """Let the thread finish its current piece when the process exits."""
    stop.set()
    thread.join(STOP_TIMEOUT)
