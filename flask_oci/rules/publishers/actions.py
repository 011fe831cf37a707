"""Publishers on GitHub Actions, and on the Actions of Gitea and Forgejo."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

from .fields import ClaimCheck
from .fields import Claims
from .fields import compare
from .fields import equal
from .fields import equal_name
from .fields import Field
from .fields import Job
from .fields import Kind
from .fields import matching
from .fields import text_of
from .fields import Values

REPOSITORY: t.Final = Field(
    "repository",
    "Repository",
    "write the owner and the name, such as 'acme/website'.",
    re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+"),
)
REF: t.Final = Field(
    "ref",
    "Branch or tag",
    "write 'refs/heads/main' for a branch, or 'refs/tags/v*' for tags.",
    is_required=False,
    is_ref=True,
)
ENVIRONMENT: t.Final = Field(
    "environment",
    "Environment",
    "the name of a deployment environment, such as 'production'.",
    is_required=False,
    is_pattern=True,
)
WORKFLOW: t.Final = Field(
    "workflow",
    "Workflow file",
    "write the name of the file, such as 'release.yml', without its folder.",
    re.compile(r"[^/@*]+\.ya?ml"),
)
#: An identifier that an issuer assigns and never assigns again.
NUMBER: t.Final = re.compile(r"[0-9]{1,20}")


class GitHub(Kind):
    """GitHub Actions."""

    name = "github"
    title = "GitHub Actions"
    fields: t.ClassVar[tuple[Field, ...]] = (
        REPOSITORY,
        Field(
            "repository_owner_id",
            "ID of the owner",
            "run 'gh api users/OWNER --jq .id', or open"
            " https://api.github.com/users/OWNER and copy 'id'.",
            NUMBER,
        ),
        Field(
            "repository_id",
            "ID of the repository",
            "run 'gh api repos/OWNER/NAME --jq .id', or open"
            " https://api.github.com/repos/OWNER/NAME and copy 'id'.",
            NUMBER,
        ),
        WORKFLOW,
        REF,
        ENVIRONMENT,
    )
    pins = ("repository_owner_id", "repository_id")

    #: The claim with the path of the workflow file. In a reusable workflow, it names
    #: the file that has the job, not the one that called it.
    workflow_claim: t.ClassVar[str] = "job_workflow_ref"
    folders: t.ClassVar[tuple[str, ...]] = (".github",)

    def checks(
        self, issuer: str, values: Values, claims: Claims
    ) -> Iterator[ClaimCheck]:
        """Yield the comparison of each claim."""
        yield equal_name("repository", values["repository"], claims)
        for pin in self.pins:
            yield equal(pin, values[pin], claims)
        if "ref" in values:
            yield matching("ref", values["ref"], text_of(claims.get("ref")))
        if "environment" in values:
            # GitHub does not distinguish the case of environments.
            found = text_of(claims.get("environment"))
            wanted = values["environment"].casefold()
            yield matching("environment", wanted, found and found.casefold())
        yield self._workflow(values["workflow"], claims)
        yield _trusted_event(claims)

    def job(self, claims: Claims) -> Job:
        """Return the job that the claims describe."""
        workflow = text_of(claims.get(self.workflow_claim)) or ""
        return Job(
            self.name,
            text_of(claims.get("repository")) or "",
            workflow.partition("@")[0].rpartition("/")[2],
            text_of(claims.get("ref")) or "",
            text_of(claims.get("run_id")) or "",
        )

    def _workflow(self, file: str, claims: Claims) -> ClaimCheck:
        """Compare the file of the job, which must be in the repository itself, at the
        commit or the reference that the workflow runs for."""
        repository = (text_of(claims.get("repository")) or "").casefold()
        refs = {text_of(claims.get("ref")), text_of(claims.get("sha"))} - {None, ""}

        def is_met(wanted: str, found: str) -> bool:
            path, _, ref = found.partition("@")
            owner, _, rest = path.partition("/.")
            paths = {f"{folder[1:]}/workflows/{wanted}" for folder in self.folders}
            return owner.casefold() == repository and rest in paths and ref in refs

        found = text_of(claims.get(self.workflow_claim))
        expected = f"{file!r} in the repository itself"
        return compare(self.workflow_claim, file, found, is_met)._replace(
            expected=expected
        )


class Gitea(GitHub):
    """The Actions of Gitea and Forgejo, whose tokens have GitHub's claims."""

    name = "gitea"
    title = "Gitea or Forgejo Actions"
    fields = (
        REPOSITORY,
        Field(
            "repository_owner_id",
            "ID of the owner",
            "open https://HOST/api/v1/users/OWNER and copy 'id'.",
            NUMBER,
        ),
        Field(
            "repository_id",
            "ID of the repository",
            "open https://HOST/api/v1/repos/OWNER/NAME and copy 'id'.",
            NUMBER,
        ),
        WORKFLOW,
        REF,
    )
    workflow_claim = "workflow_ref"
    folders = (".forgejo", ".gitea", ".github")


def _trusted_event(claims: Claims) -> ClaimCheck:
    """Refuse the event that runs with the rights of the target of a pull request,
    although its author may be any user."""
    event = text_of(claims.get("event_name")) or "none"
    return compare(
        "event_name",
        "another event than pull_request_target",
        event,
        lambda _, found: found != "pull_request_target",
    )
