"""Logins of jobs by their identity tokens.

A token begins one session. The client that began it may send the token again until the
token expires, because some clients store it and request several bearer tokens with it;
another client is refused. After an exchange, no client may use the token again.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import replace
from datetime import timedelta

from ..catalog.publishers import AlreadyUsed
from ..catalog.publishers import IdentityUse
from ..catalog.publishers import PublisherGone
from ..clock import utcnow
from .oidc.refusal import IdentityRefused
from .publishers import PublisherVerdict
from .publishers import verdict
from .rate_limit import network_of
from .token_secrets import hash_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..catalog.credentials import Credential
    from ..catalog.publishers import Publisher
    from ..catalog.robots import Robot
    from .oidc.identity import Identity
    from .oidc.identity import IdentityTokens
    from .principal import Principal
    from .robot_logins import RobotLogins
    from .robot_secrets import RobotSecrets

#: The user name of a login with an identity token that names no robot.
OIDC_USER: t.Final = "oidc"

#: The maximum number of publishers that a login without the name of a robot is compared
#: with. Each user can add some for a project whose IDs are public.
MAX_CANDIDATES: t.Final = 50


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an identity token is accepted or refused."""

    steps: tuple[str, ...]
    """The checks that it passed."""

    problem: str | None
    """The first problem, with the action; None if a robot accepts it."""

    verdicts: tuple[PublisherVerdict, ...]
    """The publishers of its project, the best first."""


class AmbiguousRobot(IdentityRefused):
    """Several robots accept a job, and the login names none of them."""

    def __init__(self, logins: t.Iterable[str] = ()) -> None:
        names = ", ".join(sorted(logins))
        found = (
            f"Several robots accept this job: {names}."
            if names
            else "Too many publishers are for the project of this job."
        )
        super().__init__(
            f"{found} Log in with the name of your own robot instead of {OIDC_USER}."
            " Other users can add publishers for your workflow to robots of theirs.",
            "ambiguous",
        )


class JobLogins:
    """Logs in jobs as robots.

    :param tokens: verifies identity tokens.
    :param catalog: the publishers and the robots.
    :param secrets: issues the sessions of robots.
    :param robots: returns the principal of a session.
    :param lifetime: how long a session lasts.
    """

    def __init__(
        self,
        tokens: IdentityTokens,
        catalog: Catalog,
        secrets: RobotSecrets,
        robots: RobotLogins,
        lifetime: timedelta,
    ) -> None:
        self.tokens = tokens
        self._catalog = catalog
        self._secrets = secrets
        self._robots = robots
        self._lifetime = lifetime

    def log_in(self, token: str, login: str, address: str) -> Principal:
        """Return the principal for an identity token that was sent as a password.

        :param login: the login name of a robot, or :data:`OIDC_USER`.
        :param address: the IP address of the client.
        :raises IdentityRefused: if the token is invalid, if no publisher or several
            robots accept it, or if another client used it. A refused token is not used
            by that.
        :raises RobotRefused: if the robot may do nothing now.
        """
        identity = self.tokens.verify(token)
        found = self._principal_again(identity, login, address)
        if found is not None:
            return found
        try:
            return self._begin(identity, login, network_of(address))
        except AlreadyUsed:
            # A client may send its first requests at the same time.
            found = self._principal_again(identity, login, address)
            if found is None:
                raise _used() from None
            return found

    def exchange(self, token: str, login: str) -> Principal:
        """Return the principal with a new secret for an identity token, which cannot
        be used again.

        :param login: the login name of a robot, or :data:`OIDC_USER`.
        :raises IdentityRefused: as :meth:`log_in` does, or if the token was used.
        :raises RobotRefused: if the robot may do nothing now.
        """
        identity = self.tokens.verify(token)
        try:
            return self._begin(identity, login, None)
        except AlreadyUsed:
            raise _used() from None

    def explain(self, token: str) -> Explanation:
        """Return why a token would be accepted or refused, without using it."""
        steps: list[str] = []
        try:
            identity = self.tokens.verify(token, steps)
        except IdentityRefused as refusal:
            return Explanation(tuple(steps), refusal.reason, ())
        verdicts: list[PublisherVerdict] = []
        problem = None
        try:
            verdicts = self._verdicts(identity, OIDC_USER)
            self._match(identity, verdicts)
            if self._catalog.publishers.use_of(identity.use_key) is not None:
                problem = _used().reason
        except IdentityRefused as refusal:
            problem = refusal.reason
        return Explanation(tuple(steps), problem, tuple(verdicts))

    def _begin(self, identity: Identity, login: str, network: str | None) -> Principal:
        """Begin a session.

        :param network: the network of the client that may use the token again, or None.
        :raises AlreadyUsed: if the token was used before.
        """
        publisher = self._match(identity, self._verdicts(identity, login))
        robot = self._catalog.robots.by_id(publisher.robot_id)
        if robot is None:
            raise _unknown(identity)
        job = str(identity.job)
        credential, secret = self._secrets.new_session(
            robot,
            name=f"publisher {publisher.id}",
            about=job,
            expires_at=utcnow() + self._lifetime,
        )
        # A robot that may do nothing now must not use up the token.
        principal = self._principal(credential, robot.login)
        use = IdentityUse(
            identity.use_key, identity.token_hash, network, identity.expires_at
        )
        try:
            self._catalog.publishers.log_in(
                publisher, use, credential, hash_of(secret), job
            )
        except PublisherGone:
            raise _unknown(identity) from None
        return replace(principal, new_secret=secret)

    def _principal_again(
        self, identity: Identity, login: str, address: str
    ) -> Principal | None:
        """Return the principal of the session that a token began, or None if it began
        none.

        :raises IdentityRefused: if another client used it, or if the session has ended.
        """
        use = self._catalog.publishers.use_of(identity.use_key)
        if use is None:
            return None
        if use.token_hash != identity.token_hash or use.address is None:
            raise _used()
        if use.address != network_of(address):
            raise IdentityRefused(
                "The identity token was used from another address. Request a new one"
                " for each job, and never share it.",
                "replayed",
            )
        credential = self._catalog.credentials.by_id(use.credential_id)
        if credential is None or (
            credential.expires_at is not None and credential.expires_at <= utcnow()
        ):
            raise IdentityRefused(
                "The login of this job has ended. Request a new identity token.",
                "ended",
            )
        robot = self._robots.robot_of(credential)
        if robot is None or login not in (OIDC_USER, robot.login):
            raise _used()
        return self._principal(credential, robot.login)

    def _principal(self, credential: Credential, login: str) -> Principal:
        found = self._robots.principal(credential, login)
        if found is None:
            raise _used()
        return found

    def _verdicts(self, identity: Identity, login: str) -> list[PublisherVerdict]:
        """Return the comparisons of the publishers of a token's project, those with
        the fewest failures first.

        :param login: the login name of the robot that must have them, so that the
            publishers of other users have no effect; or :data:`OIDC_USER`.
        """
        issuer = identity.issuer
        found = [
            verdict(publisher, robot.login, identity.claims)
            for publisher, robot in self._candidates(identity, login)
            # The operator may have changed the kind of the issuer.
            if publisher.kind == issuer.kind.name
        ]
        return sorted(found, key=lambda each: len(each.failures))

    def _candidates(
        self, identity: Identity, login: str
    ) -> Iterator[tuple[Publisher, Robot]]:
        publishers, robots = self._catalog.publishers, self._catalog.robots
        issuer = identity.issuer
        pin = issuer.kind.pin_of(issuer.url, identity.claims)
        if login != OIDC_USER:
            named = robots.by_login(login)
            for each in publishers.of_robot(named.id) if named else ():
                if named is not None and each.pin == pin:
                    yield each, named
            return
        found = publishers.by_pin(pin, MAX_CANDIDATES + 1)
        if len(found) > MAX_CANDIDATES:
            raise AmbiguousRobot()
        known = {key: robots.by_id(key) for key in {each.robot_id for each in found}}
        for each in found:
            robot = known[each.robot_id]
            if robot is not None:
                yield each, robot

    def _match(self, identity: Identity, verdicts: list[PublisherVerdict]) -> Publisher:
        """Return the publisher that accepts a token.

        :raises IdentityRefused: if none does, or those of several robots do.
        """
        if not verdicts:
            raise _unknown(identity)
        met = [each for each in verdicts if each.is_met]
        if not met:
            best = verdicts[0]
            raise IdentityRefused(
                f"The publisher of the robot {best.login} does not accept this job:"
                f" {best.failures[0]}. Correct the workflow or the publisher.",
                "claims",
            )
        if len({each.login for each in met}) > 1:
            raise AmbiguousRobot({each.login for each in met})
        return met[0].publisher


def _unknown(identity: Identity) -> IdentityRefused:
    kind = identity.issuer.kind
    pinned = ", ".join(
        f"{name} {value[:64]!r}"
        for name, value in kind.pinned(identity.claims).items()
        if value
    )
    seen = f" with {pinned}" if pinned else ""
    return IdentityRefused(
        f"No robot has a publisher on {kind.title} for this job. Add one{seen} to the"
        " robot. If the token lacks one of the IDs, configure the job to request it.",
        "unknown-publisher",
    )


def _used() -> IdentityRefused:
    return IdentityRefused(
        "The identity token was used already. Request a new one for each login, and"
        " keep the registry token that you get for it.",
        "replayed",
    )
