"""The structures of image policies, trusted signers and signatures."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from .base import Body
from .base import Page
from .base import ShortText


class PolicyRules(Body, frozen=True):
    """The rules of an image policy, which decide what can be pulled."""

    rules: t.Annotated[
        list[ShortText],
        Meta(
            description="Rules such as `require signature by release` and `refuse"
            " critical older than 7 days by scanner`."
        ),
    ]


class RuleVerdict(Body, frozen=True):
    """Whether an image meets one rule."""

    rule: t.Annotated[str, Meta(description="The rule.")]
    scope: t.Annotated[
        str,
        Meta(description="The repository or the path of the rule; `*` for the site."),
    ]
    result: t.Annotated[
        t.Literal["met", "allowed", "warning", "refused"],
        Meta(
            description="Whether the image meets the rule, may be pulled nevertheless,"
            " is pulled with a warning, or is refused."
        ),
    ]
    reason: t.Annotated[str, Meta(description="The reason, in words.")]


class PolicyDecision(Body, frozen=True):
    """The decision of the policies on the image of a tag."""

    tag: t.Annotated[str, Meta(description="The tag.")]
    digest: t.Annotated[str, Meta(description="The digest of the manifest.")]
    result: t.Annotated[
        t.Literal["allowed", "warning", "refused"], Meta(description="The decision.")
    ]
    verdicts: t.Annotated[
        list[RuleVerdict], Meta(description="The verdict on each rule.")
    ]


class PolicyDecisions(Page, frozen=True):
    """The decisions of the policies on the images of tags, by name."""

    items: t.Annotated[list[PolicyDecision], Meta(description="The decisions.")]


class NewSigner(Body, frozen=True):
    """A signer to trust. One of `key`, `certificate` and `identity` is set."""

    key: t.Annotated[
        t.Annotated[str, Meta(max_length=8192)] | None,
        Meta(description="A public key in PEM, as in `cosign.pub`."),
    ] = None
    certificate: t.Annotated[
        t.Annotated[str, Meta(max_length=8192)] | None,
        Meta(description="A certificate in PEM, for signatures of Notation."),
    ] = None
    identity: t.Annotated[
        t.Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="The identity in certificates of Sigstore."),
    ] = None
    issuer: t.Annotated[
        str, Meta(max_length=1024, description="The URL of the issuer of the identity.")
    ] = ""


class TrustedSigner(Body, frozen=True):
    """A signer that a repository or a path trusts."""

    name: t.Annotated[str, Meta(description="The name by which policies refer to it.")]
    kind: t.Annotated[
        t.Literal["key", "certificate", "identity"], Meta(description="Its kind.")
    ]
    value: t.Annotated[
        str, Meta(description="The key or the certificate in PEM, or the identity.")
    ]
    issuer: t.Annotated[
        str, Meta(description="The issuer of an identity; empty for other kinds.")
    ]
    fingerprint: t.Annotated[str, Meta(description="Its fingerprint (SHA-256).")]
    repository: t.Annotated[
        str | None, Meta(description="The repository; null if a path trusts it.")
    ]
    path: t.Annotated[
        str | None, Meta(description="The path; null if a repository trusts it.")
    ]
    added_by: t.Annotated[
        str | None,
        Meta(description="The user who added it; null for the command line."),
    ]
    added_at: t.Annotated[datetime, Meta(description="When it was added.")]


class TrustedSigners(Body, frozen=True):
    """The signers that a repository or a path trusts, by name."""

    items: t.Annotated[list[TrustedSigner], Meta(description="The signers.")]


class Signature(Body, frozen=True):
    """A signature that is attached to an image."""

    subject: t.Annotated[str, Meta(description="The digest of the image.")]
    digest: t.Annotated[
        str, Meta(description="The digest of the artifact with the signature.")
    ]
    tag: t.Annotated[
        str | None, Meta(description="The tag that attaches it; null for a referrer.")
    ]
    format: t.Annotated[
        t.Literal["cosign", "sigstore", "notation"], Meta(description="Its format.")
    ]
    signer: t.Annotated[
        str | None,
        Meta(description="The trusted signer; null if it is not verified."),
    ]
    fingerprint: t.Annotated[
        str | None, Meta(description="The fingerprint of the trusted signer.")
    ]
    reason: t.Annotated[
        str, Meta(description="Why it is not verified; empty if it is.")
    ]
    signed_name: t.Annotated[
        str, Meta(description="The image name in the signed content; may be empty.")
    ]
    checked_at: t.Annotated[
        datetime, Meta(description="When it was compared with the trusted signers.")
    ]


class Signatures(Body, frozen=True):
    """The signatures of an image, the verified ones first."""

    items: t.Annotated[list[Signature], Meta(description="The signatures.")]
