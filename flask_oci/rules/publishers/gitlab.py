"""Publishers on GitLab CI/CD."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .actions import ENVIRONMENT
from .actions import NUMBER
from .actions import REF
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

#: The file of a pipeline unless the project names another one.
DEFAULT_FILE = ".gitlab-ci.yml"


class GitLab(Kind):
    """GitLab CI/CD, at gitlab.com or self-managed."""

    name = "gitlab"
    title = "GitLab CI/CD"
    fields = (
        Field(
            "project_path",
            "Project",
            "write the path, such as 'acme/tools/website'.",
            re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+"),
        ),
        Field(
            "namespace_id",
            "ID of the group or user",
            "open the group and copy its group ID from the menu beside its name.",
            NUMBER,
        ),
        Field(
            "project_id",
            "ID of the project",
            "open the project and copy its project ID from the menu beside its name.",
            NUMBER,
        ),
        Field(
            "pipeline",
            "Pipeline file",
            f"write the path, such as '{DEFAULT_FILE}', which is the default.",
            re.compile(r"[^@*]+\.ya?ml"),
            is_required=False,
        ),
        REF,
        ENVIRONMENT,
        Field(
            "protected",
            "Protected branches and tags only",
            "write 'true', or leave it empty.",
            re.compile("true"),
            is_required=False,
        ),
    )
    pins = ("namespace_id", "project_id")

    def checks(
        self, issuer: str, values: Values, claims: Claims
    ) -> Iterator[ClaimCheck]:
        """Yield the comparison of each claim."""
        yield equal_name("project_path", values["project_path"], claims)
        for pin in self.pins:
            yield equal(pin, values[pin], claims)
        if "ref" in values:
            yield matching("ref_path", values["ref"], text_of(claims.get("ref_path")))
        if "environment" in values:
            found = text_of(claims.get("environment"))
            yield matching("environment", values["environment"], found)
        if "protected" in values:
            yield equal("ref_protected", "true", claims)
        yield _pipeline(issuer, values.get("pipeline", DEFAULT_FILE), claims)

    def job(self, claims: Claims) -> Job:
        """Return the job that the claims describe."""
        uri = text_of(claims.get("ci_config_ref_uri")) or ""
        return Job(
            self.name,
            text_of(claims.get("project_path")) or "",
            uri.partition("//")[2].partition("@")[0],
            text_of(claims.get("ref_path")) or text_of(claims.get("ref")) or "",
            text_of(claims.get("job_id")) or "",
        )


def _pipeline(issuer: str, file: str, claims: Claims) -> ClaimCheck:
    """Compare the file of the pipeline, which must be in the project itself."""
    host = issuer.partition("://")[2]
    project = (text_of(claims.get("project_path")) or "").casefold()
    refs = {text_of(claims.get("ref_path")), text_of(claims.get("sha"))} - {None, ""}

    def is_met(wanted: str, found: str) -> bool:
        path, _, rest = found.partition("//")
        own, _, ref = rest.partition("@")
        return path.casefold() == f"{host}/{project}".casefold() and (
            own == wanted and ref in refs
        )

    found = text_of(claims.get("ci_config_ref_uri"))
    expected = f"{file!r} in the project itself"
    check = compare("ci_config_ref_uri", file, found, is_met)
    return check._replace(expected=expected)
