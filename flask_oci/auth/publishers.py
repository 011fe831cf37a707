"""Trusted publishers: ``registry.publishers``.

A publisher lets the jobs of one workflow log in as a robot. The limits are the robot's.
"""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass

from ..catalog.publishers import Publisher
from ..clock import utcnow
from ..events import audit
from ..rules.publishers import ClaimCheck
from ..rules.publishers import KINDS

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    from ..catalog import Catalog
    from ..catalog import Robot
    from ..config.issuers import Issuer
    from .job_logins import Explanation
    from .job_logins import JobLogins

#: The maximum number of publishers of a robot. Each login compares all of them.
MAX_PUBLISHERS: t.Final = 20


class PublisherInvalid(ValueError):
    """A publisher cannot be added; the message has the problem and the action."""


@dataclass(frozen=True, slots=True)
class PublisherVerdict:
    """The comparison of a publisher with an identity token."""

    publisher: Publisher
    login: str
    """The login name of its robot."""

    checks: tuple[ClaimCheck, ...]

    @property
    def is_met(self) -> bool:
        """Whether every claim fits."""
        return all(check.is_met for check in self.checks)

    @property
    def failures(self) -> list[ClaimCheck]:
        """The claims that do not fit."""
        return [check for check in self.checks if not check.is_met]


class Publishers:
    """Adds, lists, verifies and removes trusted publishers.

    :param catalog: the publishers and the robots.
    :param issuers: returns the issuers that the operator trusts, by their address.
    :param logins: returns the logins of jobs, or None if no issuer is trusted.
    :param check_owner: raises an error if a robot has to be taken over.
    """

    def __init__(
        self,
        catalog: Catalog,
        issuers: Callable[[], Mapping[str, Issuer]],
        logins: Callable[[], JobLogins | None],
        check_owner: Callable[[Robot], object],
    ) -> None:
        self._catalog = catalog
        self._issuers = issuers
        self._logins = logins
        self._check_owner = check_owner

    @property
    def issuers(self) -> Mapping[str, Issuer]:
        """The issuers that the operator trusts, by their address."""
        return self._issuers()

    def add(
        self,
        robot: Robot,
        issuer: str,
        fields: Mapping[str, str],
        *,
        by: t.Any = None,
    ) -> Publisher:
        """Let the jobs of a workflow log in as a robot.

        :param robot: the robot, whose limits the jobs have.
        :param issuer: the address of the issuer.
        :param fields: the values that the claims of a job must have; :doc:`publishers`
            lists the fields of each kind of issuer.
        :param by: the user who adds it, or None.
        :raises PublisherInvalid: if the issuer is not trusted, if a field is invalid,
            or if the robot has such a publisher.
        :raises ValueError: if the robot has a new owner and has to be enabled first.
        """
        self._check_owner(robot)
        values = self.checked(issuer, fields)
        kind = self._issuers()[issuer].kind
        self._check_new(robot, issuer, values)
        publisher = Publisher(
            id=secrets.token_hex(16),
            robot_id=robot.id,
            issuer=issuer,
            kind=kind.name,
            fields=values,
            pin=kind.pin(issuer, values),
            created_by=self._catalog.users.name_of(by),
            created_at=utcnow(),
        )
        if not self._catalog.publishers.add(
            publisher, by=self._catalog.users.key_of(by)
        ):
            raise PublisherInvalid(f"There is no robot {robot.login} any more.")
        audit.record(
            "publisher-added",
            publisher.created_by,
            robot=robot.login,
            publisher=publisher.id,
            issuer=issuer,
        )
        return publisher

    def checked(self, issuer: str, fields: Mapping[str, str]) -> dict[str, str]:
        """Return the valid fields of a publisher, without adding it.

        :raises PublisherInvalid: if the issuer is not trusted or a field is invalid.
        """
        known = self._issuers().get(issuer)
        if known is None:
            trusted = ", ".join(self._issuers()) or "none"
            raise PublisherInvalid(
                f"The registry does not trust the issuer {issuer!r}. The issuers in"
                f" OCI_OIDC_ISSUERS are: {trusted}."
            )
        try:
            return known.kind.parse(fields)
        except ValueError as error:
            raise PublisherInvalid(str(error)) from None

    def list(self, robot: Robot) -> t.Sequence[Publisher]:
        """Return the publishers of a robot, the newest first."""
        return self._catalog.publishers.of_robot(robot.id)

    def remove(self, robot: Robot, publisher_id: str, *, by: t.Any = None) -> bool:
        """Remove a publisher. The tokens of jobs that it logged in end at once.

        :param robot: the robot that the publisher must belong to.
        :param by: the user who removes it, or None.
        :return: False if the robot has no such publisher.
        """
        records = self._catalog.publishers
        known = {publisher.id for publisher in self.list(robot)}
        if publisher_id not in known or not records.remove(publisher_id):
            return False
        audit.record(
            "publisher-removed",
            self._catalog.users.name_of(by),
            robot=robot.login,
            publisher=publisher_id,
        )
        return True

    def explain(self, token: str) -> Explanation:
        """Return why an identity token would be accepted or refused. The token is not
        used by that.

        :raises PublisherInvalid: if the operator trusts no issuer.
        """
        logins = self._logins()
        if logins is None:
            raise PublisherInvalid(
                "The registry trusts no issuer; set OCI_OIDC_ISSUERS first."
            )
        return logins.explain(token)

    def _check_new(self, robot: Robot, issuer: str, values: dict[str, str]) -> None:
        present = self.list(robot)
        if len(present) >= MAX_PUBLISHERS:
            raise PublisherInvalid(
                f"A robot has at most {MAX_PUBLISHERS} publishers. Remove one first."
            )
        for each in present:
            if (each.issuer, each.fields) == (issuer, values):
                raise PublisherInvalid(
                    f"The robot {robot.login} has this publisher already."
                )


def verdict(
    publisher: Publisher, login: str, claims: Mapping[str, t.Any]
) -> PublisherVerdict:
    """Return the comparison of a publisher with the claims of a verified token."""
    kind = KINDS[publisher.kind]
    checks = kind.checks(publisher.issuer, publisher.fields, claims)
    return PublisherVerdict(publisher, login, tuple(checks))
