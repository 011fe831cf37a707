"""The config of an image (image-spec, config.md)."""

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
    """The configuration of an image's containers, and the history of the image."""

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
        """The labels and values of the properties that are set and have one line."""
        rows = (
            (marked("Entrypoint"), self.entrypoint),
            (marked("Command"), self.command),
            (marked("User"), self.user),
            (marked("Working directory"), self.working_dir),
            (marked("Ports"), ", ".join(self.ports)),
            (marked("Volumes"), ", ".join(self.volumes)),
            (marked("Stop signal"), self.stop_signal),
            (marked("Created"), _time_text(self.created)),
            (marked("Author"), self.author),
        )
        return [(name, value) for name, value in rows if value]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an image's history."""

    command: str
    comment: str
    empty: bool
    """Whether the step created no layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, or a step that created none."""

    command: str
    descriptor: Descriptor | None
    share: float
    """The size, as a percentage of the largest layer."""


def _time_text(time: str) -> str:
    """Return a time for a page, or an empty text for the zero time of Go, which tools
    write when they know none."""
    return "" if time.startswith("0001-01-01") else time[:19].replace("T", " ")


def parse(fields: dict[str, t.Any]) -> ImageConfig:
    """Return the config of an image; invalid properties are left out."""
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
        ports=documents.keys(config.get("ExposedPorts")),
        volumes=documents.keys(config.get("Volumes")),
        environment=environment,
        labels=documents.pairs(config.get("Labels")),
        history=[
            Step(
                tidy(documents.text(step.get("created_by"))),
                documents.text(step.get("comment")),
                step.get("empty_layer") is True,
            )
            for step in documents.objects(fields.get("history"))
        ],
    )


def layers(found: Sequence[Descriptor], history: Sequence[Step]) -> list[Layer]:
    """Return the layers with the steps that created them.

    If the numbers of layers and steps differ, the steps are left out, because they
    cannot be matched.
    """
    largest = max((layer.size for layer in found), default=0) or 1
    layer_steps = [step for step in history if not step.empty]
    if len(layer_steps) != len(found):
        history = [Step("", "", False)] * len(found)
    remaining = iter(found)
    rows = []
    for step in history:
        layer = None if step.empty else next(remaining)
        share = 100 * layer.size / largest if layer else 0
        rows.append(Layer(step.command or step.comment, layer, round(share, 2)))
    return rows


def tidy(command: str) -> str:
    """Return the instruction of the Dockerfile that most likely created a layer."""
    command = _BUILDKIT.sub("", command.strip())
    without_nop = _NOP.sub("", command)
    if without_nop != command:
        return without_nop
    return _SHELL.sub("RUN ", command)


def _arguments(value: object) -> str:
    arguments = documents.texts(value)
    return json.dumps(arguments, ensure_ascii=False) if arguments else ""
