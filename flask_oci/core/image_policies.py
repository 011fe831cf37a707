"""Image policies: the decision on a manifest that is pulled or tagged."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from ..clock import utcnow
from ..rules.image_policy import parse
from ..rules.image_policy import Policy
from ..rules.image_policy import PolicyRefused
from ..rules.image_policy import PolicyVerdict
from ..rules.paths import covers
from ..rules.paths import EVERY
from ..rules.paths import parse_path
from ..rules.paths import path_text
from ..rules.protection import is_attached
from ..spec.manifest import INDEX_TYPES
from .policy_facts import scan_verdict
from .policy_facts import severity_verdict
from .signature_facts import signatures_in

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.attachments import AttachmentFacts
    from ..config import Config
    from ..rules.image_policy import PolicyRule
    from .signature_facts import SignatureFact
    from .trusted_signers import TrustedSigner
    from .trusted_signers import TrustedSigners

#: The number of tags of one page of a preview.
PREVIEW_SIZE: t.Final = 100


@dataclass(frozen=True, slots=True)
class TagVerdict:
    """The decision on the image of a tag, and the verdict on each rule."""

    tag: str
    digest: str
    result: str
    """``allowed``, ``warning`` or ``refused``."""

    verdicts: list[PolicyVerdict]


class PolicyGate:
    """Decides whether images meet the policies of their repository.

    :param config: the configuration, with the policy of the site.
    """

    def __init__(
        self, config: Config, catalog: Catalog, signers: TrustedSigners
    ) -> None:
        self._catalog = catalog
        self._signers = signers
        self._site = config.image_policy

    @property
    def has_site_policy(self) -> bool:
        """Whether the configuration sets a policy for all repositories."""
        return bool(self._site)

    def check_pull(
        self,
        repository: RepositoryInfo,
        digest: str,
        media_type: str,
        tag: str | None,
        by: str | None = None,
    ) -> list[PolicyVerdict]:
        """Check that an image may be pulled.

        :param tag: the tag of the request, or None for a pull by digest.
        :param by: the name of the user who pulls, or None.
        :return: the rules that only warn and that the image does not meet.
        :raises PolicyRefused: if it does not meet the policies.
        """
        name = f"{repository.name}:{tag}" if tag else f"{repository.name}@{digest}"
        found = self.verdicts(repository, digest, media_type, tag, by=by)
        return _decide(name, found)

    def check_tags(
        self,
        repository: RepositoryInfo,
        digest: str,
        media_type: str,
        tags: Sequence[str],
    ) -> None:
        """Check that tags may be set to an image, which may be new.

        :raises PolicyRefused: if a policy checks pushed tags, and the image does not
            meet it.
        """
        for tag in tags:
            if not is_attached(tag):
                found = self.verdicts(repository, digest, media_type, tag, pushed=True)
                _decide(f"{repository.name}:{tag}", found)

    def verdicts(
        self,
        repository: RepositoryInfo,
        digest: str,
        media_type: str,
        tag: str | None,
        *,
        pushed: bool = False,
        by: str | None = None,
        rules: Sequence[PolicyRule] | None = None,
    ) -> list[PolicyVerdict]:
        """Return the verdict on each rule of the policies that apply to an image.

        :param tag: the tag of the request, or None for a pull by digest.
        :param pushed: whether the tag is being set.
        :param by: the name of the user who pulls, or None.
        :param rules: rules of the repository to try, instead of the present ones.
        """
        policies = self.policies(repository, rules)
        if pushed:
            policies = [each for each in policies if each.checks_pushed_tags]
        policies = [each for each in policies if by not in each.scanners]
        if not policies or self._is_attachment(repository, digest):
            return []
        image = _Image(self._catalog, self._signers, repository, digest, media_type)
        return [v for each in policies for v in _of(each, image, tag, pushed)]

    def policies(
        self, repository: RepositoryInfo, rules: Sequence[PolicyRule] | None = None
    ) -> list[Policy]:
        """Return the policies of a repository, of the longest path with one, and of the
        site. All of them apply.

        :param rules: rules of the repository to try, instead of the present ones.
        """
        held = self._catalog.rules.holding("policy", repository.key)
        own = parse(held.own or ()) if rules is None else tuple(rules)
        found = [Policy(own, None, repository.name)]
        if held.path is not None:
            rules_of_path = parse(held.of_path or ())
            found.append(Policy(rules_of_path, held.path, path_text(held.path)))
        found.append(Policy(tuple(self._site), "", EVERY))
        return [each for each in found if each.rules]

    def preview(
        self,
        repository: RepositoryInfo,
        after: str | None = None,
        rules: Sequence[PolicyRule] | None = None,
    ) -> list[TagVerdict]:
        """Return the decisions on the images of some tags, by name.

        :param after: the tag after which the page begins.
        :param rules: rules of the repository to try, instead of the present ones.
        """
        names = self._catalog.tags.page(repository.key, PREVIEW_SIZE, after)
        found = []
        for name in names:
            stored = self._catalog.manifests.find(repository.key, name, content=False)
            if stored is None or is_attached(name):
                continue
            verdicts = self.verdicts(
                repository, stored.digest, stored.media_type, name, rules=rules
            )
            results = {verdict.result for verdict in verdicts}
            worst = next((r for r in ("refused", "warning") if r in results), "allowed")
            found.append(TagVerdict(name, stored.digest, worst, verdicts))
        return found

    def _is_attachment(self, repository: RepositoryInfo, digest: str) -> bool:
        return self._catalog.attachments.is_attachment(repository.key, digest)


class _Image:
    """The facts about an image, each read when a rule first needs it."""

    def __init__(
        self,
        catalog: Catalog,
        signers: TrustedSigners,
        repository: RepositoryInfo,
        digest: str,
        media_type: str,
    ) -> None:
        self._catalog = catalog
        self._signers = signers
        self.repository = repository
        self.digest = digest
        self.is_index = media_type in INDEX_TYPES
        self.now = utcnow()

    @cached_property
    def subjects(self) -> list[str]:
        """The digests whose facts count: of the image, and of the indexes above it,
        which name its digest."""
        key = self.repository.key
        return [self.digest, *self._catalog.attachments.parents(key, self.digest)]

    @cached_property
    def trusted(self) -> Sequence[TrustedSigner]:
        """The signers of the repository, its paths and the site."""
        return self._signers.applying(self.repository)

    @cached_property
    def signatures(self) -> list[SignatureFact]:
        """The verified signatures."""
        names = {each.fingerprint: each.name for each in self.trusted}
        found = self._catalog.attachments.verified_signatures(
            self.repository.key, self.subjects
        )
        facts = [fact for each in found for fact in signatures_in(each, names)]
        return [fact for fact in facts if fact.is_verified]

    def scans(self, by: Sequence[str]) -> list[AttachmentFacts]:
        """Return the results of scans.

        :param by: the names of the users whose results count; empty for all.
        """
        return self._catalog.attachments.scans(self.repository.key, self.subjects, by)

    @cached_property
    def pushed_at(self) -> datetime | None:
        """When the image was first pushed."""
        return self._catalog.attachments.pushed_at(self.repository.key, self.digest)

    @cached_property
    def tags(self) -> list[str]:
        """The tags of the image, and of the indexes above it."""
        found = self._catalog.repository_contents.tag_names(
            self.repository.key, self.subjects
        )
        return [name for names in found.values() for name in names]


def _of(
    policy: Policy, image: _Image, tag: str | None, pushed: bool
) -> Iterator[PolicyVerdict]:
    if policy.has_exemptions:
        for name in image.tags if tag is None else [tag]:
            if rule := policy.exempting(name):
                yield PolicyVerdict(
                    rule.text, policy.scope, "allowed", f"the tag {name} is exempt"
                )
                return
    for rule in policy.conditions:
        is_met, reason = _verdict(rule, policy, image)
        if is_met:
            yield PolicyVerdict(rule.text, policy.scope, "met", reason)
        elif policy.only_warns:
            yield PolicyVerdict(rule.text, policy.scope, "warning", reason)
        elif not pushed and _is_new(policy, image):
            reason += "; it was pushed recently"
            yield PolicyVerdict(rule.text, policy.scope, "allowed", reason)
        else:
            yield PolicyVerdict(rule.text, policy.scope, "refused", reason)


def _is_new(policy: Policy, image: _Image) -> bool:
    if not policy.grace or image.pushed_at is None:
        return False
    return image.now - image.pushed_at < policy.grace


def _verdict(rule: PolicyRule, policy: Policy, image: _Image) -> tuple[bool, str]:
    """Return True if an image meets a rule, and the reason in either case."""
    if rule.action == "signature":
        return _signature_verdict(rule, policy, image)
    found = image.scans(rule.names)
    if image.is_index and not found:
        # An index has no content of its own, and each image of it is pulled too.
        return True, "decided for each image of the index"
    if rule.action == "scan":
        return scan_verdict(rule, found, image.now)
    return severity_verdict(rule, found, image.now)


def _signature_verdict(
    rule: PolicyRule, policy: Policy, image: _Image
) -> tuple[bool, str]:
    allowed = {
        each.fingerprint
        for each in image.trusted
        if each.name in rule.names and _is_in_scope(each, policy)
    }
    elsewhere = False
    for fact in image.signatures:
        if fact.fingerprint not in allowed:
            continue
        if rule.here and not fact.names(image.repository.name):
            elsewhere = True
            continue
        part = "" if fact.subject == image.digest else " as a part of its index"
        return True, f"signed by {fact.signer}{part}"
    if elsewhere:
        return False, "its signature names another repository"
    if not allowed:
        return False, f"{policy.scope} trusts no signer {' or '.join(rule.names)}"
    return False, f"it has no verified signature by {' or '.join(rule.names)}"


def _is_in_scope(signer: TrustedSigner, policy: Policy) -> bool:
    """Return True if a policy means a signer: one of its own scope or of a wider one.

    A repository could otherwise take the name of a signer that a path requires.
    """
    if policy.path is None:
        return True
    return signer.path is not None and covers(parse_path(signer.path), policy.path)


def _decide(name: str, found: Iterable[PolicyVerdict]) -> list[PolicyVerdict]:
    warnings = []
    for verdict in found:
        if verdict.result == "refused":
            raise PolicyRefused(name, verdict)
        if verdict.result == "warning":
            warnings.append(verdict)
    return warnings
