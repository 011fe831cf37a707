"""The structures of trusted publishers."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from .base import Body

_Login: t.TypeAlias = t.Annotated[
    str,
    Meta(
        description="The login name of the robot, such as `website+release`.",
        max_length=320,
        pattern=r"^[\u0001-\u007f]*$",
    ),
]
_Text: t.TypeAlias = t.Annotated[str, Meta(max_length=255, pattern=r"^[^\u0000]*$")]


class PublisherField(Body, frozen=True):
    """A value that a publisher needs."""

    name: t.Annotated[str, Meta(description="The name of the field.")]
    hint: t.Annotated[str, Meta(description="Where to find the value.")]
    required: t.Annotated[bool, Meta(description="Whether it must be given.")]


class Issuer(Body, frozen=True):
    """An issuer of identity tokens that the registry trusts."""

    issuer: t.Annotated[str, Meta(description="The claim `iss` of its tokens.")]
    kind: t.Annotated[str, Meta(description="The kind, such as `github`.")]
    fields: t.Annotated[
        list[PublisherField], Meta(description="The fields of its publishers.")
    ]


class Issuers(Body, frozen=True):
    """The issuers that the registry trusts."""

    audience: t.Annotated[
        str | None,
        Meta(description="The audience of identity tokens; null without issuers."),
    ]
    items: t.Annotated[list[Issuer], Meta(description="The issuers.")]


class PublisherList(Body, frozen=True):
    """The parameters of a list of publishers."""

    robot: _Login


class NewPublisher(Body, frozen=True):
    """A workflow that may log in as a robot."""

    robot: _Login
    issuer: t.Annotated[_Text, Meta(description="The address of the issuer.")]
    fields: t.Annotated[
        dict[_Text, _Text],
        Meta(description="The required claims of the job, by field.", max_length=20),
    ]
    create: t.Annotated[
        bool,
        Meta(
            description="Whether to create the robot, without a secret, for the"
            " repositories of its path. It can pull and push."
        ),
    ] = False


class Publisher(Body, frozen=True):
    """A workflow that may log in as a robot."""

    id: t.Annotated[str, Meta(description="The id of the publisher.")]
    issuer: t.Annotated[str, Meta(description="The address of the issuer.")]
    kind: t.Annotated[str, Meta(description="The kind of the issuer.")]
    fields: t.Annotated[
        dict[str, str], Meta(description="The required claims of the job.")
    ]
    created_by: t.Annotated[
        str | None, Meta(description="The user who added it; null for the operator.")
    ]
    created_at: t.Annotated[datetime, Meta(description="When it was added.")]
    last_used_at: t.Annotated[
        datetime | None, Meta(description="When a job logged in last; null for never.")
    ]
    last_job: t.Annotated[
        str | None, Meta(description="The job that logged in last; null for none.")
    ]


class Publishers(Body, frozen=True):
    """The publishers of a robot, newest first."""

    items: t.Annotated[list[Publisher], Meta(description="The publishers.")]
