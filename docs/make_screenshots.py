"""Create screenshots of the pages: ``python docs/make_screenshots.py [FOLDER]``.

It also creates the pictures of the documentation's front page, in ``docs/pictures``.

It starts the example forge with example content, and takes screenshots with Debian's
Chromium, at the widths of a phone and of a desktop, in light and dark.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

from playwright.sync_api import Page
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

from tests.support.paths import ROOT

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from flask import Flask  # noqa: E402

from example_app import create_app  # noqa: E402
from example_app.models import commit  # noqa: E402
from example_app.models import db  # noqa: E402
from example_app.models import find_user  # noqa: E402
from example_app.models import Project  # noqa: E402
from example_app.models import User  # noqa: E402
from example_app.registry import registry  # noqa: E402
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

WIDTHS: t.Final = {"phone": 390, "desk": 1280}
SCHEMES: t.Final = ("light", "dark")
CHROMIUM: t.Final = "/usr/bin/chromium"

#: The addresses of the pages, by the names of their pictures.
PAGES: t.Final = {
    "first": "/",
    "project": "/projects/alice/weather",
    "project-images": "/images/?under=alice/weather",
    "repositories": "/images/",
    "repository": "/images/alice/weather",
    "image": "/images/alice/weather/-/image/2.1.0",
    "history": "/images/alice/weather/-/history",
    "compare": "/images/alice/weather/-/compare?from=2.0.3&to=2.1.0",
    "mistyped": "/images/alice/weather/-/compare?from=2.0.3&to=2.1.O",
    "settings": "/images/alice/weather/-/settings",
    "tokens": "/images/-/tokens",
    "robots": "/images/-/robots",
    "storage": "/images/-/storage",
    "administration": "/images/-/administration",
    "events": "/images/-/events",
    "uploads": "/images/-/uploads",
    "reference": "/images/-/reference",
    "token-holders": "/images/-/users",
    "user-tokens": "/images/-/users?user=alice",
    "jobs": "/images/-/jobs",
    "rules": "/images/-/rules",
    "path-rules": "/images/alice/-/rules",
    "webhooks": "/images/-/webhooks",
    "webhook": "/images/-/webhooks/{webhook}",
    "webhook-form": "/images/-/webhooks/new",
    "chart": "/images/alice/charts/weather/-/image/2.1.0",
    "sbom": "/images/alice/weather/-/image/{sbom}",
    "scan": "/images/alice/weather/-/image/{scan}",
    "provenance": "/images/alice/weather/-/image/{provenance}",
}

#: The pages on the front page of the documentation, and the part that it shows.
FRONT: t.Final = ("repository", "image")
PICTURES: t.Final = ROOT / "docs/pictures"
CLIP: t.Final = {"x": 80, "y": 0, "width": 1120, "height": 840}

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

SBOM: t.Final = {
    "spdxVersion": "SPDX-2.3",
    "name": "weather",
    "creationInfo": {
        "created": "2026-11-20T10:02:11Z",
        "creators": ["Organization: Anchore, Inc", "Tool: syft-1.18.0"],
    },
    "packages": [
        {
            "name": name,
            "versionInfo": version,
            "licenseDeclared": licenses,
            "externalRefs": [
                {
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:{kind}/{name}@{version}",
                }
            ],
        }
        for name, version, kind, licenses in (
            ("ca-certificates", "20230311", "deb", "GPL-2.0-or-later AND MPL-2.0"),
            ("flask", "3.1.2", "pypi", "BSD-3-Clause"),
            ("gunicorn", "23.0.0", "pypi", "MIT"),
            ("libc6", "2.36-9+deb12u9", "deb", "LGPL-2.1-only"),
            ("openssl", "3.0.15-1~deb12u1", "deb", "Apache-2.0"),
            ("tzdata", "2025b-0+deb12u2", "deb", ""),
        )
    ],
}
SCAN: t.Final = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "Trivy", "version": "0.57.0"}},
            "results": [
                {
                    "ruleId": "CVE-2026-0001",
                    "level": "error",
                    "message": {
                        "text": "Package: openssl\nInstalled version: 3.0.15"
                        "\nFixed version: 3.0.16"
                    },
                },
                {
                    "ruleId": "CVE-2026-0002",
                    "level": "warning",
                    "message": {"text": "Package: tzdata\nFixed version: none"},
                },
            ],
        }
    ],
}
PROVENANCE: t.Final = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://slsa.dev/provenance/v1",
    "subject": [{"name": "weather", "digest": {"sha256": "9b6fe826a8df"}}],
    "predicate": {
        "buildDefinition": {"buildType": "https://forge.example.org/workflow/v1"},
        "runDetails": {
            "builder": {"id": "https://forge.example.org/builders/1"},
            "metadata": {
                "startedOn": "2026-11-20T10:00:12Z",
                "finishedOn": "2026-11-20T10:02:11Z",
            },
        },
    },
}

#: The attached files: the name, the artifact type and the content.
ATTACHED: t.Final[dict[str, tuple[str, str, object]]] = {
    "sbom": ("sbom.spdx.json", "application/spdx+json", SBOM),
    "scan": ("trivy.sarif", "application/sarif+json", SCAN),
    "provenance": ("provenance.json", "application/vnd.in-toto+json", PROVENANCE),
    "signature": ("", "application/vnd.dev.cosign.artifact.sig.v1+json", {}),
}

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
                "OCI_EXTERNAL_URL": "https://forge.example",
            }
        )
        self.alice = RegistryClient(self.app, basic("alice", "wonderland"))
        self.attached: dict[str, str] = {}

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
    ) -> None:
        """Push an image for two platforms."""
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
            # The pictures show no temporary port.
            receiver_url = "https://ci.example.org/images"
            registry.events.change_webhook(added.id, url=receiver_url)

    def fill(self) -> None:
        """Push the content of the pictures."""
        for number in range(4):
            self.release("alice/weather", f"2.0.{number}")
        self.release("alice/weather", "2.1.0", "2.1", "latest", signed=True)
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
            registry.access_tokens.issue(
                alice, name="build machine", repositories=["alice/*"]
            )


class Quiet(WSGIRequestHandler):
    """A request handler without a log."""

    def log(self, type: str, message: str, *args: t.Any) -> None:
        """Write nothing."""


def sign_in(page: Page, url: str) -> None:
    """Sign in as the demonstration account."""
    page.goto(f"{url}/login")
    page.fill("#username", "alice")
    page.fill("#password", "wonderland")
    page.click("main button")


def photograph(url: str, folder: Path, values: dict[str, str]) -> None:
    """Take a screenshot of each page, in each width and colour scheme.

    :param values: the ids and digests in the addresses.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        for scheme in SCHEMES:
            for place, width in WIDTHS.items():
                context = browser.new_context(
                    color_scheme=scheme, viewport={"width": width, "height": 900}
                )
                page = context.new_page()
                sign_in(page, url)
                for name, address in PAGES.items():
                    page.goto(url + address.format(**values))
                    page.wait_for_load_state("networkidle")
                    page.screenshot(
                        path=folder / f"{name}-{place}-{scheme}.png", full_page=True
                    )
                    if name in FRONT and place == "desk":
                        path = PICTURES / f"{name}-{scheme}.png"
                        page.screenshot(path=path, clip=t.cast(t.Any, CLIP))
                context.close()
        browser.close()


def main() -> None:
    """Fill a temporary forge, serve it, and take the screenshots."""
    folder = Path(
        sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs/_build/screenshots"
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as instance:
        forge = Forge(instance)
        forge.fill()
        forge.deliver()
        server = make_server(
            "127.0.0.1", 0, forge.app, threaded=True, request_handler=Quiet
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            values = {"webhook": forge.webhook, **forge.attached}
            photograph(address, folder, values)
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    main()
