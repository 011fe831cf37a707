"""``flask oci trust``: signers whose signatures count, and signatures of images."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..errors import ManifestUnknown
from ..operations.verification import VerificationRunner
from ..rules.paths import EVERY
from ..rules.paths import parse_path
from ..rules.wording import plural
from ..services import services
from ..spec.reference import parse_reference
from ..spec.reference import split_image
from ..verification.signers import MAX_VALUE
from . import output
from .aliases import Group
from .common import error_messages
from .common import read_text
from .common import report_failures
from .digests import short
from .digests import whole_image
from .scopes import path_or_repository
from .scopes import Scope


@click.group(cls=Group)
def trust() -> None:
    """Trust signers, and show which signatures are verified.

    A signer is a public key of cosign, a certificate for Notation, or an identity in
    certificates of Sigstore. The registry compares signatures with the signers that the
    repository trusts, or a path that contains it.
    """


@trust.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_signers(as_json: bool) -> None:
    """List the trusted signers."""
    with error_messages():
        found = services().trusted_signers.list()
    if as_json:
        output.as_json([asdict(each) for each in found])
        return
    output.table(
        ("signer", "scope", "kind", "identity or fingerprint", "since", "by"),
        (
            (
                *(each.name, each.repository or each.path, each.kind),
                each.value if each.kind == "identity" else each.fingerprint[:16],
                *(each.added_at, each.added_by or "-"),
            )
            for each in found
        ),
    )
    if not found:
        output.none_found("No signers are trusted.")


@trust.command("add")
@with_appcontext
@click.argument("name")
@path_or_repository
@click.option("--key", metavar="FILE", help="The file of a public key, in PEM.")
@click.option("--certificate", metavar="FILE", help="A certificate file, in PEM.")
@click.option("--identity", help="An e-mail address or a URL in certificates.")
@click.option("--issuer", default="", help="The URL of the issuer of the identity.")
def add_signer(
    name: str,
    scope: Scope,
    key: str | None,
    certificate: str | None,
    identity: str | None,
    issuer: str,
) -> None:
    """Trust a signer, and verify the existing signatures.

    NAME is the name by which policies refer to it, such as release@example.org.
    """
    with error_messages():
        signer = services().trusted_signers.add(
            name,
            key=_read(key),
            certificate=_read(certificate),
            identity=identity,
            issuer=issuer,
            **scope.arguments(),
        )
        click.echo(f"{scope.name} trusts {name} ({signer.fingerprint[:16]}).")
        _verify(_names(scope))


@trust.command("remove")
@with_appcontext
@click.argument("name")
@path_or_repository
def remove_signer(name: str, scope: Scope) -> None:
    """End the trust in a signer. Its signatures do not count from now on."""
    with error_messages():
        removed = services().trusted_signers.remove(name, **scope.arguments())
    if not removed:
        raise click.ClickException(f"{scope.name} does not trust a signer {name}.")
    click.echo(f"{scope.name} does not trust {name} any more.")


@trust.command("verify")
@with_appcontext
@click.argument("repositories", nargs=-1)
def verify_signatures(repositories: tuple[str, ...]) -> None:
    """Verify signatures that were pushed before a signer was trusted.

    The command reads the REPOSITORIES, or all. The background work does this too.
    """
    with error_messages():
        for name in repositories:
            services().administration.find(name)
        _verify(repositories or None)


@trust.command("show")
@with_appcontext
@click.argument("image")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def show_signatures(image: str, as_json: bool) -> None:
    """Show the signatures of an image, and why some are not verified."""
    with error_messages():
        name, reference = split_image(whole_image(image))
        repository = services().administration.find(name)
        stored = services().catalog.manifests.find(
            repository.key, parse_reference(reference or "latest"), content=False
        )
        if stored is None:
            raise ManifestUnknown(detail=reference)
        found = services().signatures.of(repository, [stored.digest])
    if as_json:
        output.as_json([asdict(each) for each in found])
        return
    output.table(
        ("signature", "format", "verified", "reason", "checked"),
        (
            (
                *(short(each.digest), each.format),
                f"by {each.signer}" if each.signer else "no",
                *(each.reason, each.checked_at),
            )
            for each in found
        ),
    )
    if not found:
        output.none_found("The image has no signatures.")


def _read(file: str | None) -> str | None:
    return None if file is None else read_text(file, 2 * MAX_VALUE)


def _names(scope: Scope) -> list[str] | None:
    if scope.repository is not None:
        return [scope.repository]
    if scope.path is None or scope.path == EVERY:
        return None
    found = services().catalog.repositories.all_below(parse_path(scope.path))
    return [each.name for each in found]


def _verify(names: t.Sequence[str] | None) -> None:
    runner = VerificationRunner(services().catalog, services().content.attachments)
    count = runner.run(names)
    click.echo(f"Read {plural(count, 'artifact')}.")
    report_failures(runner.failures)
