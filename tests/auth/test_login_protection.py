"""Rate limit of logins: its counts, its addresses and its answers."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from werkzeug.exceptions import TooManyRequests
from werkzeug.test import TestResponse

from flask_oci import LoginRefused
from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.credentials import bearing
from tests.support.credentials import by_access_token
from tests.support.credentials import grant
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.credentials import refresh
from tests.support.host import check
from tests.support.host import db
from tests.support.host import PASSWORDS
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]
ATTEMPTS = 3
#: The number of simultaneous guesses.
GUESSES = 8
LIMITED = (429, "TOOMANYREQUESTS")
WRONG = (401, "UNAUTHORIZED")

pytestmark = pytest.mark.options(oci_login_attempts=ATTEMPTS)


def attempt(
    app: Flask, name: str = "alice", secret: str = "wrong", address: str = "192.0.2.1"
) -> TestResponse:
    """Return the response to a login from an address."""
    client = RegistryClient(app, basic(name, secret))
    return client.get("/v2/", environ={"REMOTE_ADDR": address})


def use_up(app: Flask, **where: str) -> None:
    """Fail as often as the limit allows."""
    for _ in range(ATTEMPTS):
        assert refusal(attempt(app, **where)) == WRONG


def test_login_after_too_many_failures_is_429(app: Flask) -> None:
    """The registry does not check the right password either, for that address and
    account."""
    use_up(app)
    for secret in ("wrong", "wonderland"):
        response = attempt(app, secret=secret)
        assert refusal(response) == LIMITED
        assert 0 < int(response.headers["Retry-After"]) <= 900
    assert attempt(app, "bob", "builder").status_code == 200
    assert attempt(app, secret="wonderland", address="192.0.2.2").status_code == 200


def test_logins_to_many_accounts_share_a_limit(app: Flask) -> None:
    """The limit for all accounts together is ten times the limit for one."""
    for number in range(10 * ATTEMPTS):
        assert refusal(attempt(app, f"user{number}")) == WRONG
    assert refusal(attempt(app, "bob", "builder")) == LIMITED
    assert attempt(app, "bob", "builder", "192.0.2.2").status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "counted"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", "together"),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", "apart"),
        ("192.0.2.1", "192.0.2.2", "apart"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", "apart"),
        ("", "", "together"),
        ("unix:", "unix:", "together"),
    ],
)
def test_addresses_of_one_ipv6_network_share_a_limit(
    app: Flask, first: str, second: str, counted: str
) -> None:
    """A client with one address of a /64 network has all of them."""
    use_up(app, address=first)
    expected = LIMITED if counted == "together" else WRONG
    assert refusal(attempt(app, address=second)) == expected


def test_login_after_retry_after_is_accepted(app: Flask) -> None:
    """The period begins with the first failure and ends when the answer said."""
    # Some databases store whole seconds only.
    now = utcnow().replace(microsecond=0)
    with time_machine.travel(now, tick=False):
        use_up(app)
    with time_machine.travel(now + timedelta(seconds=600), tick=False):
        response = attempt(app, secret="wonderland")
        assert refusal(response) == LIMITED
        assert response.headers["Retry-After"] == "300"
    with time_machine.travel(now + timedelta(seconds=901), tick=False):
        use_up(app)
        assert refusal(attempt(app)) == LIMITED


def test_login_that_succeeds_resets_its_account(app: Flask) -> None:
    """Failures of other accounts from the same address stay counted."""
    for number in range(10 * ATTEMPTS):
        if number % 2:
            assert attempt(app, "bob", "builder").status_code == 200
        assert refusal(attempt(app, "bob")) == WRONG
    assert refusal(attempt(app, "bob", "builder")) == LIMITED


def test_failures_are_counted_over_all_processes(make_app: MakeApp) -> None:
    """The counts are in the database."""
    workers = [make_app(OCI_LOGIN_ATTEMPTS=ATTEMPTS) for _ in range(ATTEMPTS)]
    for worker in workers:
        assert refusal(attempt(worker)) == WRONG
    for worker in workers:
        assert refusal(attempt(worker)) == LIMITED


def test_failures_are_stored_without_the_name(app: Flask) -> None:
    """Users sometimes type their password into the field of the name."""
    attempt(app, "my password")
    with app.app_context():
        rows = db.session.execute(
            sa.select(registry.models.LoginFailure.__table__)
        ).all()
    assert len(rows) == 2
    assert "my password" not in repr(rows)


def test_every_way_to_log_in_counts_once(app: Flask) -> None:
    """A password counts once, whichever request has it."""
    form = {"grant_type": "password", "username": "alice", "password": "wrong"}
    ways: list[t.Callable[[], TestResponse]] = [
        lambda: RegistryClient(app, basic("alice", "wrong")).get("/v2/token"),
        lambda: RegistryClient(app, basic("alice", "wrong")).post(
            "/v2/alice/app/blobs/uploads/"
        ),
        lambda: grant(RegistryClient(app), **form),
    ]
    for way in ways:
        assert refusal(way()) == WRONG
    for way in ways:
        assert refusal(way()) == LIMITED


def test_invalid_access_token_is_not_counted(app: Flask) -> None:
    """An access token cannot be guessed. A client with a valid one is not blocked by a
    client at the same address that guesses passwords."""
    secret = issue(app, "alice").secret
    for _ in range(2 * ATTEMPTS):
        for name, bad in (("bob", secret), ("alice", secret + "x"), ("x", "oci_pat_")):
            assert refusal(attempt(app, name, bad)) == WRONG
    use_up(app)
    assert refusal(attempt(app, secret="wonderland")) == LIMITED
    assert attempt(app, secret=secret).status_code == 200


def test_request_without_credentials_is_not_counted(app: Flask) -> None:
    """Anonymous clients send an empty pair, no header or a token."""
    for _ in range(10 * ATTEMPTS):
        for header in (basic("", ""), "Bearer x", "Basic !", None):
            assert refusal(RegistryClient(app, header).get("/v2/")) == WRONG
    assert RegistryClient.of(app, "alice").get("/v2/").status_code == 200


def test_bearer_token_is_accepted_despite_the_limit(
    app: Flask, alice: RegistryClient
) -> None:
    """A stranger at the same address who guesses passwords does not interrupt a
    push."""
    kept, bearer = log_in(alice)["refresh_token"], alice.bearer()
    for _ in range(ATTEMPTS):
        assert refusal(RegistryClient(app, basic("alice", "x")).get("/v2/")) == WRONG
    assert refusal(alice.get("/v2/")) == LIMITED
    assert bearer.get("/v2/").status_code == 200
    assert bearing(app, refresh(app, kept)).get("/v2/").status_code == 200


@pytest.mark.options(oci_login_attempts=None)
def test_login_attempts_of_none_sets_no_limit(app: Flask) -> None:
    """None is for a host or a proxy with its own limit."""
    for _ in range(50):
        assert refusal(attempt(app)) == WRONG
    assert attempt(app, secret="wonderland").status_code == 200


@pytest.fixture(name="calls")
def _calls() -> t.Iterator[list[tuple[str, str]]]:
    """The calls of a ``before_login`` hook, which refuses the third one."""
    calls: list[tuple[str, str]] = []

    @registry.before_login
    def limit(username: str, address: str) -> None:
        calls.append((username, address))
        if len(calls) > 2:
            raise TooManyRequests("Have a rest.", retry_after=60)

    yield calls
    # There is no public function to remove a hook.
    registry._hooks.before_login = None


def test_before_login_replaces_the_limit(
    app: Flask, calls: list[tuple[str, str]], anonymous: RegistryClient
) -> None:
    """The registry calls the hook with the name and the address before it checks the
    password. The answer to a refusal is 429, and the built-in limit counts nothing."""
    assert refusal(attempt(app)) == WRONG
    assert attempt(app, secret="wonderland").status_code == 200
    response = attempt(app, secret="wonderland")
    assert refusal(response) == LIMITED
    assert response.headers["Retry-After"] == "60"
    assert response.get_json()["errors"][0]["message"] == "Have a rest."
    assert calls == [("alice", "192.0.2.1")] * 3
    assert anonymous.get("/v2/").status_code == 401
    assert len(calls) == 3
    with app.app_context():
        failures = sa.select(registry.models.LoginFailure.__table__)
        assert db.session.execute(failures).all() == []


@pytest.fixture(name="asked")
def _asked() -> t.Iterator[list[str]]:
    """The names that the host's check was called with. It refuses the password of bob
    with a reason."""
    asked: list[str] = []

    @registry.authenticate
    def ask(username: str, secret: str) -> t.Any:
        asked.append(username)
        user = check(username, secret)
        if user and username == "bob":
            raise LoginRefused("Bob has a second factor; make an access token.")
        return user

    yield asked
    registry.authenticate(check)


@pytest.mark.parametrize("name", ["alice", "carol", "nobody", "Alice", "alice "])
def test_failed_login_does_not_reveal_accounts(
    app: Flask, asked: list[str], name: str
) -> None:
    """A wrong password, an unknown user and a disabled account get the same answer for
    the same work: the host's own check."""
    failed = attempt(app, "other", "singer")
    response = attempt(app, name, "singer")
    assert refusal(response) == WRONG
    assert response.data == failed.data
    assert response.headers.to_wsgi_list() == failed.headers.to_wsgi_list()
    assert asked == ["other", name]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("alice", ""),
        ("", "wonderland"),
        ("al\0ice", "wonderland"),
        ("alice", "a\0b"),
        ("alice", "oci_ref_not a password"),
        ("alice", "oci_pat_not a password"),
    ],
)
def test_login_with_empty_password_does_not_reach_the_host(
    app: Flask, asked: list[str], name: str, secret: str
) -> None:
    """An LDAP directory may accept an empty password."""
    assert refusal(attempt(app, name, secret)) == WRONG
    form = {"grant_type": "password", "username": name, "password": secret}
    assert refusal(grant(RegistryClient(app), **form)) == WRONG
    assert asked == []


def test_login_refused_by_host_has_its_reason(app: Flask, asked: list[str]) -> None:
    """Docker prints the reason. The refusal does not count as a failure."""
    for _ in range(2 * ATTEMPTS):
        response = attempt(app, "bob", "builder")
        assert refusal(response) == WRONG
        (entry,) = response.get_json()["errors"]
        assert entry["message"] == "Bob has a second factor; make an access token."
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")
    by_token = by_access_token(app, "bob")
    assert by_token.bearer().get("/v2/").status_code == 200
    wrong = attempt(app, "bob", "wrong").get_json()["errors"][0]["message"]
    assert wrong == "Wrong user name or password."


@pytest.mark.options(oci_password_login=False)
def test_login_without_password_login_is_refused(app: Flask, asked: list[str]) -> None:
    """The right and a wrong password get the same answer, which says what to do. The
    registry does not call the host."""
    answers = [attempt(app, secret=secret) for secret in ("wonderland", "wrong")]
    form = {"grant_type": "password", "username": "alice", "password": "wonderland"}
    answers.append(grant(RegistryClient(app), **form))
    for answer in answers:
        assert refusal(answer) == WRONG
        assert "access token" in answer.get_json()["errors"][0]["message"]
        assert answer.data == answers[0].data
    assert asked == []
    assert by_access_token(app, "alice").bearer().get("/v2/").status_code == 200


@pytest.fixture(name="meeting")
def _meeting() -> t.Iterator[tuple[threading.Barrier, threading.Event]]:
    """A check of passwords that waits until all guesses have passed the rate limit. The
    correct one is checked after all others have been answered."""
    barrier, answered = threading.Barrier(GUESSES + 1, timeout=60), threading.Event()

    @registry.authenticate
    def meet(username: str, secret: str) -> t.Any:
        db.session.rollback()
        barrier.wait()
        if secret == PASSWORDS["alice"]:
            assert answered.wait(60)
        return check(username, secret)

    yield barrier, answered
    registry.authenticate(check)


def test_simultaneous_guesses_learn_no_more_than_the_limit(
    make_app: MakeApp, meeting: tuple[threading.Barrier, threading.Event]
) -> None:
    """All guesses are sent at once, to several processes. Only as many as the limit
    allows get an answer, and a correct one after them gets none."""
    workers = [make_app(OCI_LOGIN_ATTEMPTS=ATTEMPTS) for _ in range(3)]
    with ThreadPoolExecutor(GUESSES + 1) as pool:
        correct = pool.submit(attempt, workers[0], secret="wonderland")
        wrong = [
            pool.submit(attempt, workers[number % 3], secret=f"wrong{number}")
            for number in range(GUESSES)
        ]
        answers = [refusal(guess.result()) for guess in wrong]
        meeting[1].set()
        assert refusal(correct.result()) == LIMITED
    assert sorted(answers) == [WRONG] * ATTEMPTS + [LIMITED] * (GUESSES - ATTEMPTS)


def test_simultaneous_correct_logins_are_all_accepted(app: Flask) -> None:
    """More logins than the limit at once are no failures."""
    barrier = threading.Barrier(GUESSES, timeout=60)

    @registry.authenticate
    def meet(username: str, secret: str) -> t.Any:
        db.session.rollback()
        barrier.wait()
        return check(username, secret)

    try:
        with ThreadPoolExecutor(GUESSES) as pool:
            logins = [
                pool.submit(attempt, app, secret="wonderland") for _ in range(GUESSES)
            ]
            assert {login.result().status_code for login in logins} == {200}
    finally:
        registry.authenticate(check)
