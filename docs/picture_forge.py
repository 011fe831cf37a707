"""The example forge with example content, for the screenshots."""

from __future__ import annotations

import functools
import hashlib
import sys
import typing as t
from datetime import timedelta

import time_machine
from picture_documents import ATTACHED

from tests.support.paths import ROOT

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import picture_rules  # noqa: E402
from flask import Flask  # noqa: E402

from example_app import create_app  # noqa: E402
from example_app.models import commit  # noqa: E402
from example_app.models import db  # noqa: E402
from example_app.models import find_user  # noqa: E402
from example_app.models import Project  # noqa: E402
from example_app.models import User  # noqa: E402
from example_app.registry import registry  # noqa: E402
from flask_oci.clock import utcnow  # noqa: E402
from flask_oci.testing.manifests import descriptor  # noqa: E402
from flask_oci.testing.manifests import digest_of  # noqa: E402
from flask_oci.testing.manifests import encoded  # noqa: E402
from flask_oci.testing.manifests import image  # noqa: E402
from flask_oci.testing.manifests import index  # noqa: E402
from flask_oci.testing.manifests import OCI_EMPTY  # noqa: E402
from flask_oci.testing.manifests import OCI_MANIFEST  # noqa: E402
from flask_oci.testing.requests import basic  # noqa: E402
from tests.support.receiver import Receiver  # noqa: E402
from tests.support.registry_client import RegistryClient  # noqa: E402

DESCRIPTION: t.Final = """\
Tomorrow's weather, as JSON

Ask it for a place, and it answers with a **forecast** for three days.

```
docker run --rm -p 8000:8000 weather
curl localhost:8000/Bergen
```

| Variable | Meaning |
| --- | --- |
| `WEATHER_UNITS` | `metric`, or something older |
"""

STEPS: t.Final = (
    ("/bin/sh -c #(nop) ADD file:5d68d27cc15a80653 in / ", 29_150_000),
    ("ENV PATH=/usr/local/bin:/usr/bin:/bin", 0),
    (
        (
            "RUN /bin/sh -c apt-get update && apt-get install -y"
            " ca-certificates netbase tzdata && rm -rf /var/lib/apt/lists/* # buildkit"
        ),
        3_510_000,
    ),
    ("COPY requirements.txt /app/ # buildkit", 1_900),
    (
        "RUN /bin/sh -c pip install --no-cache-dir -r /app/requirements.txt # buildkit",
        12_400_000,
    ),
    ("COPY . /app # buildkit", 824_000),
    ("USER 1000", 0),
    ('ENTRYPOINT ["gunicorn", "weather:create_app()"]', 0),
)


class Forge:
    """The example forge with example content.

    :param folder: for its database and blobs.
    """

    def __init__(self, folder: str) -> None:
        self.app: Flask = create_app(
            {
                "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/forge.db",
                "OCI_STORAGE_PATH": f"{folder}/oci",
                "SECRET_KEY": "for pictures only",
                "OCI_WEBHOOK_NETWORKS": ["127.0.0.0/8"],
                "OCI_OWNER_WEBHOOK_NETWORKS": ["127.0.0.0/8"],
                "OCI_EXTERNAL_URL": "https://forge.example",
                "OCI_LANGUAGES": ["en", "de"],
                "OCI_OIDC_ISSUERS": {picture_rules.ISSUER: "github"},
                # Nothing is fetched from it.
                "OCI_UPSTREAMS": {"hub": "docker.io"},
            }
        )
        self.alice = RegistryClient(self.app, basic("alice", "wonderland"))
        self.bob = RegistryClient(self.app, basic("bob", "builder"))
        self.attached: dict[str, str] = {}
        self.robot = ""

    def layer(self, name: str, seed: str, size: int) -> dict[str, t.Any]:
        """Push a layer, and return its descriptor."""
        content = hashlib.sha256(seed.encode()).digest() * (size // 32 + 1)
        self.alice.push_blob(name, content)
        return descriptor(content)

    @functools.cache  # noqa: B019
    def image(self, name: str, version: str, architecture: str) -> bytes:
        """Push an image for one platform."""
        written = encoded(
            {
                "architecture": architecture,
                "os": "linux",
                "created": "2026-11-20T10:02:11Z",
                "config": {
                    "Env": [
                        "PATH=/usr/local/bin:/usr/bin:/bin",
                        "PYTHONUNBUFFERED=1",
                        f"WEATHER_VERSION={version}",
                    ],
                    "Entrypoint": ["gunicorn", "weather:create_app()"],
                    "Cmd": ["--bind", "0.0.0.0:8000"],
                    "ExposedPorts": {"8000/tcp": {}},
                    "User": "1000",
                    "WorkingDir": "/app",
                    "Labels": {
                        "org.opencontainers.image.title": "weather",
                        "org.opencontainers.image.source": "https://forge.example.org/alice/weather",
                        "org.opencontainers.image.licenses": "MIT",
                    },
                },
                "history": [
                    {
                        "created_by": command,
                        "created": "2026-11-20T10:02:11Z",
                        **({} if size else {"empty_layer": True}),
                    }
                    for command, size in STEPS
                ],
            }
        )
        self.alice.push_blob(name, written)
        layers = [
            self.layer(
                name,
                f"{architecture}{number}{version if number > 4 else ''}",
                size // 10,
            )
            for number, (_, size) in enumerate(STEPS)
            if size
        ]
        manifest = image(*layers, config=written)
        self.alice.push_manifest(name, manifest)
        return manifest

    def release(
        self, name: str, version: str, *tags: str, signed: bool = False
    ) -> bytes:
        """Push an image for two platforms, and return its index."""
        children = [
            descriptor(
                self.image(name, version, architecture),
                OCI_MANIFEST,
                platform={"os": "linux", "architecture": architecture},
            )
            for architecture in ("amd64", "arm64")
        ]
        notes = {
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.description": "Tomorrow's weather, as JSON",
        }
        manifest = index(*children, annotations=notes)
        for tag in (version, *tags):
            self.alice.push_manifest(name, manifest, tag)
        if signed:
            for key, (title, kind, fields) in ATTACHED.items():
                self.attached[key] = self.attach(name, manifest, title, kind, fields)
        return manifest

    def attach(
        self, name: str, subject: bytes, title: str, kind: str, fields: object
    ) -> str:
        """Attach a file to an index, and return the digest of its manifest."""
        content = encoded(fields)
        for blob in (b"{}", content):
            self.alice.push_blob(name, blob)
        titled = {"org.opencontainers.image.title": title}
        manifest = image(
            descriptor(content, kind, annotations=titled),
            config=descriptor(b"{}", OCI_EMPTY),
            artifactType=kind,
            subject=descriptor(subject, "application/vnd.oci.image.index.v1+json"),
        )
        self.alice.push_manifest(name, manifest)
        return digest_of(manifest)

    def chart(self, name: str, version: str) -> None:
        """Push a Helm chart."""
        about = encoded(
            {
                "name": "weather",
                "version": version,
                "appVersion": version,
                "description": "Runs the weather service",
                "type": "application",
            }
        )
        self.alice.push_blob(name, about)
        self.alice.push_blob(name, b"a chart" * 700)
        title = {"org.opencontainers.image.title": f"weather-{version}.tgz"}
        layer = descriptor(
            b"a chart" * 700,
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            annotations=title,
        )
        config = descriptor(about, "application/vnd.cncf.helm.config.v1+json")
        self.alice.push_manifest(name, image(layer, config=config), version)

    def deliver(self) -> None:
        """Add webhooks, and deliver the events of a release to one of them."""
        with self.app.app_context(), Receiver() as receiver:
            url = f"http://127.0.0.1:{receiver.port}/images"
            added = registry.events.add_webhook(url, kinds=["tag.*"])
            self.webhook = added.id
            other = registry.events.add_webhook(
                "https://scan.example.org/registry", repositories=["alice/*"]
            )
            registry.events.change_webhook(other.id, enabled=False)
            self.release("alice/weather", "2.2.0", "latest")
            registry.events.deliver()
            bob = find_user("bob")
            self.bob.push_image("bob/app", "1.0")
            own = registry.events.add_webhook(url, repositories=["bob/*"], owner=bob)
            self.own_webhook = own.id
            self.bob.push_image("bob/app", "1.1", layer=b"1.1")
            registry.events.send_test(own.id)
            registry.events.deliver()
            # The pictures show no temporary port.
            receiver_url = "https://ci.example.org/images"
            for key in (added.id, own.id):
                registry.events.change_webhook(key, url=receiver_url)

    def fill(self) -> None:
        """Push the content of the pictures."""
        old = [self._release_of_the_past(number) for number in range(4)]
        with _ago(days=2):
            signed = self.release(
                "alice/weather", "2.1.0", "2.1", "latest", signed=True
            )
        self.chart("alice/charts/weather", "2.1.0")
        self.release("alice/tools/very-long-name-of-a-tool-for-everything", "1.0")
        self.alice.push_blob("alice/notes", b"# Notes")
        self.alice.push_blob("alice/notes", b"{}")
        title = {"org.opencontainers.image.title": "notes.md"}
        self.alice.push_manifest(
            "alice/notes",
            image(
                descriptor(b"# Notes", "text/markdown", annotations=title),
                config=descriptor(b"{}", OCI_EMPTY),
                artifactType="application/vnd.example.notes.v1",
            ),
            "today",
        )
        with self.app.app_context():
            manage = registry.repositories
            manage.set_visibility("alice/weather", "public")
            db.session.add(
                Project(
                    owner_id=t.cast(User, find_user("alice")).id,
                    name="weather",
                    description="Tomorrow's weather, as a service",
                    visibility="public",
                )
            )
            manage.describe("alice/weather", DESCRIPTION)
            alice = t.cast(User, find_user("alice"))
            alice.is_admin = True
            commit()
            for name, days in (("laptop", 30), ("build machine", 365)):
                registry.access_tokens.issue(
                    alice,
                    name=name,
                    repositories=["alice/*"],
                    actions=["pull", "push"],
                    expires=timedelta(days=days),
                )
            self.robot = picture_rules.add_robots(alice)
            picture_rules.add_policy(self.alice, signed, alice)
            picture_rules.add_rules(old[-1], alice)

    def _release_of_the_past(self, number: int) -> bytes:
        """Push a release, and pull it on the days after; return its index."""
        for day in range(3):
            with _ago(days=40 - 8 * number - day):
                if not day:
                    made = self.release("alice/weather", f"2.0.{number}")
                for _ in range((number + 2) * (day + 1) % 5 + 1):
                    self.alice.get(f"/v2/alice/weather/manifests/2.0.{number}")
        return made


def _ago(days: int) -> time_machine.travel:
    return time_machine.travel(utcnow() - timedelta(days=days), tick=True)
