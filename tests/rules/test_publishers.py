"""Publishers: their fields, and their comparison with the claims of jobs."""

from __future__ import annotations

import pytest

from flask_oci.rules.publishers import KINDS
from flask_oci.rules.publishers.patterns import matches
from tests.support.job_claims import for_issuer
from tests.support.job_claims import GITHUB
from tests.support.job_claims import Workload
from tests.support.job_claims import WORKLOADS

URL = "https://ci.example.org"


@pytest.mark.parametrize("job", WORKLOADS, ids=lambda job: job.kind)
def test_publisher_with_job_of_issuer_accepts_only_that_job(job: Workload) -> None:
    """Each claim alone, changed or missing, makes the job another one."""
    kind = KINDS[job.kind]
    values = kind.parse(job.fields)
    claims = for_issuer(job.claims, URL)
    assert all(check.is_met for check in kind.checks(URL, values, claims))
    assert kind.pin_of(URL, claims) == kind.pin(URL, values)
    assert kind.pin_of(URL + "/", claims) != kind.pin(URL, values)
    assert kind.job(claims).issuer == job.kind
    assert kind.job(claims).repository
    for name, value in for_issuer(job.other, URL).items():
        other = {**claims, name: value}
        assert not all(check.is_met for check in kind.checks(URL, values, other)), name
        if name in claims and name != "event_name":
            del other[name]
            assert not all(c.is_met for c in kind.checks(URL, values, other)), name


def test_github_workflow_with_name_in_reference_is_another_file() -> None:
    """The name of a branch cannot imitate the name of a workflow file."""
    kind, values = KINDS["github"], KINDS["github"].parse(GITHUB.fields)
    ref = "refs/tags/v1/.github/workflows/release.yml@refs/tags/v1.2"
    for path in (
        f"acme/website/.github/workflows/evil.yml@{ref}",
        f"acme/website/.github/workflows/release.yml@evil.yml@{GITHUB.claims['ref']}",
        "acme/website/sub/.github/workflows/release.yml@refs/tags/v1.2",
    ):
        claims = {**GITHUB.claims, "job_workflow_ref": path}
        failed = [c.claim for c in kind.checks(URL, values, claims) if not c.is_met]
        assert failed == ["job_workflow_ref"], path


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("github", {"repository_id": ""}, "needs repository_id: run 'gh api"),
        ("github", {"repository_id": "acme"}, "Invalid repository_id 'acme'"),
        ("github", {"repository": "acme"}, "such as 'acme/website'"),
        ("github", {"workflow": ".github/workflows/a.yml"}, "without its folder"),
        ("github", {"ref": "main"}, "write 'refs/heads/main' for a branch"),
        ("github", {"ref": "refs/heads/*-*-*"}, "at most 2 times"),
        ("github", {"environment": "a\nb"}, "use one line"),
        ("github", {"color": "red"}, "Unknown field 'color'"),
        ("oidc", {"claims": "a"}, "write pairs"),
        ("oidc", {"claims": " ".join(f"a{n}=1" for n in range(11))}, "at most 10"),
    ],
)
def test_publisher_with_invalid_field_is_refused_with_hint(
    kind: str, changes: dict[str, str], message: str
) -> None:
    fields = next(job.fields for job in WORKLOADS if job.kind == kind)
    with pytest.raises(ValueError, match=r"publisher|Invalid") as error:
        KINDS[kind].parse({**fields, **changes})
    assert message in str(error.value)


def test_pattern_star_matches_no_slash_and_is_no_expression() -> None:
    assert matches("refs/tags/v*", "refs/tags/v1.2")
    assert not matches("refs/tags/v*", "refs/tags/v1/2")
    assert not matches("refs/tags/v.*", "refs/tags/v1")
    assert not matches("refs/heads/main", "refs/heads/main\n")
    assert not matches("*", "a" * 2000)
