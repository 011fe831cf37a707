"""Publishers that are accounts of a service: Google, Kubernetes, and the subjects of
any other issuer."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping

from .fields import ClaimCheck
from .fields import Claims
from .fields import compare
from .fields import equal
from .fields import Field
from .fields import Job
from .fields import Kind
from .fields import text_of
from .fields import Values

_LABEL: t.Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_UUID: t.Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: The maximum number of additional claims of a generic publisher.
_MOST_CLAIMS: t.Final = 10


class Google(Kind):
    """Service accounts of Google Cloud."""

    name = "google"
    title = "Google Cloud"
    fields = (
        Field(
            "email",
            "E-mail address of the service account",
            "such as 'release@project.iam.gserviceaccount.com'.",
            re.compile(r"[^@\s]+@[^@\s]+"),
        ),
        Field(
            "subject",
            "Unique ID of the service account",
            "run 'gcloud iam service-accounts describe EMAIL"
            " --format=value(uniqueId)'.",
            re.compile(r"[0-9]{5,30}"),
        ),
    )
    pins = ("subject",)

    def pinned(self, claims: Claims) -> dict[str, str]:
        """Return the unique ID, which is the subject of the token."""
        return {"subject": text_of(claims.get("sub")) or ""}

    def checks(
        self, issuer: str, values: Values, claims: Claims
    ) -> Iterator[ClaimCheck]:
        """Yield the comparison of each claim."""
        yield equal("sub", values["subject"], claims)
        yield equal("email", values["email"], claims)
        yield equal("email_verified", "true", claims)

    def job(self, claims: Claims) -> Job:
        """Return the account that the claims describe."""
        return Job(self.name, text_of(claims.get("email")) or "", "", "", "")


class Kubernetes(Kind):
    """Service accounts of a Kubernetes cluster."""

    name = "kubernetes"
    title = "Kubernetes"
    fields = (
        Field("namespace", "Namespace", "such as 'builds'.", _LABEL),
        Field("service_account", "Service account", "such as 'release'.", _LABEL),
        Field(
            "service_account_uid",
            "UID of the service account",
            "run 'kubectl get serviceaccount NAME -n NAMESPACE"
            " -o jsonpath={.metadata.uid}'.",
            _UUID,
        ),
    )
    pins = ("service_account_uid",)

    def pinned(self, claims: Claims) -> dict[str, str]:
        """Return the UID of the service account."""
        uid = _flat(claims).get("kubernetes.io/serviceaccount/uid")
        return {"service_account_uid": uid or ""}

    def checks(
        self, issuer: str, values: Values, claims: Claims
    ) -> Iterator[ClaimCheck]:
        """Yield the comparison of each claim."""
        space, account = values["namespace"], values["service_account"]
        flat = _flat(claims)
        yield equal("sub", f"system:serviceaccount:{space}:{account}", claims)
        yield equal("kubernetes.io/namespace", space, flat)
        yield equal("kubernetes.io/serviceaccount/name", account, flat)
        uid = values["service_account_uid"]
        yield equal("kubernetes.io/serviceaccount/uid", uid, flat)

    def job(self, claims: Claims) -> Job:
        """Return the pod that the claims describe."""
        subject = text_of(claims.get("sub")) or ""
        account = subject.removeprefix("system:serviceaccount:")
        pod = _flat(claims).get("kubernetes.io/pod/name") or ""
        return Job(self.name, account, "", "", pod)


class Generic(Kind):
    """Any other issuer, whose subjects the owner knows."""

    name = "oidc"
    title = "another OpenID Connect issuer"
    fields = (
        Field("subject", "Subject", "the exact text of the claim 'sub'."),
        Field(
            "claims",
            "Further claims",
            "write pairs such as 'project_id=42 branch=main', separated by spaces.",
            re.compile(r"[^\s=]+=\S+( [^\s=]+=\S+)*"),
            is_required=False,
        ),
    )
    pins = ("subject",)

    def parse(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the valid fields of a publisher.

        :raises ValueError: if a field is invalid, or if there are too many claims.
        """
        found = super().parse(values)
        if len(found.get("claims", "").split()) > _MOST_CLAIMS:
            raise ValueError(f"Invalid claims: use at most {_MOST_CLAIMS} pairs.")
        return found

    def pinned(self, claims: Claims) -> dict[str, str]:
        """Return the subject of the token."""
        return {"subject": text_of(claims.get("sub")) or ""}

    def checks(
        self, issuer: str, values: Values, claims: Claims
    ) -> Iterator[ClaimCheck]:
        """Yield the comparison of each claim."""
        yield equal("sub", values["subject"], claims)
        for pair in values.get("claims", "").split():
            name, _, wanted = pair.partition("=")
            yield compare(name, wanted, text_of(claims.get(name)), str.__eq__)

    def job(self, claims: Claims) -> Job:
        """Return the subject of the token."""
        return Job(self.name, text_of(claims.get("sub")) or "", "", "", "")


def _flat(claims: Claims) -> dict[str, str]:
    """Return the texts of the nested claims of Kubernetes by their path."""
    own = claims.get("kubernetes.io")
    found: dict[str, str] = {}
    for name, value in own.items() if isinstance(own, dict) else ():
        if isinstance(value, str):
            found[f"kubernetes.io/{name}"] = value
        for inner, text in value.items() if isinstance(value, dict) else ():
            if isinstance(text, str):
                found[f"kubernetes.io/{name}/{inner}"] = text
    return found
