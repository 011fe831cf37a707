"""How much somebody may have, and what is said to who wants more."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..errors import Denied

#: From which part of a quota on somebody is warned.
NEARLY: t.Final = 0.9

_UNITS: t.Final = ("B", "kB", "MB", "GB", "TB", "PB")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kKMGTP]?)(i?)B?", re.ASCII)


class QuotaExceeded(Denied):
    """Somebody wants more than they may have."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a repository, or everything of an owner's, may be."""

    bytes: int | None = None
    """Of blobs, each of them once, and of manifests; None is any number."""

    images: int | None = None
    """How many images may have a tag; None is any number."""

    @classmethod
    def read(cls, value: dict[str, int | None]) -> Quota:
        """Return the quota that a rule of this value lays down."""
        return cls(**value)

    @property
    def is_limit(self) -> bool:
        """Whether there is anything that it does not allow."""
        return self.bytes is not None or self.images is not None


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """How much of a quota is used."""

    name: str
    """Of the repository, or the owner, that the quota is for."""

    quota: Quota
    bytes: int
    """What of it is used, of blobs and manifests."""

    images: int
    """How many images have a tag."""

    def check(self, before: QuotaUsage) -> None:
        """Refuse what has brought it here.

        :param before: where it was before.
        :raises QuotaExceeded: when there is more than there may be, and more than
            before.
        """
        if self._is_over(self.quota.bytes, self.bytes, before.bytes):
            raise before.exceeded(self.bytes - before.bytes)
        if self._is_over(self.quota.images, self.images, before.images):
            raise QuotaExceeded(
                f"{self.name} has {before.images} of {self.quota.images} images."
                " Delete tags, or ask for more.",
                detail=f"{before.images}/{self.quota.images}",
            )

    def exceeded(self, more: int | None = None, unfinished: int = 0) -> QuotaExceeded:
        """Return what somebody is told who wants more bytes.

        :param more: how many, if that is known.
        :param unfinished: how many are taken by uploads that have not ended.
        """
        used = self.bytes + unfinished
        wanted = "" if more is None else f", and this takes {readable(more)} more"
        open_ones = (
            f" ({readable(unfinished)} by unfinished uploads)" if unfinished else ""
        )
        return QuotaExceeded(
            f"{self.name} uses {readable(used)} of"
            f" {readable(self.quota.bytes or 0)}{open_ones}{wanted}."
            " Delete images, or ask for more room.",
            detail=f"{used}/{self.quota.bytes}",
        )

    @property
    def is_too_much(self) -> bool:
        """Whether more is used than there may be."""
        limits = ((self.quota.bytes, self.bytes), (self.quota.images, self.images))
        return any(limit is not None and used > limit for limit, used in limits)

    @property
    def warning(self) -> str | None:
        """What to say to who has nearly all that they may have, or None."""
        limit = self.quota.bytes
        if limit is not None and self.bytes >= NEARLY * limit:
            return f"{self.name} uses {readable(self.bytes)} of {readable(limit)}."
        most = self.quota.images
        if most is not None and self.images >= NEARLY * most:
            return f"{self.name} has {self.images} of {most} images."
        return None

    @staticmethod
    def _is_over(limit: int | None, now: int, before: int) -> bool:
        return limit is not None and now > limit and now > before


def readable(count: int) -> str:
    """Write a number of bytes as people read it, in powers of 1000."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return (
        f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
    )


def parse_size(text: str) -> int:
    """Read a number of bytes, such as ``500MB``, ``10 GiB`` or ``1000000``.

    :raises ValueError: when it is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no size; write '500MB', '10GiB' or a number.")
    number, unit, binary = found.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** " KMGTP".index(unit.upper() or " "))
