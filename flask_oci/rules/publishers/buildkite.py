"""Publishers on Buildkite."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

from .actions import REF
from .fields import ClaimCheck
from .fields import Claims
from .fields import equal
from .fields import Field
from .fields import Job
from .fields import Kind
from .fields import matching
from .fields import text_of
from .fields import Values

_SLUG: t.Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_UUID: t.Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Buildkite(Kind):
    """Buildkite Pipelines. A token has the two IDs only if the job asks for them."""

    name = "buildkite"
    title = "Buildkite"
    fields = (
        Field(
            "organization_slug",
            "Organization",
            "write the slug of the organization, such as 'acme'.",
            _SLUG,
        ),
        Field(
            "organization_id",
            "ID of the organization",
            "open the settings of a pipeline, choose GraphQL, or query"
            " https://api.buildkite.com/v2/organizations/SLUG and copy 'id'.",
            _UUID,
        ),
        Field(
            "pipeline_slug",
            "Pipeline",
            "write the slug of the pipeline, such as 'website'.",
            _SLUG,
        ),
        Field(
            "pipeline_id",
            "ID of the pipeline",
            "query https://api.buildkite.com/v2/organizations/SLUG/pipelines/SLUG and"
            " copy 'id'.",
            _UUID,
        ),
        Field(
            "step_key",
            "Step",
            "the key of the step, such as 'release'.",
            is_required=False,
        ),
        REF,
    )
    pins = ("organization_id", "pipeline_id")

    def checks(
        self, issuer: str, values: Values, claims: Claims
    ) -> Iterator[ClaimCheck]:
        """Yield the comparison of each claim."""
        for name in ("organization_slug", "pipeline_slug", *self.pins):
            yield equal(name, values[name], claims)
        if "step_key" in values:
            yield equal("step_key", values["step_key"], claims)
        if "ref" in values:
            yield matching("build_branch or build_tag", values["ref"], _ref(claims))

    def job(self, claims: Claims) -> Job:
        """Return the job that the claims describe."""
        organization = text_of(claims.get("organization_slug")) or ""
        pipeline = text_of(claims.get("pipeline_slug")) or ""
        return Job(
            self.name,
            f"{organization}/{pipeline}",
            text_of(claims.get("step_key")) or "",
            _ref(claims) or "",
            text_of(claims.get("build_number")) or "",
        )


def _ref(claims: Claims) -> str | None:
    tag, branch = text_of(claims.get("build_tag")), text_of(claims.get("build_branch"))
    if tag:
        return f"refs/tags/{tag}"
    return f"refs/heads/{branch}" if branch else None
