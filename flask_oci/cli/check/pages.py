"""Checks of the pages, if the application has registered them."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from urllib.parse import urlsplit

from flask import got_request_exception
from flask import request_finished
from flask import request_started
from flask import url_for
from werkzeug.routing import BuildError

from ...auth import flask_login
from ...auth.principal import Principal
from . import blocked_content
from .finding import Finding
from .findings import pages as findings
from .transport import Unreachable
from .wsgi_transport import WsgiTransport

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from blinker import NamedSignal

    from .target import Target
    from .transport import Reply

#: The name of the blueprint of the pages. The application may register it under
#: another one.
_PAGES: t.Final = "oci_web"

#: The views to render. The second one needs a user, and tests the login page.
_VIEWS: t.Final = ("repositories", "tokens")


def check(target: Target, url: str, skipped: list[str]) -> Iterator[Finding]:
    """Render pages for an anonymous visitor, and for the user of the check.

    :param url: the address of the application.
    :param skipped: receives a sentence for each check that is skipped.
    """
    pages = [n for n, b in target.app.blueprints.items() if b.name == _PAGES]
    if not pages:
        return
    try:
        with target.app.test_request_context(base_url=url):
            addresses = [url_for(f"{pages[0]}.{v}", _external=True) for v in _VIEWS]
    except BuildError:
        skipped.append("The pages: their addresses have variables.")
        return
    yield from _login_view(target, addresses[-1])
    shown: list[tuple[str, Reply]] = []
    yield from _visits(target, addresses, shown, skipped)
    yield from blocked_content.check(target, shown)


def _visits(
    target: Target,
    addresses: list[str],
    shown: list[tuple[str, Reply]],
    skipped: list[str],
) -> Iterator[Finding]:
    """Request the pages for each visitor.

    :param shown: receives the address and the reply of each page.
    """
    visitor = "for an anonymous visitor"
    yield from _render(target, addresses, shown, visitor, _do_nothing)
    if target.user is None:
        return
    visitors: list[t.Any] = []
    with _receiver(target, request_finished, lambda: visitors.append(_visitor(target))):
        visitor, sign_in = "for a signed-in user", _signer(target)
        yield from _render(target, addresses, shown, visitor, sign_in)
    if not any(visitors):
        skipped.append(
            "The pages for a signed-in user: this application signs users in without"
            " Flask-Login."
        )


def _login_view(target: Target, address: str) -> Iterator[Finding]:
    with target.app.test_request_context(address):
        view = flask_login.login_view()
        is_address = view is None or view.startswith(("http://", "https://", "/"))
        if is_address or target.parts.config.login_url is not None:
            return
        try:
            url_for(str(view))
        except BuildError:
            yield findings.LOGIN_VIEW_UNKNOWN.found(f"It is {view}.")


def _render(
    target: Target,
    addresses: list[str],
    shown: list[tuple[str, Reply]],
    visitor: str,
    sign_in: Callable[[], object],
) -> Iterator[Finding]:
    """Request each page."""
    for address in addresses:
        errors: list[str] = []
        with (
            _receiver(target, request_started, sign_in),
            _collected(target, errors),
        ):
            reply = _get(target, address)
        if reply is None or reply.status >= 500:
            cause = errors[0] if errors else "The log has the cause"
            yield findings.PAGES_FAIL.found(
                f"{urlsplit(address).path}, {visitor}: {cause}."
            )
            continue
        shown.append((address, reply))
        if reply.status == 200 and _is_empty(target, reply):
            yield findings.PAGES_EMPTY.found(
                f"It is {target.parts.config.web_base_template}."
            )


def _get(target: Target, address: str) -> Reply | None:
    """Return the response, or None if the application raises an exception."""
    parts = urlsplit(address)
    transport = WsgiTransport(target.app, f"{parts.scheme}://{parts.netloc}")
    try:
        return transport.ask("GET", parts.path, {"Accept": "text/html"})
    except Unreachable:
        return None


def _is_empty(target: Target, reply: Reply) -> bool:
    """Return True if a page lacks the content of the registry's own layout."""
    layout = target.app.jinja_env.get_template("oci/layout.html")
    pages = next(b for b in target.app.blueprints.values() if b.name == _PAGES)
    is_own = str(layout.filename).startswith(pages.root_path)
    is_page = reply.headers.get("x-content-type-options") == "nosniff"
    return is_own and is_page and b'class="oci"' not in reply.body


def _signer(target: Target) -> Callable[[], object]:
    """Return a function that signs the user of the check in, for one request."""
    accounts, subject = (
        target.parts.accounts,
        target.parts.accounts.subject_of(target.user),
    )

    def sign_in() -> None:
        # Flask-Login takes the user from the request, and reads no session.
        target.parts.authenticator.sign_in(Principal(accounts.load(subject)))

    return sign_in


def _visitor(target: Target) -> t.Any:
    return target.parts.authenticator.visitor() is not None


def _do_nothing() -> None:
    """Sign no user in."""


@contextmanager
def _receiver(
    target: Target, signal: NamedSignal, function: Callable[[], object]
) -> Iterator[None]:
    """Call a function in each request, when Flask sends a signal."""

    def receive(_app: object, **_values: object) -> None:
        function()

    with signal.connected_to(receive, target.app):
        yield


@contextmanager
def _collected(target: Target, errors: list[str]) -> Iterator[None]:
    """Collect the exceptions that the application does not handle."""

    def receive(_app: object, exception: BaseException, **_values: object) -> None:
        errors.append(f"{type(exception).__name__}: {exception}")

    with got_request_exception.connected_to(receive, target.app):
        yield
