"""Signals that a host can connect to.

There are two signals for each kind of change. The first is sent in the transaction of
the change, and a receiver that raises :exc:`~flask_oci.Denied` prevents the change. The
second is sent after the commit. The sender of both is the application, and both have
the argument ``change``, a :class:`~flask_oci.Change`.
"""

from __future__ import annotations

import logging
import typing as t

from blinker import NamedSignal
from blinker import Namespace
from flask import current_app

from . import changes
from .config import EXTENSION
from .host_functions import name_of
from .host_functions import refuse_awaitable

if t.TYPE_CHECKING:
    from .catalog import Catalog

_signals = Namespace()

#: Sent for each entry of the audit log. The sender is the application, and the argument
#: ``event`` is an :class:`~flask_oci.AuditEvent`.
audited = _signals.signal("oci-audited")

manifest_pushing = _signals.signal("oci-manifest-pushing")
manifest_pushed = _signals.signal("oci-manifest-pushed")
manifest_deleting = _signals.signal("oci-manifest-deleting")
manifest_deleted = _signals.signal("oci-manifest-deleted")
#: A pull has no signal before it, because it changes no content.
manifest_pulled = _signals.signal("oci-manifest-pulled")
tag_moving = _signals.signal("oci-tag-moving")
tag_moved = _signals.signal("oci-tag-moved")
tag_deleting = _signals.signal("oci-tag-deleting")
tag_deleted = _signals.signal("oci-tag-deleted")
blob_pushing = _signals.signal("oci-blob-pushing")
blob_pushed = _signals.signal("oci-blob-pushed")
blob_mounting = _signals.signal("oci-blob-mounting")
blob_mounted = _signals.signal("oci-blob-mounted")
blob_deleting = _signals.signal("oci-blob-deleting")
blob_deleted = _signals.signal("oci-blob-deleted")
repository_creating = _signals.signal("oci-repository-creating")
repository_created = _signals.signal("oci-repository-created")
repository_renaming = _signals.signal("oci-repository-renaming")
repository_renamed = _signals.signal("oci-repository-renamed")
repository_transferring = _signals.signal("oci-repository-transferring")
repository_transferred = _signals.signal("oci-repository-transferred")
visibility_changing = _signals.signal("oci-visibility-changing")
visibility_changed = _signals.signal("oci-visibility-changed")
repository_deleting = _signals.signal("oci-repository-deleting")
repository_deleted = _signals.signal("oci-repository-deleted")
#: Sent once before a collection. Its deletions have no signals of their own.
collection_starting = _signals.signal("oci-collection-starting")
collection_finished = _signals.signal("oci-collection-finished")

#: The signal before a change, by kind.
BEFORE: t.Final[dict[str, NamedSignal]] = {
    changes.MANIFEST_PUSHED: manifest_pushing,
    changes.MANIFEST_DELETED: manifest_deleting,
    changes.TAG_MOVED: tag_moving,
    changes.TAG_DELETED: tag_deleting,
    changes.BLOB_PUSHED: blob_pushing,
    changes.BLOB_MOUNTED: blob_mounting,
    changes.BLOB_DELETED: blob_deleting,
    changes.REPOSITORY_CREATED: repository_creating,
    changes.REPOSITORY_RENAMED: repository_renaming,
    changes.REPOSITORY_TRANSFERRED: repository_transferring,
    changes.REPOSITORY_SHOWN: visibility_changing,
    changes.REPOSITORY_DELETED: repository_deleting,
    changes.COLLECTED: collection_starting,
}

#: The signal after a change, by kind.
AFTER: t.Final[dict[str, NamedSignal]] = {
    changes.MANIFEST_PUSHED: manifest_pushed,
    changes.MANIFEST_DELETED: manifest_deleted,
    changes.MANIFEST_PULLED: manifest_pulled,
    changes.TAG_MOVED: tag_moved,
    changes.TAG_DELETED: tag_deleted,
    changes.BLOB_PUSHED: blob_pushed,
    changes.BLOB_MOUNTED: blob_mounted,
    changes.BLOB_DELETED: blob_deleted,
    changes.REPOSITORY_CREATED: repository_created,
    changes.REPOSITORY_RENAMED: repository_renamed,
    changes.REPOSITORY_TRANSFERRED: repository_transferred,
    changes.REPOSITORY_SHOWN: visibility_changed,
    changes.REPOSITORY_DELETED: repository_deleted,
    changes.COLLECTED: collection_finished,
}


def notify_receivers(
    signal: NamedSignal, logger: logging.Logger, **arguments: t.Any
) -> None:
    """Call every receiver of a signal that is sent after a change.

    The session is committed after each receiver. If a receiver or its commit fails, the
    failure is logged and the session is rolled back.

    :param signal: the signal.
    :param logger: the logger for failures.
    :param arguments: the arguments of the receivers besides the application.
    """
    app = t.cast(t.Any, current_app)._get_current_object()
    receivers = list(signal.receivers_for(app))
    if not receivers:
        return
    catalog: Catalog = app.extensions[EXTENSION].catalog
    # A failure must not roll back changes that the host has made before.
    catalog.release()
    for receiver in receivers:
        try:
            refuse_awaitable(receiver(app, **arguments), name_of(receiver))
            catalog.release()
        except Exception:
            catalog.rollback()
            # The change is committed, so the client must not get an error.
            logger.exception("A receiver of %s failed.", signal.name)
