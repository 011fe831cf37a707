"""The report of a process about itself, by which ``flask oci check`` compares nodes.

It has fingerprints instead of keys and settings. They are keyed by the secret key, so a
reader of the database cannot guess a password among the settings.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
import platform
import time
import typing as t
import uuid
from datetime import timedelta
from importlib.metadata import version

from ..catalog.nodes import NodeReport

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

    from ..catalog.nodes import Nodes
    from ..config import Config

#: The time between two reports, in seconds.
INTERVAL: t.Final = 300.0

#: The settings that may differ, because they concern one machine or process.
OWN_SETTINGS: t.Final = frozenset(
    {"storage_path", "storage_reserve", "work", "metrics"}
)


class NodeReporter:
    """Reports how this process is set up, every few minutes.

    :param config: the settings of the application.
    :param keys: returns the signing keys, the current one last.
    :param nodes: stores the reports.
    """

    def __init__(
        self, config: Config, keys: Callable[[], Sequence[str]], nodes: Nodes
    ) -> None:
        self._config = config
        self._keys = keys
        self._nodes = nodes
        self._id = ""
        self._process = 0
        self._due_at = 0.0

    def is_due(self) -> bool:
        """Return True if this process has not reported for a while."""
        return time.monotonic() >= self._due_at or self._process != os.getpid()

    def report_after(self, current_app: t.Any, response: Response) -> None:
        """Report after a response has been sent, and log a failure.

        :param current_app: Flask's proxy of the application.
        """
        app = current_app._get_current_object()

        def write() -> None:
            try:
                with app.app_context():
                    self.report()
            except Exception:
                app.logger.warning("The report of this process failed.", exc_info=True)

        response.call_on_close(write)

    def report(self) -> None:
        """Report now, within an application context."""
        self._due_at = time.monotonic() + INTERVAL
        if self._process != os.getpid():
            # A server may fork after it has loaded the application.
            self._process, self._id = os.getpid(), str(uuid.uuid4())
        self._nodes.report(self.current())

    def current(self) -> NodeReport:
        """Return the report of this process."""
        current, *former = reversed(self._keys())
        return NodeReport(
            id=self._id,
            host=platform.node()[:255],
            version=version("flask-oci")[:64],
            keys=[_fingerprint(key, "key") for key in (current, *former)],
            settings={
                f"OCI_{name.upper()}": _fingerprint(current, f"{name}={_text(value)}")
                for name, value in _shared(self._config)
            },
        )


def _shared(config: Config) -> Iterator[tuple[str, t.Any]]:
    for field in dataclasses.fields(config):
        if field.name not in OWN_SETTINGS:
            yield field.name, getattr(config, field.name)


def _fingerprint(key: str | bytes, text: str) -> str:
    secret = key.encode() if isinstance(key, str) else key
    digest = hmac.new(secret, b"flask_oci node " + text.encode(), hashlib.sha256)
    return digest.hexdigest()[:16]


def _text(value: t.Any) -> str:
    """Return a text that is the same in every process for equal values."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return _text({field.name: getattr(value, field.name) for field in fields})
    if isinstance(value, dict):
        return str(sorted((str(key), _text(each)) for key, each in value.items()))
    if isinstance(value, (set, frozenset)):
        return str(sorted(map(_text, value)))
    if isinstance(value, (list, tuple)):
        return str(list(map(_text, value)))
    if value is None or isinstance(value, (str, bytes, int, float, timedelta)):
        return repr(value)
    # The address of an object differs in every process.
    return type(value).__qualname__
