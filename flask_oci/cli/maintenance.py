"""``flask oci gc`` and ``flask oci fsck``: keeping the storage in order."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..operations.explain import explain
from ..operations.fsck import Checker
from ..operations.fsck import Problem
from ..operations.gc import GarbageCollector
from ..services import services
from ..spec.digest import Digest
from . import output
from . import progress
from .common import told

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..operations.gc import GarbageResult

MIB: t.Final = 1024 * 1024


@click.command()
@with_appcontext
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--explain", "digest", metavar="DIGEST", help="Say what keeps a digest.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def gc(dry_run: bool, digest: str | None, as_json: bool) -> None:
    """Delete what nothing needs: idle uploads, old untagged manifests (where
    OCI_UNTAGGED_LIFETIME is set), and blobs that no manifest references.

    It is safe to run while people push. What a client was told is there stays for
    OCI_GRACE_PERIOD seconds.
    """
    with told():
        if digest is not None:
            _explain(digest)
            return
        collected = _collect(dry_run, as_json)
    if as_json:
        output.as_json(_as_fields(collected))
    else:
        _summarise(collected, dry_run)


@click.command()
@with_appcontext
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
@click.option("--scrub", is_flag=True, help="Read every blob and check its digest.")
@click.option(
    "--rate",
    type=click.IntRange(min=1),
    metavar="MIB",
    help="Scrub no more than so many MiB in a second.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def fsck(repair: bool, scrub: bool, rate: int | None, as_json: bool) -> None:
    """Check that the tables and the files say the same.

    With --scrub, every blob is read; a scrub that is broken off goes on where it
    was. With --repair, wrong files are moved to the folder 'quarantine' of the
    storage, and rows that promise what is lost are taken back, so that clients
    push it again. Nothing is deleted.

    The exit status is 1 when something is wrong that has not been mended, and 2
    when that could not be found out.
    """
    problems = []
    with told():
        checker = _checker(repair)
        for problem in _problems(checker, scrub, rate, as_json):
            problems.append(problem)
            if not as_json:
                _show(problem)
    if as_json:
        output.as_json([asdict(problem) for problem in problems])
    elif not problems:
        click.echo("Everything is as it should be.")
    if any(not (problem.repaired or problem.harmless) for problem in problems):
        raise click.exceptions.Exit(1)


def _explain(digest: str) -> None:
    parts = services()
    for line in explain(parts.config, parts.catalog, Digest.parse(digest)):
        click.echo(line)


def _collect(dry_run: bool, as_json: bool) -> GarbageResult:
    parts = services()
    # One step for each repository, and three for what is not in one.
    steps = len(parts.catalog.garbage.repositories()) + 3
    with progress.bar("Collecting", steps, as_json=as_json) as bar:
        return GarbageCollector(
            parts.config,
            parts.catalog,
            parts.storage,
            dry_run=dry_run,
            progress=lambda _: bar.update(1),
        ).run()


def _checker(repair: bool) -> Checker:
    parts = services()
    return Checker(
        parts.catalog, parts.storage, repair=repair, sparse=parts.config.allow_sparse
    )


def _problems(
    checker: Checker, scrub: bool, rate: int | None, as_json: bool
) -> Iterator[Problem]:
    yield from checker.check()
    if not scrub:
        return
    with progress.bar("Scrubbing", checker.bytes_to_scrub(), as_json=as_json) as bar:
        yield from checker.scrub(None if rate is None else rate * MIB, bar.update)


def _show(problem: Problem) -> None:
    click.echo(f"{problem.kind}: {problem.subject}\n  {problem.message}")
    if problem.repaired:
        click.echo("  It has been repaired.")


def _summarise(collected: GarbageResult, dry_run: bool) -> None:
    verb = "Would delete" if dry_run else "Deleted"
    for place, digest in collected.manifests:
        click.echo(f"{place}: manifest {digest}")
    for place, count in sorted(Counter(p for p, _ in collected.links).items()):
        click.echo(f"{place}: {count} unneeded blobs")
    click.echo(
        f"{verb} {len(collected.uploads)} idle uploads, {len(collected.manifests)}"
        f" manifests and {len(collected.blobs)} blobs,"
        f" {collected.freed / MIB:.1f} MiB."
    )


def _as_fields(collected: GarbageResult) -> dict[str, t.Any]:
    return {
        "uploads": collected.uploads,
        "manifests": [[place, str(digest)] for place, digest in collected.manifests],
        "links": [[place, str(digest)] for place, digest in collected.links],
        "blobs": [str(digest) for digest in collected.blobs],
        "freed": collected.freed,
    }
