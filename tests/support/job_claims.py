"""The claims of jobs, in the shape that each issuer documents, and the publishers that
accept them."""

from __future__ import annotations

import typing as t


class Workload(t.NamedTuple):
    """A job and its publisher."""

    kind: str
    fields: dict[str, str]
    claims: dict[str, t.Any]
    other: dict[str, t.Any]
    """Claims of jobs that the publisher must not accept, by name: each alone differs
    from :attr:`claims`."""

    has_jti: bool = True


# https://docs.github.com/en/actions/reference/security/oidc
GITHUB = Workload(
    "github",
    {
        "repository": "acme/website",
        "repository_owner_id": "65",
        "repository_id": "74",
        "workflow": "release.yml",
        "ref": "refs/tags/v*",
        "environment": "production",
    },
    {
        "sub": "repo:acme/website:environment:production",
        "repository": "Acme/website",
        "repository_id": "74",
        "repository_owner": "Acme",
        "repository_owner_id": "65",
        "repository_visibility": "private",
        "actor": "octocat",
        "actor_id": "12",
        "event_name": "push",
        "ref": "refs/tags/v1.2",
        "ref_type": "tag",
        "ref_protected": "true",
        "sha": "bb2b7c9c5d6e1f0a9a1b2c3d4e5f60718293a4b5",
        "run_id": "4711",
        "run_number": "10",
        "run_attempt": "2",
        "runner_environment": "github-hosted",
        "environment": "Production",
        "workflow": "release",
        "workflow_ref": "Acme/website/.github/workflows/release.yml@refs/tags/v1.2",
        "job_workflow_ref": "Acme/website/.github/workflows/release.yml@refs/tags/v1.2",
    },
    {
        "repository": "acme/other",
        "repository_owner_id": "66",
        "repository_id": "75",
        "ref": "refs/heads/v1.2",
        "environment": "staging",
        "event_name": "pull_request_target",
        "job_workflow_ref": "evil/kit/.github/workflows/release.yml@refs/tags/v1.2",
    },
)

# https://docs.gitlab.com/ci/secrets/id_token_authentication
GITLAB = Workload(
    "gitlab",
    {
        "project_path": "acme/tools/website",
        "namespace_id": "72",
        "project_id": "20",
        "ref": "refs/heads/main",
        "environment": "production",
        "protected": "true",
    },
    {
        "sub": "project_path:acme/tools/website:ref_type:branch:ref:main",
        "namespace_id": "72",
        "namespace_path": "acme/tools",
        "project_id": "20",
        "project_path": "acme/tools/website",
        "user_id": "1",
        "user_login": "sample-user",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "true",
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "ci_config_ref_uri": "HOST/acme/tools/website//.gitlab-ci.yml@refs/heads/main",
    },
    {
        "project_path": "acme/tools/other",
        "namespace_id": "73",
        "project_id": "21",
        "ref_path": "refs/heads/topic",
        "environment": "staging",
        "ref_protected": "false",
        "ci_config_ref_uri": "HOST/evil/kit//.gitlab-ci.yml@refs/heads/main",
    },
)

# https://forgejo.org/docs/next/user/actions/security-openid-connect
FORGEJO = Workload(
    "gitea",
    {
        "repository": "acme/website",
        "repository_owner_id": "5",
        "repository_id": "8",
        "workflow": "release.yaml",
        "ref": "refs/heads/release/*",
    },
    {
        "sub": "repo:acme-5/website-8:ref:refs/heads/release/1",
        "repository": "acme/website",
        "repository_id": "8",
        "repository_owner": "acme",
        "repository_owner_id": "5",
        "actor": "alice",
        "actor_id": "3",
        "event_name": "push",
        "ref": "refs/heads/release/1",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "run_id": "12",
        "workflow": "release.yaml",
        "workflow_ref": (
            "acme/website/.forgejo/workflows/release.yaml@refs/heads/release/1"
        ),
    },
    {
        "repository_owner_id": "6",
        "repository_id": "9",
        "ref": "refs/heads/release/1/x",
        "workflow_ref": (
            "acme/website/.forgejo/workflows/test.yaml@refs/heads/release/1"
        ),
    },
    has_jti=False,
)

# https://buildkite.com/docs/agent/cli/reference/oidc
BUILDKITE = Workload(
    "buildkite",
    {
        "organization_slug": "acme",
        "organization_id": "0184990a-477b-4fa8-9968-496074483aaa",
        "pipeline_slug": "website",
        "pipeline_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
        "step_key": "release",
        "ref": "refs/heads/main",
    },
    {
        "sub": (
            "organization:acme:pipeline:website:ref:refs/heads/main:commit:9f3182"
            ":step:release"
        ),
        "organization_slug": "acme",
        "organization_id": "0184990a-477b-4fa8-9968-496074483aaa",
        "pipeline_slug": "website",
        "pipeline_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
        "build_number": 7,
        "build_branch": "main",
        "build_commit": "9f3182061f1e2cca4702c368cbc039b7dc9d4485",
        "step_key": "release",
        "job_id": "0184990a-4786-4b5a-b5a6-8e9b2e4a3f37",
        "agent_id": "0184990a-4785-4c3d-9f5a-0c2b6a1d7e21",
    },
    {
        "organization_id": "0184990a-477b-4fa8-9968-496074483bbb",
        "pipeline_id": "0184990a-4782-42b5-afc1-16715b10b8ee",
        "pipeline_slug": "other",
        "build_branch": "topic",
        "build_tag": "v1",
        "step_key": "test",
    },
    has_jti=False,
)

# https://cloud.google.com/docs/authentication/token-types#id
GOOGLE = Workload(
    "google",
    {
        "email": "release@acme.iam.gserviceaccount.com",
        "subject": "113774264463038321964",
    },
    {
        "sub": "113774264463038321964",
        "azp": "113774264463038321964",
        "email": "release@acme.iam.gserviceaccount.com",
        "email_verified": True,
    },
    {
        "sub": "213774264463038321964",
        "email": "test@acme.iam.gserviceaccount.com",
        "email_verified": False,
    },
    has_jti=False,
)

# https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
_ACCOUNT = {"name": "release", "uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af"}
KUBERNETES = Workload(
    "kubernetes",
    {
        "namespace": "builds",
        "service_account": "release",
        "service_account_uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af",
    },
    {
        "sub": "system:serviceaccount:builds:release",
        "kubernetes.io": {
            "namespace": "builds",
            "node": {"name": "worker", "uid": "58456cb0-dd00-45ed-b797-5578fdceaced"},
            "pod": {"name": "job-1", "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33"},
            "serviceaccount": _ACCOUNT,
            "warnafter": 1715192053,
        },
    },
    {
        "sub": "system:serviceaccount:other:release",
        "kubernetes.io": {
            "namespace": "builds",
            "serviceaccount": {
                **_ACCOUNT,
                "uid": "b087d5a0-e1dd-43ec-93ac-f13d89cd13af",
            },
        },
    },
)

OTHER = Workload(
    "oidc",
    {"subject": "job-1", "claims": "team=web stage=live"},
    {"sub": "job-1", "team": "web", "stage": "live"},
    {"sub": "job-2", "team": "mobile", "stage": "test"},
)

WORKLOADS = (GITHUB, GITLAB, FORGEJO, BUILDKITE, GOOGLE, KUBERNETES, OTHER)


def for_issuer(claims: dict[str, t.Any], url: str) -> dict[str, t.Any]:
    """Return claims that contain the address of their issuer."""
    host = url.partition("://")[2]
    return {
        name: value.replace("HOST", host) if isinstance(value, str) else value
        for name, value in claims.items()
    }
