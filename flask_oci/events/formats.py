"""Formats of events in webhook requests: CloudEvents 1.0 and Distribution."""

from __future__ import annotations

import json
import typing as t
import uuid
from datetime import datetime
from datetime import timezone

from .. import changes

if t.TYPE_CHECKING:
    from ..catalog.outbox import StoredEvent

CLOUDEVENTS: t.Final = "cloudevents"
DISTRIBUTION: t.Final = "distribution"
FORMS: t.Final = (CLOUDEVENTS, DISTRIBUTION)

#: The prefix of the kind in the type of a CloudEvent.
TYPE_PREFIX: t.Final = "flask-oci."

#: The kind of a test notification, which no stored event has.
TEST: t.Final = "webhook.test"

#: The names of Distribution's actions.
_ACTIONS: t.Final = {
    changes.MANIFEST_PUSHED: "push",
    changes.MANIFEST_PULLED: "pull",
    changes.MANIFEST_DELETED: "delete",
    changes.TAG_MOVED: "push",
    changes.TAG_DELETED: "delete",
    changes.BLOB_PUSHED: "push",
    changes.BLOB_MOUNTED: "mount",
    changes.BLOB_DELETED: "delete",
    changes.REPOSITORY_DELETED: "delete",
}

_CLOUDEVENT_TYPE: t.Final = "application/cloudevents+json"
_DISTRIBUTION_TYPE: t.Final = "application/vnd.docker.distribution.events.v2+json"

#: The media type of a blob in Distribution.
_BLOB_TYPE: t.Final = "application/octet-stream"


class Message(t.NamedTuple):
    """The body of a request to a webhook."""

    content_type: str
    body: bytes


def write(
    event: StoredEvent, form: str, *, url: str | None, service: str
) -> Message | None:
    """Return an event in a format, or None if the format has no such event.

    :param form: ``cloudevents`` or ``distribution``.
    :param url: the address of the root of the application, if it is known.
    :param service: the name of the registry.
    """
    if form == DISTRIBUTION:
        return _distribution(event, url or "", service)
    return _cloudevent(event, url or f"/{service}")


def test_message(form: str, *, url: str | None, service: str) -> tuple[str, Message]:
    """Return the id and the body of a test notification.

    :param form: ``cloudevents`` or ``distribution``. The latter has no event for tests,
        so the list of events is empty.
    :param url: the address of the root of the application, if it is known.
    :param service: the name of the registry.
    """
    identifier = str(uuid.uuid4())
    if form == DISTRIBUTION:
        return identifier, Message(_DISTRIBUTION_TYPE, _encoded({"events": []}))
    fields = {
        "specversion": "1.0",
        "id": identifier,
        "source": url or f"/{service}",
        "type": f"{TYPE_PREFIX}{TEST}",
        "time": _moment(datetime.now(timezone.utc)),
        "datacontenttype": "application/json",
        "data": {},
    }
    return identifier, Message(_CLOUDEVENT_TYPE, _encoded(fields))


def _cloudevent(event: StoredEvent, source: str) -> Message:
    """Return CloudEvents 1.0 in structured mode, with the extension "sequence"."""
    fields: dict[str, t.Any] = {
        "specversion": "1.0",
        "id": event.uuid,
        "source": source,
        "type": f"{TYPE_PREFIX}{event.kind}",
        "time": _moment(event.at),
        "sequence": f"{event.id:020}",
        "datacontenttype": "application/json",
        "data": {
            **({"repository": event.repository} if event.repository else {}),
            **{_camel(name): value for name, value in event.data.items()},
        },
    }
    if event.repository is not None:
        fields["subject"] = event.repository
    return Message(_CLOUDEVENT_TYPE, _encoded(fields))


def _distribution(event: StoredEvent, url: str, service: str) -> Message | None:
    """Return the event as a notification of CNCF Distribution 3."""
    action = _ACTIONS.get(event.kind)
    # The notification of the pushed manifest has the tag already.
    if action is None or event.data.get("by_push"):
        return None
    tags = event.data.get("tags") or [event.data.get("tag")]
    events = [_notification(event, action, tag, url, service) for tag in tags]
    if len(events) > 1:
        for number, fields in enumerate(events):
            fields["id"] = f"{event.uuid}-{number}"
    return Message(_DISTRIBUTION_TYPE, _encoded({"events": events}))


def _notification(
    event: StoredEvent, action: str, tag: str | None, url: str, service: str
) -> dict[str, t.Any]:
    data = event.data
    is_blob = event.kind.startswith("blob.")
    target = {
        "mediaType": data.get("media_type") or (_BLOB_TYPE if is_blob else None),
        "digest": None if event.kind == changes.TAG_DELETED else data.get("digest"),
        "size": data.get("size"),
        "length": data.get("size"),
        "repository": event.repository,
        "fromRepository": data.get("source"),
        "tag": tag,
    }
    if action != "delete":
        place = "blobs" if is_blob else "manifests"
        target["url"] = f"{url}/v2/{event.repository}/{place}/{data.get('digest')}"
    request = {
        "id": event.uuid,
        "addr": data.get("address"),
        "host": data.get("host"),
        "method": data.get("method"),
        "useragent": data.get("user_agent"),
    }
    return {
        "id": event.uuid,
        "timestamp": _moment(event.at),
        "action": action,
        "target": _filled(target),
        "request": _filled(request),
        "actor": _filled({"name": data.get("actor")}),
        "source": {"addr": data.get("host") or service, "instanceID": service},
    }


def _filled(fields: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _moment(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _encoded(fields: dict[str, t.Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
