"""Signals that a host can connect to.

For everything that can happen to an image there are two. The first is sent within the
transaction that is about to make it happen, and a receiver that raises
:exc:`~flask_oci.Denied` keeps it from happening. The second is sent when it has been
committed. Both are sent by the application, with ``change``, a
:class:`~flask_oci.changes.Change`.
"""

from __future__ import annotations

import logging
import typing as t

from blinker import NamedSignal
from blinker import Namespace
from flask import current_app

from . import changes
from .config import EXTENSION
from .hooks import name_of
from .hooks import refuse_awaitable

if t.TYPE_CHECKING:
    from .catalog import Catalog

_signals = Namespace()

#: Something happened that somebody may have to answer for. Sent by the
#: application, with ``event``, an :class:`~flask_oci.audit.AuditEvent`.
audited = _signals.signal("oci-audited")

manifest_pushing = _signals.signal("oci-manifest-pushing")
manifest_pushed = _signals.signal("oci-manifest-pushed")
manifest_deleting = _signals.signal("oci-manifest-deleting")
manifest_deleted = _signals.signal("oci-manifest-deleted")
#: A pull changes nothing, so nothing is sent before it.
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
#: The collection asks once, and then nobody about what it takes.
collection_starting = _signals.signal("oci-collection-starting")
collection_finished = _signals.signal("oci-collection-finished")

#: What is sent before a change of each kind.
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

#: What is sent after a change of each kind.
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
    signal: NamedSignal, logger: logging.Logger, **what: t.Any
) -> None:
    """Call every receiver of a signal about what is done.

    What one leaves in the session is committed. Where that fails, or the receiver
    does, it is logged, and nothing of it is left for whoever uses the session next.

    :param what: what the receivers are given beside the application.
    """
    app = t.cast(t.Any, current_app)._get_current_object()
    receivers = list(signal.receivers_for(app))
    if not receivers:
        return
    catalog: Catalog = app.extensions[EXTENSION].catalog
    # So that what fails takes nothing along that the host had begun before.
    catalog.release()
    for receiver in receivers:
        try:
            refuse_awaitable(receiver(app, **what), name_of(receiver))
            catalog.release()
        except Exception:
            catalog.rollback()
            # It is done, and the client must not be told that it is not.
            logger.exception("A receiver of %s failed.", signal.name)
