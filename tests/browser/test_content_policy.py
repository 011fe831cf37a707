"""A real browser and the policy that ``flask oci check`` suggests for a template."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from tests.cli.test_check_content import policy_of
from tests.cli.test_check_content import SETTINGS
from tests.cli.test_check_content import with_template
from tests.support.check_world import check

pytestmark = pytest.mark.real

_RECORD = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => {
  window.violations.push(event.effectiveDirective);
});
"""


def test_suggested_policy_allows_what_the_browser_blocked(
    chromium: t.Any, make_app: t.Callable[..., Flask], serve: t.Callable[[Flask], int]
) -> None:
    """The browser blocks each part that the check names, and none with its line."""

    app = with_template(make_app(**SETTINGS))
    remedies = check(app).findings["content-blocked"]["remedies"]
    policy = policy_of(remedies["python"], "OCI_WEB_CSP = ")
    allowed = with_template(make_app(**SETTINGS, OCI_WEB_CSP=policy))
    page = chromium.new_page()
    page.add_init_script(_RECORD)
    try:
        page.goto(f"http://127.0.0.1:{serve(app)}/images/")
        page.get_by_role("button", name="Menu").click()
        assert sorted(page.evaluate("window.violations")) == [
            *("img-src", "img-src", "script-src-attr", "script-src-elem"),
            *("style-src-attr", "style-src-elem", "style-src-elem"),
        ]
        page.goto(f"http://127.0.0.1:{serve(allowed)}/images/")
        assert page.evaluate("window.menu") == 1
        page.get_by_role("button", name="Menu").click()
        assert page.evaluate("window.menu") == 2
        assert page.evaluate("window.violations") == []
    finally:
        page.close()
