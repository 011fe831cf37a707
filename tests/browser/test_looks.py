"""The look and the accessibility of the pages, also with hostile content."""

from __future__ import annotations

import typing as t

import pytest

from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_CONFIG
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME
from tests.support.pusher import Pusher

from .conftest import ADMINISTRATOR
from .conftest import SCHEMES
from .conftest import WIDTHS
from .window import Window

pytestmark = pytest.mark.real

#: Scripts in all the forms that a page could execute.
HOSTILE = (
    "</code></pre></script><script>alert(1)</script>"
    "<img src=x onerror=alert(2)><svg onload=alert(3)>"
    '"onmouseover="alert(4)" \'{{7*7}}\' javascript:alert(5) \u202e\u2066'
)
#: A text wider than any window, without a place for a line break.
LONG = "a" * 400


#: Attached files, by the tags of their artifacts.
FILES: t.Final = {
    "sbom": {
        "spdxVersion": "SPDX-2.3",
        "name": HOSTILE,
        "packages": [
            {"name": text, "versionInfo": text, "licenseDeclared": text}
            for text in (HOSTILE, LONG)
        ],
    },
    "scan": {
        "runs": [
            {
                "tool": {"driver": {"name": HOSTILE}},
                "results": [
                    {"ruleId": text, "level": level, "message": {"text": text}}
                    for level, text in (("error", HOSTILE), ("note", LONG))
                ],
            }
        ]
    },
    "attestation": {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": f"https://example.org/{LONG}",
        "predicate": {"builder": {"id": HOSTILE}, "buildType": LONG},
    },
}


def pages(repository: str) -> list[str]:
    """Return the addresses of all pages, with those of a repository."""
    return [
        "/images/",
        "/images/?q=nothing+there",
        f"/images/{repository}",
        f"/images/{repository}?show=untagged",
        f"/images/{repository}/-/image/hostile",
        f"/images/{repository}/-/image/index",
        f"/images/{repository}/-/image/chart",
        *(f"/images/{repository}/-/image/{tag}" for tag in FILES),
        f"/images/{repository}/-/compare?from=hostile&to=chart",
        f"/images/{repository}/-/history",
        f"/images/{repository}/-/settings",
        f"/images/{repository}/-/settings/retention",
        f"/images/{repository}/-/uploads",
        "/images/-/storage",
        "/images/-/tokens",
        "/images/-/robots",
        "/images/-/webhooks",
        f"/images/-/webhooks/new?repository={repository}",
    ]


#: A phone with the light theme, and a desktop with the dark theme.
EITHER = pytest.mark.parametrize(
    ("width", "scheme"), list(zip(WIDTHS, SCHEMES, strict=True))
)

UPLOADS = "/images/-/uploads"
ADMINISTRATION = (
    "/images/-/administration",
    UPLOADS,
    "/images/-/events",
    "/images/-/webhooks",
    "/images/-/users",
    "/images/-/users?user=alice",
    "/images/-/jobs",
    "/images/-/upstreams",
    "/images/-/rules",
    "/images/alice/-/rules",
    "/images/alice/-/rules/retention",
)


@pytest.fixture(name="hostile")
def _push_what_is_hostile(pusher: Pusher) -> None:
    """Push hostile texts to every place that clients can write to."""
    config = encoded(
        {
            "architecture": HOSTILE,
            "os": "linux",
            "author": HOSTILE,
            "config": {
                "Env": [f"{HOSTILE}={HOSTILE}", f"LONG={LONG}"],
                "Entrypoint": [HOSTILE],
                "Labels": {HOSTILE: HOSTILE, LONG: LONG},
                "ExposedPorts": {HOSTILE: {}},
            },
            "history": [{"created_by": HOSTILE}, {"created_by": LONG}],
        }
    )
    chart = encoded({"name": HOSTILE, "version": LONG, "description": HOSTILE})
    title = {"org.opencontainers.image.title": HOSTILE}
    notes = {HOSTILE: HOSTILE, "org.opencontainers.image.description": LONG}
    for content in (config, chart, b"one", b"two"):
        pusher.blob(content)
    layers = [
        descriptor(content, "text/x.$weird&type", annotations=title)
        for content in (b"one", b"two")
    ]
    pushed = image(*layers, config=descriptor(config, OCI_CONFIG), annotations=notes)
    pusher.manifest(pushed, "hostile")
    pusher.manifest(pushed, "a" * 128)
    platform = {"os": HOSTILE, "architecture": LONG}
    child = descriptor(pushed, OCI_MANIFEST, platform=platform)
    pusher.manifest(index(child, annotations=notes), "index")
    helm = descriptor(chart, "application/vnd.cncf.helm.config.v1+json")
    pusher.manifest(image(*layers, config=helm), "chart")
    pusher.manifest(image(layers[0], config=helm), "chart")
    for tag, fields in FILES.items():
        content = encoded(fields)
        pusher.blob(content)
        file = descriptor(content, "application/json", annotations=title)
        pusher.manifest(image(file, config=helm, artifactType="text/x"), tag)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_are_accessible_and_safe(
    open_window: t.Callable[..., Window],
    repository: str,
    width: int,
    scheme: str,
) -> None:
    """No page is wider than the window, has a serious finding of axe-core, or runs
    pushed content."""
    window = open_window(width, scheme)
    window.sign_in(USERNAME, PASSWORD)
    window.go(f"/images/{repository}/-/settings")
    window.page.get_by_role("textbox", name="Description").fill(
        f"# {HOSTILE}\n\n[click]({HOSTILE}) ![see](https://example.org/x.png)\n\n{LONG}"
        f"\n\n```\n{HOSTILE}\n{LONG}\n```\n\n| a |\n| - |\n| {LONG} |"
    )
    window.click("button", "Save")
    for address in pages(repository):
        window.go(address)
        window.unfold()
        window.check_layout()
        window.check_accessibility()
        window.check()


@pytest.mark.usefixtures("hostile")
@EITHER
def test_confirmations_are_accessible_and_cancel(
    open_window: t.Callable[..., Window], repository: str, width: int, scheme: str
) -> None:
    """Each confirmation is as accessible as its page, and can be cancelled."""
    window = open_window(width, scheme)
    window.sign_in(USERNAME, PASSWORD)

    def look() -> None:
        assert window.page.get_by_role("link", name="Cancel").count()
        window.check_layout()
        window.check_accessibility()
        window.check()

    window.go(f"/images/{repository}/-/settings")
    window.page.get_by_role("radio", name="Public").check()
    window.click("button", "Change")
    look()
    window.click("link", "Cancel")
    window.page.get_by_label("Rules").fill("keep 1 newest of h*\ndelete *")
    window.click("button", "Preview and save")
    look()
    window.click("link", "Cancel")
    window.click("button", "Delete", exact=False)
    look()
    window.go(f"/images/{repository}")
    window.page.get_by_label("Select all on this page").check()
    window.click("button", "Delete selected tags")
    look()
    window.go(f"/images/{repository}/-/image/scan")
    window.click("button", "Delete the image with all tags")
    look()
    window.click("button", "Delete the image")
    assert window.says("Deleted 1 image.")
    window.check_layout()
    window.check_accessibility()
    window.click("button", "Undo")
    window.go(f"/images/{repository}/-/image/scan")
    window.click("button", "Delete the image with all tags")
    window.click("button", "Delete the image")
    window.go(f"/images/{repository}/-/history")
    window.check_layout()
    window.check_accessibility()
    window.click("button", "Delete", exact=False)
    look()
    window.click("link", "Cancel")
    window.click("button", "Restore", exact=False)
    assert window.says("was restored.")
    window.go(f"/images/{repository}/-/image/scan")
    assert window.says("2 findings")


@EITHER
def test_example_pages_are_accessible(
    open_window: t.Callable[..., Window], repository: str, width: int, scheme: str
) -> None:
    """The pages of the example and the empty pages are accessible, for signed-in and
    anonymous visitors."""
    window = open_window(width, scheme)

    def look(address: str = "") -> None:
        if address:
            window.go(address)
        window.check_layout()
        window.check_accessibility()

    for address in ("/", "/images/", "/login"):
        look(address)
    window.page.fill("#username", USERNAME)
    window.page.fill("#password", "wrong")
    window.leave_by(window.page.locator("main button"))
    look()
    window.sign_in(USERNAME, PASSWORD)
    look("/")
    look("/projects/new")
    window.page.fill("#name", repository.partition("/")[2])
    window.page.fill("#description", LONG[:200])
    window.click("button", "Create project")
    look()
    look("/")
    look(f"/images/?under={repository}")
    for address in (f"/images/{repository}-nothing", "/nothing"):
        look(address)
        assert window.page.locator("main h1").count() == 1
    # The browser also logs responses with 403 and 404 in its console.
    window.wrong = [text for text in window.wrong if "a status of 4" not in text]
    window.check()


def test_uploads_page_reloads_until_idle(
    window: Window, pusher: Pusher, repository: str
) -> None:
    """Users who may push see the uploads, and the page reloads until there are none."""
    pusher.image("1.0", b"a layer")
    upload = pusher.start(b"x" * 123_000)
    window.go(f"/images/{repository}")
    window.click("link", "1 upload is in progress")
    assert window.page.url.endswith(f"/images/{repository}/-/uploads")
    assert window.says("123 kB so far")
    upload = pusher.append(upload, b"x" * 111_000)
    window.page.get_by_text("234 kB so far").wait_for(timeout=60_000)
    pusher.cancel(upload)
    window.page.get_by_text("There are no uploads.").wait_for(timeout=60_000)
    window.check()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_administration_is_accessible(
    open_window: t.Callable[..., Window], pusher: Pusher, width: int, scheme: str
) -> None:
    """The administration pages are accessible, and show the uploads in progress."""
    window = open_window(width, scheme)
    window.sign_in(ADMINISTRATOR, PASSWORD)
    upload = pusher.start(b"x" * 123_000)
    try:
        with window.held():
            for address in ADMINISTRATION:
                window.go(address)
                window.check_layout()
                window.check_accessibility()
                window.check()
            add_webhook(window)
        window.go(UPLOADS)
        assert window.says("123 kB so far")
        assert not window.says("234 kB so far")
        # The page reloads and shows the new size.
        upload = pusher.append(upload, b"x" * 111_000)
        window.page.get_by_text("234 kB so far").wait_for(timeout=60_000)
    finally:
        # The next window must not see this upload.
        pusher.cancel(upload)


@EITHER
def test_reference_is_accessible_and_sends_requests(
    open_window: t.Callable[..., Window], pusher: Pusher, width: int, scheme: str
) -> None:
    """Swagger UI works under the Content-Security-Policy, in the colours of the
    pages, and sends a request with a password."""
    pusher.image("1.0", b"a layer")
    window = open_window(width, scheme)
    window.go("/images/-/reference")
    page = window.page
    page.get_by_role("button", name="Authorize").first.click()
    page.locator("#auth-basic-username").fill(USERNAME)
    page.locator("#auth-basic-password").fill(PASSWORD)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close").first.click()
    page.get_by_role("button", name="GET /repositories List", exact=False).click()
    page.get_by_role("button", name="Try it out").click()
    window.check_accessibility()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table").get_by_text('"visibility"').first.wait_for()
    window.check_layout()
    window.check_accessibility()
    window.check()


def add_webhook(window: Window) -> None:
    """Add, test, edit and delete a webhook, and check each page on the way."""

    def look() -> None:
        window.unfold()
        window.check_layout()
        window.check_accessibility()
        window.check()

    window.go("/images/-/webhooks")
    window.click("link", "Add a webhook")
    look()
    window.page.get_by_label("Address").fill(f"http://localhost:1/{LONG}")
    window.click("button", "Add the webhook")
    assert window.says("It is not shown again.")
    look()
    window.click("button", "Send a test")
    assert window.says("is not a public address")
    look()
    window.click("link", "Edit")
    look()
    window.click("link", "Cancel")
    window.click("button", "Delete")
    look()
    window.click("button", "Delete the webhook")
    assert window.says("The webhook was deleted.")
    look()


@pytest.mark.usefixtures("hostile")
def test_pages_work_with_the_keyboard(window: Window, repository: str) -> None:
    """The tab key reaches every link and button, with a visible focus."""
    window.go(f"/images/{repository}")
    page, reached = window.page, set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
        if page.evaluate("document.activeElement !== document.body"):
            outline = page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle"
            )
            assert outline != "none"
    assert {"hostile", "index", "Settings", "Delete selected tags"} <= reached


@pytest.mark.usefixtures("hostile")
def test_search_while_typing_finds_tags_of_other_pages(
    window: Window, repository: str, forge: Forge
) -> None:
    """The script asks the server, and the buttons of its answer work."""
    pusher, page = Pusher(forge, repository), window.page
    for number in range(26):
        pusher.image(f"later{number}", b"later")
    window.go(f"/images/{repository}")
    assert not window.says("hostile")
    page.get_by_label("Search tags").fill("HOST")
    page.get_by_role("link", name="hostile").wait_for()
    assert page.locator("#entries > li").count() == 1
    assert page.url.endswith("?q=HOST")
    page.get_by_label("Select all on this page").check()
    assert page.get_by_label("Select hostile").is_checked()
    assert page.locator("#entries [data-copy]").first.is_visible()
    window.check_accessibility()
    page.get_by_label("Search tags").fill("no such tag")
    page.get_by_text("No tag contains “no such tag”.").wait_for()


@pytest.mark.usefixtures("hostile")
def test_commands_of_a_program_are_remembered(window: Window, repository: str) -> None:
    """The tabs work with the keyboard, and the next page opens the same one."""
    page = window.page
    window.go(f"/images/{repository}/-/image/index")
    page.get_by_role("radio", name="Docker", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    assert page.get_by_text("kind: Pod").first.is_visible()
    assert not page.get_by_text("docker pull").first.is_visible()
    page.get_by_label("By digest").check()
    window.go(f"/images/{repository}/-/image/hostile")
    assert page.get_by_role("radio", name="Kubernetes").is_checked()


def test_pages_work_without_scripts(
    chromium: t.Any, forge: t.Any, repository: str
) -> None:
    """The pages have the same content if scripts are disabled."""
    context = chromium.new_context(base_url=forge.url, java_script_enabled=False)
    try:
        window = Window(context.new_page())
        window.sign_in(USERNAME, PASSWORD)
        Pusher(forge, repository).blob(b"{}")
        layer = descriptor(b"{}", "text/plain")
        Pusher(forge, repository).manifest(
            image(layer, config=descriptor(b"{}", OCI_CONFIG)), "1.0"
        )
        window.go(f"/images/{repository}")
        window.page.get_by_text("Podman", exact=True).click()
        window.page.get_by_text("By digest").click()
        assert window.says(f"podman pull {forge.host}/{repository}@sha256:")
        window.page.get_by_label("Select 1.0").check()
        window.click("button", "Delete selected tags")
        window.click("button", "Delete the tag")
        assert window.says("Deleted 1 tag.")
        window.check()
    finally:
        context.close()
