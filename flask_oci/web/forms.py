"""Forms that nobody else can send, and questions before what cannot be undone."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from flask import abort
from flask import redirect
from flask import render_template
from flask import request
from flask import session
from flask import url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ..services import services
from .access import visitor

#: The field of our own token. A host's protection has a field of its own.
FIELD: t.Final = "oci_form"

#: Where in the session a page leaves a word for the next one.
_SAID: t.Final = "oci_said"

#: What a form has beside what it asks for.
_APART: t.Final = frozenset({FIELD, "csrf_token", "confirmed"})


def form_token() -> str:
    """Return what a form of the visitor's has to have in it."""
    parts = services()
    user = visitor()
    return parts.form_tokens.sign(parts.catalog.users.subject_of(user) if user else "")


def check() -> None:
    """Refuse what is sent in a visitor's name by a page that is none of ours: 400."""
    if request.method != "POST":
        return
    parts, user = services(), visitor()
    subject = parts.catalog.users.subject_of(user) if user else ""
    if not parts.form_tokens.accepts(request.form.get(FIELD, ""), subject):
        abort(400)


def field(name: str) -> str:
    """Return what was filled in, without what a database cannot store."""
    return request.form.get(name, "").replace("\0", "").strip()


def confirmed() -> bool:
    """Tell whether the visitor has read what will happen, and wants it."""
    return request.form.get("confirmed") == "yes"


def ask(
    question: str,
    consequences: Sequence[str],
    button: str,
    back: str,
    *,
    danger: bool = True,
    **values: t.Any,
) -> str:
    """Show what will happen, and a form that does it.

    The form is sent to where this one was, with the same in it.

    :param back: where to go when it had better not happen.
    :param values: what the page shows beside it.
    """
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in _APART
    ]
    return render_template(
        "oci/confirm.html",
        question=question,
        consequences=consequences,
        button=button,
        back=back,
        danger=danger,
        fields=fields,
        **values,
    )


def done(said: Markup, endpoint: str, **values: t.Any) -> ResponseReturnValue:
    """Say what has happened on the page that comes next.

    Not as a message of Flask's: a host's base may show those, or may not.
    """
    session[_SAID] = str(said)
    return redirect(url_for(f"oci_web.{endpoint}", **values))


def message() -> Markup | None:
    """Return what the page before this one had to say, once."""
    # The session is signed, and what is in it was escaped by gettext.
    said = session.pop(_SAID, None)
    return Markup(said) if said else None  # noqa: S704
