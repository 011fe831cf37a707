"""The image policy and the trusted signers of a repository or a path."""

from __future__ import annotations

import typing as t

from flask.typing import ResponseReturnValue

from ..catalog import RepositoryInfo
from ..rules.image_policy import parse
from ..rules.paths import path_text
from ..services import services
from . import forms
from .access import authorize
from .access import visitor
from .path_rules import managed
from .path_rules import set_by_visitor
from .rendering import Page
from .rendering import render
from .translation import gettext

#: The maximum number of tags of the preview.
MAX_TAGS: t.Final = 100


def policy(name: str) -> Page:
    """Show the policy of a repository, its signers, and the decision on each tag."""
    return _page(authorize(name, "manage"))


def set_policy(name: str) -> ResponseReturnValue:
    """Set the policy of a repository."""
    repository = authorize(name, "manage")
    error = _set(repository=repository)
    if error:
        return _page(repository, error), 422
    return forms.done(gettext("The policy was saved."), "policy", name=name)


def trust_signer(name: str) -> ResponseReturnValue:
    """Trust a signer in a repository."""
    repository = authorize(name, "manage")
    error = _trust(repository=repository)
    if error:
        return _page(repository, error), 422
    # The background work verifies the rest.
    services().content.attachments.check(repository)
    return forms.done(gettext("The signer is trusted now."), "policy", name=name)


def remove_signer(name: str) -> ResponseReturnValue:
    """End the trust of a repository in a signer."""
    repository = authorize(name, "manage")
    signer = forms.field("signer")
    services().trusted_signers.remove(signer, repository=repository, by=visitor())
    text = gettext("The signer is not trusted any more.")
    return forms.done(text, "policy", name=name)


def path_policy(name: str) -> Page:
    """Show the policy of a path and its signers."""
    return _path_page(managed(name))


def set_path_policy(name: str) -> ResponseReturnValue:
    """Set the policy of a path."""
    error = _set(**set_by_visitor(managed(name)))
    if error:
        return _path_page(name, error), 422
    return forms.done(gettext("The policy was saved."), "path_policy", name=name)


def trust_path_signer(name: str) -> ResponseReturnValue:
    """Trust a signer in a path."""
    error = _trust(**set_by_visitor(managed(name)))
    if error:
        return _path_page(name, error), 422
    return forms.done(gettext("The signer is trusted now."), "path_policy", name=name)


def remove_path_signer(name: str) -> ResponseReturnValue:
    """End the trust of a path in a signer."""
    scope, signer = set_by_visitor(managed(name)), forms.field("signer")
    services().trusted_signers.remove(signer, **scope, by=visitor())
    text = gettext("The signer is not trusted any more.")
    return forms.done(text, "path_policy", name=name)


def _set(**scope: t.Any) -> str:
    """Set the rules of the form.

    :param scope: the arguments that name the repository or the path.
    :return: the reason why they are refused; empty if they are set.
    """
    book, by = services().image_policies, visitor()
    try:
        rules = [rule.text for rule in parse(forms.field("rules").splitlines())]
    except ValueError as error:
        return str(error)
    try:
        if rules:
            book.set(rules, **scope, by=by)
        else:
            book.unset(**scope, by=by)
    except ValueError as error:
        return str(error)
    return ""


def _trust(**scope: t.Any) -> str:
    """Trust the signer of the form.

    :param scope: the arguments that name the repository or the path.
    :return: the reason why it is refused; empty if it is trusted.
    """
    value, issuer = forms.field("value"), forms.field("issuer")
    kind = "identity"
    if value.startswith("-----BEGIN"):
        kind = "certificate" if "CERTIFICATE" in value[:40] else "key"
    values: dict[str, t.Any] = {kind: value}
    try:
        services().trusted_signers.add(
            forms.field("signer"),
            **values,
            issuer=issuer,
            **scope,
            by=visitor(),
        )
    except ValueError as error:
        return str(error)
    return ""


def _page(repository: RepositoryInfo, error: str = "") -> Page:
    parts = services()
    gate = parts.content.policies
    return render(
        "oci/policy.html",
        repository=repository,
        rules=_shown(parts.image_policies.get(repository=repository), error),
        inherited=[p for p in gate.policies(repository) if p.path is not None],
        signers=parts.trusted_signers.applying(repository),
        decisions=gate.preview(repository)[:MAX_TAGS],
        error=error,
    )


def _path_page(name: str, error: str = "") -> Page:
    parts, path = services(), path_text(name)
    return render(
        "oci/path_policy.html",
        name=name,
        path=path,
        rules=_shown(parts.image_policies.get(**set_by_visitor(name)), error),
        signers=parts.trusted_signers.list(**set_by_visitor(name)),
        error=error,
    )


def _shown(stored: t.Sequence[str], error: str) -> list[str]:
    """Return the refused rules, or else the stored ones."""
    sent = forms.field("rules").splitlines() if error else []
    return sent or list(stored)
