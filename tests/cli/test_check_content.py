"""``flask oci check`` on base templates with content that the CSP blocks."""

from __future__ import annotations

import re
import typing as t

import pytest
from flask import Flask
from jinja2 import DictLoader

from tests.support.check_world import check
from tests.support.check_world import SECRET

MakeApp = t.Callable[..., Flask]

#: A base template as many applications have it. The first line is allowed.
TEMPLATE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<link rel="stylesheet" href="/static/own.css"><script src="/static/own.js"></script>
<script type="application/json">{"data": 1}</script>
<title>{% block title %}{% endblock %}</title>
<link rel="stylesheet" href="OTHER/bootstrap.min.css">
<link rel="icon" href="data:image/svg+xml,%3Csvg/%3E">
<style>nav { color: red }</style>
<script>window.menu = 1 < 2</script>
</head><body><nav style="margin: 0"><button onclick="window.menu = 2">Menu</button>
<img src="OTHER/logo.png" alt="Logo"><form action="OTHER/search"></form></nav>
<main>{% block content %}{% endblock %}</main></body></html>"""

SETTINGS: dict[str, object] = {
    "SECRET_KEY": SECRET,
    "TESTING": False,
    "OCI_WEB_BASE_TEMPLATE": "site.html",
}

#: The address of another site, which does not answer.
OTHER = "http://127.0.0.1:9"

BLOCKED = (
    f"{OTHER}/bootstrap.min.css",
    "data:image/svg+xml,%3Csvg/%3E",
    "an inline <style>",
    "an inline <script>",
    '<nav style="…">',
)


def with_template(app: Flask, template: str = TEMPLATE) -> Flask:
    """Give an application a base template."""
    pages = {"site.html": template.replace("OTHER", OTHER)}
    app.jinja_loader = DictLoader(pages)
    return app


@pytest.fixture(name="make_site")
def _make_site(make_app: MakeApp) -> t.Callable[..., Flask]:
    """Return a function that creates an application with the template."""

    def make_site(**more: object) -> Flask:
        return with_template(make_app(**SETTINGS, **more))

    return make_site


def policy_of(lines: str, prefix: str) -> str:
    """Return the policy in the line of a remedy."""
    found = re.fullmatch(f'{re.escape(prefix)}"?([^"]*)"?', lines)
    assert found is not None, lines
    return found[1]


def test_check_of_template_with_blocked_content_prints_the_line_that_allows_it(
    make_site: t.Callable[..., Flask],
) -> None:
    """With that line, the check finds nothing."""
    found = check(make_site())
    assert found.codes == {"content-blocked"}
    finding = found.findings["content-blocked"]
    assert finding["detail"] == (
        f"/images/ contains {', '.join(BLOCKED)} and 3 other parts."
    )
    policy = policy_of(finding["remedies"]["python"], "OCI_WEB_CSP = ")
    directives = dict(d.split(" ", 1) for d in policy.split("; "))
    assert directives["style-src"].startswith(f"'self' {OTHER} 'sha256-")
    assert directives["script-src-attr"].startswith("'unsafe-hashes' 'sha256-")
    assert directives["style-src-attr"] == "'unsafe-inline'"
    assert directives["img-src"] == f"'self' data: {OTHER}"
    assert directives["form-action"] == f"'self' {OTHER}"
    assert "unsafe-inline" not in directives["script-src"]
    assert not check(make_site(OCI_WEB_CSP=policy)).codes


@pytest.mark.parametrize(
    ("policy", "is_blocked"),
    [
        ("default-src * data: 'unsafe-inline'; form-action *", False),
        ("default-src 'none'", True),
        ("style-src 'self' https:; script-src-attr 'none'", True),
        ("script-src 'nonce-other' 'unsafe-inline'; style-src 'unsafe-inline' *", True),
    ],
)
def test_check_follows_the_policy_of_the_application(
    make_site: t.Callable[..., Flask], policy: str, is_blocked: bool
) -> None:
    """A header that the application sets is not replaced, and has another remedy."""
    app, current = make_site(OCI_WEB_CSP=None), [policy]

    @app.after_request
    def set_policy(response: t.Any) -> t.Any:
        response.headers["Content-Security-Policy"] = current[0]
        return response

    found = check(app)
    assert found.codes == ({"content-blocked"} if is_blocked else set())
    if is_blocked:
        lines = found.findings["content-blocked"]["remedies"]["python"]
        current[0] = policy_of(lines, "Content-Security-Policy: ")
        assert not check(app).codes


def test_check_of_pages_without_policy_finds_nothing(
    make_site: t.Callable[..., Flask],
) -> None:
    """No browser blocks anything then."""
    assert not check(make_site(OCI_WEB_CSP=None)).codes
