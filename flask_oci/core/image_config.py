"""What the config of an image says (image-spec, config.md), as a page shows it."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from . import documents
from .documents import Descriptor
from .documents import Pairs
from .messages import marked

_SHELL = re.compile(r"^(?:RUN )?/bin/(?:ba)?sh -[a-z]*c ")
_NOP = re.compile(r"^/bin/sh -c #\(nop\) *")
_BUILDKIT = re.compile(r" # buildkit$")


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How a container of an image starts, and how the image came to be."""

    platform: str
    created: str
    author: str
    user: str
    working_dir: str
    entrypoint: str
    command: str
    stop_signal: str
    ports: list[str]
    volumes: list[str]
    environment: Pairs
    labels: Pairs
    history: list[Step]

    @property
    def facts(self) -> Pairs:
        """What is said in one line each, and was said."""
        rows = (
            (marked("Entrypoint"), self.entrypoint),
            (marked("Command"), self.command),
            (marked("User"), self.user),
            (marked("Working directory"), self.working_dir),
            (marked("Ports"), ", ".join(self.ports)),
            (marked("Volumes"), ", ".join(self.volumes)),
            (marked("Stop signal"), self.stop_signal),
            (marked("Created"), self.created[:19].replace("T", " ")),
            (marked("Author"), self.author),
        )
        return [(name, value) for name, value in rows if value]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of an image's history."""

    command: str
    comment: str
    empty: bool
    """Whether it made no layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, or a step that made none."""

    command: str
    descriptor: Descriptor | None
    share: float
    """How much of the largest layer it is, in percent."""


def parse(fields: dict[str, t.Any]) -> ImageConfig:
    """Read the config of an image, whatever is in it."""
    config = documents.mapping(fields.get("config"))
    environment = [
        (name, value)
        for name, _, value in (
            e.partition("=") for e in documents.texts(config.get("Env"))
        )
    ]
    return ImageConfig(
        platform=documents.platform(fields),
        created=documents.text(fields.get("created")),
        author=documents.text(fields.get("author")),
        user=documents.text(config.get("User")),
        working_dir=documents.text(config.get("WorkingDir")),
        entrypoint=_arguments(config.get("Entrypoint")),
        command=_arguments(config.get("Cmd")),
        stop_signal=documents.text(config.get("StopSignal")),
        ports=sorted(documents.mapping(config.get("ExposedPorts")))[: documents.MOST],
        volumes=sorted(documents.mapping(config.get("Volumes")))[: documents.MOST],
        environment=environment,
        labels=documents.pairs(config.get("Labels")),
        history=[
            Step(
                tidy(documents.text(step.get("created_by"))),
                documents.text(step.get("comment")),
                step.get("empty_layer") is True,
            )
            for step in documents.objects(fields.get("history"))[: documents.MOST]
        ],
    )


def layers(found: Sequence[Descriptor], history: Sequence[Step]) -> list[Layer]:
    """Put the layers and the steps that made them side by side.

    Where there are more of the one than of the other, nobody knows which step made
    which layer, and the steps are left out.
    """
    largest = max((layer.size for layer in found), default=0) or 1
    making = [step for step in history if not step.empty]
    if len(making) != len(found):
        history = [Step("", "", False)] * len(found)
    waiting = iter(found)
    rows = []
    for step in history:
        layer = None if step.empty else next(waiting)
        share = 100 * layer.size / largest if layer else 0
        rows.append(Layer(step.command or step.comment, layer, round(share, 2)))
    return rows


def tidy(command: str) -> str:
    """Write what made a layer as it stood in the Dockerfile, as far as one can tell."""
    command = _BUILDKIT.sub("", command.strip())
    bare = _NOP.sub("", command)
    if bare != command:
        return bare
    return _SHELL.sub("RUN ", command)


def _arguments(value: object) -> str:
    arguments = documents.texts(value)
    return json.dumps(arguments, ensure_ascii=False) if arguments else ""
