"""Checks of image policies and trusted signers."""

from __future__ import annotations

import typing as t

from ...rules.image_policy import parse
from ...rules.image_policy import Policy
from ...rules.paths import covers
from ...rules.paths import parse_path
from ...rules.paths import paths_of
from ...verification import is_available
from ...verification import root_problem
from .findings import trust as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.rule_book import RuleEntry
    from ...core.trusted_signers import TrustedSigner
    from .finding import Finding
    from .target import Target

#: The number of policies that a finding names.
_NAMED: t.Final = 5


def check(target: Target) -> Iterator[Finding]:
    """Find signers that cannot be verified, and policies that no image can meet."""
    parts = target.parts
    signers = parts.trusted_signers.list()
    if signers and not is_available():
        yield findings.EXTRA_MISSING.found(f"There are {len(signers)} trusted signers.")
    identities = [each.name for each in signers if each.kind == "identity"]
    root = parts.config.sigstore_root
    if identities and root is None:
        yield findings.ROOT_MISSING.found(f"For example: {identities[0]}.")
    elif identities and root is not None and (problem := root_problem(root)):
        yield findings.ROOT_UNUSABLE.found(f"{root}: {problem}.")
    entries = parts.image_policies.list()
    unknown = [text for each in entries for text in _unknown(each, signers)]
    if unknown:
        yield findings.SIGNER_UNKNOWN.found(
            f"For example: {', '.join(unknown[:_NAMED])}."
        )
    hasty = [
        _scope(each)
        for each in entries
        if _requires_signature(Policy(parse(each.value)))
    ]
    if hasty:
        yield findings.NO_TIME_TO_SIGN.found(
            f"For example: {', '.join(hasty[:_NAMED])}."
        )


def _requires_signature(policy: Policy) -> bool:
    """Return True if images need a signature and cannot be pulled to be signed."""
    needed = any(rule.action == "signature" for rule in policy.conditions)
    return needed and not (policy.grace or policy.only_warns)


def _unknown(
    entry: RuleEntry[tuple[str, ...]], signers: t.Sequence[TrustedSigner]
) -> Iterator[str]:
    """Yield the rules of a policy none of whose signers is trusted."""
    known = {each.name for each in signers if _is_known(entry, each)}
    for rule in Policy(parse(entry.value)).conditions:
        if rule.action == "signature" and known.isdisjoint(rule.names):
            yield f"'{rule.text}' of {_scope(entry)}"


def _is_known(entry: RuleEntry[t.Any], signer: TrustedSigner) -> bool:
    if entry.repository is not None:
        paths = paths_of(entry.repository)
        return signer.repository == entry.repository or (
            signer.path is not None and parse_path(signer.path) in paths
        )
    return signer.path is not None and covers(
        parse_path(signer.path), parse_path(entry.path or "*")
    )


def _scope(entry: RuleEntry[t.Any]) -> str:
    return entry.repository or entry.path or ""
