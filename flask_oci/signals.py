"""Signals that a host can connect to."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: Something happened that somebody may have to answer for. Sent by the
#: application, with ``event``, an :class:`~flask_oci.audit.AuditEvent`.
audited = _signals.signal("oci-audited")
