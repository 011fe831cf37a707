"""Forms: CSRF protection, confirmations and messages."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from flask import abort
from flask import redirect
from flask import request
from flask import session
from flask import url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ..events.request_state import is_writing
from ..http import body
from ..services import services
from .access import visitor
from .rendering import Page
from .rendering import render

#: The field of the registry's CSRF token. Flask-WTF has a field of its own.
FIELD: t.Final = "oci_form"

#: The maximum size of a form in bytes: a description takes up to three times its size.
MAX_FORM: t.Final = 256 * 1024

#: The session key of the message for the next page.
_MESSAGE: t.Final = "oci_message"

#: The session key of the fields of the form that undoes the previous request.
_UNDO: t.Final = "oci_undo"

#: The fields that a confirmation does not repeat.
_OWN_FIELDS: t.Final = frozenset({FIELD, "csrf_token", "confirmed"})


def form_token() -> str:
    """Return the CSRF token for the visitor's forms."""
    parts = services()
    user = visitor()
    return parts.form_tokens.sign(parts.accounts.subject_of(user) if user else "")


def check() -> None:
    """Refuse a form without a valid CSRF token of the visitor: 400. Refuse a form that
    is too large: 413.

    The pages have no other protection, because they are exempt from the application's.
    """
    if not is_writing():
        return
    form, parts = body.form(MAX_FORM), services()
    # The visitor and the permissions are read after the form has arrived.
    parts.catalog.release()
    sent, user = form.get(FIELD, ""), visitor()
    subject = parts.accounts.subject_of(user) if user else ""
    if not parts.form_tokens.accepts(sent, subject):
        abort(400)


def field(name: str) -> str:
    """Return the value of a field, without the NULs that databases cannot store."""
    return request.form.get(name, "").replace("\0", "").strip()


def confirmed() -> bool:
    """Return True if the form was sent from a confirmation page."""
    return request.form.get("confirmed") == "yes"


def ask(
    question: str,
    consequences: Sequence[str],
    button: str,
    back: str,
    *,
    danger: bool = True,
    **values: t.Any,
) -> Page:
    """Render a confirmation page, with the consequences of an action.

    Its form repeats the current request, with the same fields.

    :param back: the address of the button that cancels.
    :param danger: whether the action is destructive.
    :param values: other variables of the template.
    """
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in _OWN_FIELDS
    ]
    return render(
        "oci/confirm.html",
        question=question,
        consequences=consequences,
        button=button,
        back=back,
        danger=danger,
        fields=fields,
        **values,
    )


def done(text: Markup, endpoint: str, **values: t.Any) -> ResponseReturnValue:
    """Redirect to a page that shows a message.

    Flask's own ``flash`` is not used, because an application's base template may not
    show its messages.
    """
    session[_MESSAGE] = str(text)
    return redirect(url_for(f".{endpoint}", **values))


def offer_undo(fields: dict[str, t.Any]) -> None:
    """Show a button that undoes a deletion, beside the message of the next page.

    :param fields: the name of the repository, and the fields of the form.
    """
    session[_UNDO] = fields


def undo() -> t.Any:
    """Return the fields of the form that undoes the previous request, once."""
    return session.pop(_UNDO, None)


def message() -> Markup | None:
    """Return the message of the previous request, once."""
    # The session is signed, and gettext has escaped the values in the message.
    text = session.pop(_MESSAGE, None)
    return Markup(text) if text else None  # noqa: S704
