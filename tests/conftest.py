from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Replace pytest-flask's fixture: one context per request, as in production.

    The original keeps one application context open around a whole test. The test
    client then reuses it, and ``flask.g`` with Flask-Login's user in it leaks from
    one request into the next: an anonymous request would be answered as alice.
    """
