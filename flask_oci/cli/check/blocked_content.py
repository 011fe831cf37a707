"""Content of the pages that their Content-Security-Policy blocks."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ...rules.wording import plural
from .csp import ContentPolicy
from .findings import pages as findings
from .page_content import PageParts

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Finding
    from .page_content import Part
    from .target import Target
    from .transport import Reply

#: The number of blocked parts that a finding names.
_NAMED: t.Final = 5

_HEADER: t.Final = "content-security-policy"


def check(target: Target, shown: list[tuple[str, Reply]]) -> Iterator[Finding]:
    """Find styles, scripts and other files that browsers do not load.

    :param shown: the address and the reply of each page.
    """
    blocked: dict[str, str] = {}
    changed = ""
    policies: dict[str, ContentPolicy] = {}
    for address, reply in shown:
        # A list of policies is more than this check can change.
        header = reply.headers.get(_HEADER, "")
        if not header or "," in header:
            continue
        policy = policies.setdefault(header, ContentPolicy(header, address))
        for part in _parts(address, reply):
            if not policy.allows(part):
                blocked.setdefault(part.label, urlsplit(address).path)
                policy.allow(part)
                changed = changed or header
    if blocked:
        is_setting = changed == target.parts.config.web_csp
        line = _line(str(policies[changed]), is_setting)
        yield findings.CONTENT_BLOCKED.found(
            _described(blocked), lines={"python": line}
        )


def _parts(address: str, reply: Reply) -> list[Part]:
    parser = PageParts(address)
    parser.feed(reply.body.decode("utf-8", "replace"))
    parser.close()
    return parser.found


def _described(blocked: dict[str, str]) -> str:
    named = list(blocked)[:_NAMED]
    rest = len(blocked) - len(named)
    more = f" and {plural(rest, 'other part')}" if rest else ""
    return f"{next(iter(blocked.values()))} contains {', '.join(named)}{more}."


def _line(policy: str, is_setting: bool) -> str:
    """Return the line that sets a policy.

    :param is_setting: whether the policy is that of the setting, and not a header of
        the application.
    """
    if is_setting:
        return f'OCI_WEB_CSP = "{policy}"'
    return f"Content-Security-Policy: {policy}"
