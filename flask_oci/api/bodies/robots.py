"""The structures of robots."""

from __future__ import annotations

import typing as t
from datetime import datetime

import msgspec
from msgspec import Meta

from .base import AsciiText
from .base import Body
from .base import Page
from .base import Paging
from .base import ShortText
from .tokens import Pattern

RobotAction = t.Literal["pull", "push", "delete"]

_Actions: t.TypeAlias = t.Annotated[
    list[RobotAction],
    Meta(min_length=1, max_length=3, description="The actions that it allows."),
]
_Patterns: t.TypeAlias = t.Annotated[
    list[Pattern],
    Meta(
        min_length=1,
        max_length=100,
        description="Patterns of the repository names in its path; `*` matches any"
        " text.",
    ),
]
_Days: t.TypeAlias = t.Annotated[int, Meta(ge=1, le=36_500)]
_Description: t.TypeAlias = t.Annotated[ShortText, Meta(description="Its purpose.")]
_Protected: t.TypeAlias = t.Annotated[
    bool, Meta(description="Whether it may move and delete protected tags.")
]


def _usual_actions() -> list[RobotAction]:
    return ["pull", "push"]


class RobotSecret(Body, frozen=True):
    """A secret of a robot, without its text."""

    id: t.Annotated[str, Meta(description="The id that revokes it.")]
    created_at: t.Annotated[datetime, Meta(description="When it was issued.")]
    expires_at: t.Annotated[
        datetime | None, Meta(description="When it expires; null for never.")
    ]
    last_used_at: t.Annotated[
        datetime | None,
        Meta(description="When it was last used, to within a minute; null for never."),
    ]


class Robot(Body, frozen=True):
    """An account of a path or of a repository, for a machine."""

    id: t.Annotated[str, Meta(description="The id of the robot.")]
    login: t.Annotated[str, Meta(description="The name for `docker login`.")]
    path: t.Annotated[
        str | None,
        Meta(description="The path, such as `website/*`; null for a repository."),
    ]
    description: _Description
    actions: _Actions
    repositories: _Patterns
    changes_protected_tags: _Protected
    enabled: t.Annotated[bool, Meta(description="Whether it is not disabled.")]
    obstacle: t.Annotated[
        str | None,
        Meta(description="The reason why it may do nothing now; null if it may."),
    ]
    created_by: t.Annotated[
        str | None,
        Meta(description="The user who created it; null for the command line."),
    ]
    created_at: t.Annotated[datetime, Meta(description="When it was created.")]
    expires_at: t.Annotated[
        datetime | None, Meta(description="When it expires; null for never.")
    ]
    last_used_at: t.Annotated[
        datetime | None,
        Meta(description="When it was last used, to within a minute; null for never."),
    ]
    secrets: t.Annotated[
        list[RobotSecret], Meta(description="Its secrets, newest first.")
    ]


class Robots(Page, frozen=True):
    """Robots, ordered by their login names."""

    items: t.Annotated[list[Robot], Meta(description="The robots.")]


class RobotList(Paging, frozen=True):
    """The parameters of a list of robots."""

    path: t.Annotated[
        AsciiText,
        Meta(description="Only robots of this path and below, such as `website`."),
    ] = ""
    repository: t.Annotated[
        AsciiText, Meta(description="Only robots of this repository.")
    ] = ""


class NewRobot(Body, frozen=True):
    """A robot to create, of a path or of a repository."""

    name: t.Annotated[
        AsciiText,
        Meta(description="Its name in the path or repository, such as `release`."),
    ]
    path: t.Annotated[AsciiText, Meta(description="The path, such as `website`.")] = ""
    repository: t.Annotated[
        AsciiText, Meta(description="The repository, if there is no path.")
    ] = ""
    description: _Description = ""
    actions: _Actions = msgspec.field(default_factory=_usual_actions)
    repositories: _Patterns | None = None
    changes_protected_tags: _Protected = False
    days: t.Annotated[
        _Days | None,
        Meta(description="The number of days until it expires; null for never."),
    ] = None
    secret: t.Annotated[bool, Meta(description="Whether to issue a secret.")] = True


class CreatedRobot(Body, frozen=True):
    """A new robot and its secret."""

    robot: t.Annotated[Robot, Meta(description="The robot.")]
    secret: t.Annotated[
        str | None,
        Meta(description="The secret, which is never shown again; null if none."),
    ]


class RobotChange(Body, frozen=True):
    """The values of a robot to change; others stay."""

    description: _Description | msgspec.UnsetType = msgspec.UNSET
    actions: _Actions | msgspec.UnsetType = msgspec.UNSET
    repositories: _Patterns | msgspec.UnsetType = msgspec.UNSET
    changes_protected_tags: _Protected | msgspec.UnsetType = msgspec.UNSET
    days: t.Annotated[
        _Days | msgspec.UnsetType | None,
        Meta(description="The number of days until it expires; null for never."),
    ] = msgspec.UNSET
    enabled: t.Annotated[
        bool | msgspec.UnsetType,
        Meta(
            description="Whether it is enabled. If its namespace or repository has"
            " another owner now, that deletes its secrets."
        ),
    ] = msgspec.UNSET


class NewSecret(Body, frozen=True):
    """A secret to issue."""

    overlap_hours: t.Annotated[
        int,
        Meta(ge=0, le=2160, description="How long the present secret stays valid."),
    ] = 0
    days: t.Annotated[
        _Days | None,
        Meta(description="The number of days until it expires; null for never."),
    ] = None
