"""``flask oci publisher`` and the check of issuers."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from flask import Flask

from tests.conftest import MakeApp
from tests.publishers.ci import Ci
from tests.publishers.ci import ROBOT
from tests.support.identity_issuer import IdentityIssuer
from tests.support.identity_issuer import KEYS
from tests.support.job_claims import GITHUB
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep


def arguments(fields: dict[str, str]) -> list[str]:
    return [part for n, v in fields.items() for part in ("--field", f"{n}={v}")]


def test_publisher_is_added_with_new_robot_listed_and_removed(
    app: Flask, issuer: IdentityIssuer
) -> None:
    """An invalid publisher creates no robot."""
    upkeep, url = Upkeep(app), issuer.address("github")
    add = ("publisher", "add", ROBOT, url, *arguments(GITHUB.fields))
    assert "There is no robot alice+release" in upkeep.run(*add).output
    bad = upkeep.run(*add, "--create", "--field", "repository_id=acme")
    assert bad.exit_code == 1
    assert "Invalid repository_id 'acme': run 'gh api" in bad.output
    added = upkeep.run(*add, "--create", "--action", "push")
    assert added.exit_code == 0, added.output
    assert f"docker login HOST -u {ROBOT} --password-stdin" in added.stderr
    publisher_id = added.stdout.strip()
    assert "has this publisher already" in upkeep.run(*add).output
    (listed,) = json.loads(upkeep.run("publisher", "list", ROBOT, "--json").stdout)
    assert listed["id"] == publisher_id
    assert listed["fields"] == GITHUB.fields
    shown = upkeep.run("publisher", "show", ROBOT, publisher_id).output
    assert "refs/tags/v*" in shown
    fields = upkeep.run("publisher", "fields").output
    assert "gh api repos/OWNER/NAME" in fields
    removed = upkeep.run("publisher", "remove", ROBOT, publisher_id)
    assert removed.output.startswith("Removed the publisher")
    again = upkeep.run("publisher", "remove", ROBOT, publisher_id)
    assert again.exit_code == 1
    assert "has no publishers" in upkeep.run("publisher", "list", ROBOT).output
    unknown = upkeep.run("publisher", "add", ROBOT, f"{url}/", *add[4:])
    assert "does not trust the issuer" in unknown.output


def test_verify_explains_each_claim_without_using_the_token(
    ci: Ci, tmp_path: Path
) -> None:
    upkeep, file = Upkeep(ci.app), tmp_path / "token"

    def verify(token: str, *options: str) -> str:
        file.write_text(f"{token}\n")
        return upkeep.run("publisher", "verify", str(file), *options).output

    good = ci.token()
    for _ in range(2):
        said = verify(good)
        assert "passed: Its signature is valid." in said
        assert "  passed: the claim repository_id is '74'" in said
        assert "The token is accepted for alice+release." in said
    assert ci.exchange(good).status_code == 200
    assert "used already" in verify(good)
    said = verify(ci.token(ref="refs/heads/\x1b[31m"))
    assert "FAILED: the claim ref must be 'refs/tags/v*'" in said
    assert "\x1b" not in said
    assert "has expired" in verify(ci.token(exp=1))
    assert "No robot has a publisher" in verify(ci.token(repository_id="1"))
    missing = upkeep.run("publisher", "verify", str(tmp_path / "missing"))
    assert (missing.exit_code, "Cannot read" in missing.output) == (1, True)
    found = json.loads(verify(ci.token(), "--json"))
    assert found["accepted"]
    assert found["publishers"][0]["robot"] == ROBOT


def test_check_reports_issuers_that_fail_or_are_not_trusted(
    ci: Ci, make_app: MakeApp
) -> None:
    def codes(app: Flask = ci.app) -> dict[str, str]:
        report = json.loads(Upkeep(app).run("check", "--json").stdout)
        return {each["code"]: each["detail"] for each in report["findings"]}

    assert not {"issuer-fails", "issuer-removed", "issuer-clock"} & set(codes())
    ci.issuer.documents[KEYS] = 500
    assert "answered 500" in codes()["issuer-fails"]
    ci.issuer.documents.clear()
    other = make_app(**ci.issuer.config("gitlab"))
    assert ci.url in codes(other)["issuer-removed"]


def test_uses_of_expired_tokens_are_pruned(ci: Ci) -> None:
    """The collection deletes them, so the table does not grow for ever."""
    upkeep = Upkeep(ci.app)
    ci.secret()
    upkeep.gc()
    assert upkeep.rows("IdentityUse") == 1
    with later(timedelta(hours=1)):
        upkeep.gc()
    assert upkeep.rows("IdentityUse") == 0
