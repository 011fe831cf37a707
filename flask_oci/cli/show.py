"""``flask oci show``: the details of a repository or an image."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

import click
from flask.cli import with_appcontext

from ..catalog import RepositoryInfo
from ..core import documents
from ..core import image_config
from ..rules.quota import readable
from ..rules.quota import readable_range
from ..services import services
from ..spec.reference import split_image
from . import output
from .common import error_messages
from .digests import whole_image
from .image import details
from .image import Fields


@click.command()
@with_appcontext
@click.argument("image", metavar="REPOSITORY[:TAG|@DIGEST]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show(image: str, as_json: bool) -> None:
    """Show a repository or an image.

    The command prints the config, layers and sizes of an image, the platforms of an
    index, and referrers such as signatures and SBOMs. DIGEST may be the first digits of
    a digest.

    With --json, print the complete config.
    """
    with error_messages():
        name, reference = split_image(whole_image(image))
        repository = services().administration.find(name)
        if reference is None:
            found, write = _repository(repository), _write_repository
        else:
            found, write = details(repository, reference), _write_image
    if as_json:
        output.as_json(found)
    else:
        write(found)


def _repository(repository: RepositoryInfo) -> Fields:
    parts = services()
    key = repository.key
    about = parts.catalog.repository_list.about(key)
    figures = parts.catalog.repository_list.figures([key])[key]
    owners = parts.catalog.users.names([repository.owner_id])
    return {
        "name": repository.name,
        "owner": owners.get(repository.owner_id),
        "visibility": parts.policy.visibility(repository),
        "upstream": repository.upstream,
        "tags": figures.tags,
        "bytes": figures.bytes,
        "pushed": about.pushed_at if about else None,
        "description": about.description if about else "",
    }


def _write_repository(found: Fields) -> None:
    output.facts(
        (
            ("Repository", found["name"]),
            ("Owner", found["owner"] or "(none)"),
            ("Visibility", found["visibility"]),
            *([("Upstream", found["upstream"])] if found["upstream"] else []),
            ("Tags", found["tags"]),
            ("Size", readable(found["bytes"])),
            ("Pushed", found["pushed"] and output.minute(found["pushed"])),
            ("Description", found["description"].partition("\n")[0]),
        )
    )


def _write_image(found: Fields) -> None:
    by = f" by {found['pushed_by']}" if found["pushed_by"] else ""
    output.facts(
        (
            ("Repository", found["repository"]),
            ("Tags", ", ".join(found["tags"])),
            ("Digest", found["digest"]),
            ("Kind", found["kind"]),
            ("Media type", found["media_type"]),
            ("Artifact type", found["artifact_type"]),
            ("One pull", _pull(found)),
            ("All content", readable(found["bytes"])),
            ("Pushed", output.minute(found["pushed"]) + by),
            ("Refers to", found["subject"]),
            ("In the index", ", ".join(found["indexes"])),
        )
    )
    if found["annotations"]:
        output.section("Annotations")
        output.facts(sorted(found["annotations"].items()))
    _write_config(found["config"])
    _write_parts(
        "Platforms",
        ("platform", "digest", "size", "note"),
        map(_platform, found["platforms"][: documents.MAX_SHOWN]),
    )
    _write_parts(
        "Layers",
        ("digest", "size", "content"),
        (
            (layer["digest"], readable(layer["size"]), _content(layer))
            for layer in found["layers"][: documents.MAX_SHOWN]
        ),
    )
    _write_parts(
        "Referrers",
        ("kind", "digest", "artifact type"),
        (
            (part["kind"], part["digest"], part["artifact_type"])
            for part in found["referrers"][: documents.MAX_SHOWN]
        ),
    )


def _pull(found: Fields) -> str:
    return readable_range(found["smallest_pull"], found["largest_pull"])


def _write_config(fields: Fields | None) -> None:
    config = image_config.parse(fields or {})
    lines = [
        *([("Platform", config.platform)] if config.platform else []),
        *config.facts,
        *(("Environment", f"{name}={value}") for name, value in config.environment),
        *(("Label", f"{name}={value}") for name, value in config.labels),
    ]
    if lines:
        output.section("Config")
        output.facts(lines)


def _write_parts(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    found = list(rows)
    if found:
        output.section(title)
        output.table(heads, found, indent="  ")


def _platform(part: Fields) -> Sequence[object]:
    kind = "attestation" if part["attestation"] else part["media_type"]
    note = "" if part["here"] else "not in this repository"
    return part["platform"] or kind, part["digest"], readable(part["bytes"]), note


def _content(layer: Fields) -> str:
    return t.cast(str, layer["title"] or layer["media_type"])
