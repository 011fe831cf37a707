"""``flask oci gc`` and ``flask oci fsck``: garbage collection and consistency."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..operations.explain import explain
from ..operations.fsck import Checker
from ..operations.gc import GarbageCollector
from ..operations.problem import Problem
from ..rules.quota import readable
from ..rules.wording import plural
from ..services import services
from . import output
from . import progress
from .common import error_messages
from .common import report_failures
from .digests import whole_digest
from .sizes import size

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..operations.gc_result import GarbageResult


@click.command()
@with_appcontext
@click.option("--dry-run", is_flag=True, help="Only print what would be deleted.")
@click.option(
    "--all",
    "visit_all",
    is_flag=True,
    help="Also visit the repositories that have not changed.",
)
@click.option(
    "--explain",
    "digest",
    metavar="DIGEST",
    help="Explain why a digest, or its first digits, is not deleted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def gc(dry_run: bool, visit_all: bool, digest: str | None, as_json: bool) -> None:
    """Delete content that is no longer needed.

    This is: idle uploads, old untagged manifests (if OCI_UNTAGGED_LIFETIME is set), and
    blobs that no manifest references.

    The command is safe to run during pushes: it keeps content that the registry has
    acknowledged to a client for OCI_GRACE_PERIOD.

    It visits the repositories that have changed, or in which a lease or a lifetime has
    ended.

    The exit status is 3 if single items could not be deleted. The command names them,
    and its next run tries them again.
    """
    with error_messages():
        if digest is not None:
            _explain(digest)
            return
        collected = _collect(dry_run, visit_all, as_json)
    if as_json:
        output.as_json(_as_fields(collected))
    else:
        _print_summary(collected, dry_run)
    report_failures(collected.failures)


@click.command()
@with_appcontext
@click.option("--repair", is_flag=True, help="Repair what can be repaired.")
@click.option("--scrub", is_flag=True, help="Read every blob and verify its digest.")
@click.option(
    "--rate",
    metavar="SIZE",
    callback=size,
    help="Limit the scrub to this size per second, such as 50MB.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def fsck(repair: bool, scrub: bool, rate: int | None, as_json: bool) -> None:
    """Check that database and storage folder are consistent.

    With --scrub, the command reads every blob; an interrupted scrub can be resumed.
    With --repair, it moves damaged files to the folder 'quarantine' of the storage, and
    removes the rows of lost blobs, so that clients push them again. It deletes no
    files.

    The exit status is 1 if there are problems that were not repaired, and 2 if the
    check failed.
    """
    problems = []
    with error_messages():
        checker = _checker(repair)
        for problem in _problems(checker, scrub, rate, as_json):
            problems.append(problem)
            if not as_json:
                _print_problem(problem)
    if as_json:
        output.as_json([asdict(problem) for problem in problems])
    elif not problems:
        click.echo("No problems found.")
    if any(not (problem.repaired or problem.harmless) for problem in problems):
        raise click.exceptions.Exit(1)


def _explain(digest: str) -> None:
    parts = services()
    for line in explain(parts.config, parts.catalog, whole_digest(digest)):
        click.echo(line)


def _collect(dry_run: bool, visit_all: bool, as_json: bool) -> GarbageResult:
    parts = services()
    # One step for each repository, and three for the rest.
    steps = parts.catalog.collection_schedule.count(every=visit_all) + 3
    with progress.bar("Collecting", steps, as_json=as_json) as bar:
        return GarbageCollector(
            parts.config,
            parts.catalog,
            parts.storage,
            dry_run=dry_run,
            visit_all=visit_all,
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
        yield from checker.scrub(rate, bar.update)


def _print_problem(problem: Problem) -> None:
    click.echo(f"{problem.kind}: {problem.subject}\n  {problem.message}")
    if problem.repaired:
        click.echo("  Repaired.")


def _print_summary(collected: GarbageResult, dry_run: bool) -> None:
    verb = "Would delete" if dry_run else "Deleted"
    for place, digest in collected.manifests:
        click.echo(f"{place}: manifest {digest}")
    for place, count in sorted(Counter(p for p, _ in collected.links).items()):
        click.echo(f"{place}: {plural(count, 'unreferenced blob')}")
    click.echo(
        f"{verb} {plural(len(collected.uploads), 'idle upload')},"
        f" {plural(len(collected.manifests), 'manifest')} and"
        f" {plural(len(collected.blobs), 'blob')}, {readable(collected.freed)}."
    )
    if collected.discarded:
        nouns = ("discarded file or object", "discarded files and objects")
        what = plural(collected.discarded, *nouns)
        click.echo(f"Deleted {what}.")


def _as_fields(collected: GarbageResult) -> dict[str, t.Any]:
    return {
        "uploads": collected.uploads,
        "manifests": [[place, str(digest)] for place, digest in collected.manifests],
        "links": [[place, str(digest)] for place, digest in collected.links],
        "blobs": [str(digest) for digest in collected.blobs],
        "freed": collected.freed,
        "failures": collected.failures,
    }
