"""Quotas: limits in bytes and images, their usage, and sizes in text."""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import Denied
from .wording import plural

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: The used part of a quota from which the registry warns.
WARNING_THRESHOLD: t.Final = 0.9

_UNITS: t.Final = ("B", "kB", "MB", "GB", "TB", "PB")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kKMGTP]?)(i?)B?", re.ASCII)


class QuotaExceeded(Denied):
    """A change would exceed a quota.

    The message does not tell how much of a shared quota is used, because the usage
    reveals the size of repositories that the caller may not see.
    """

    # With a number, Flask calls the error handler of the blueprint for this class.
    code = 403

    usage: QuotaUsage | None = None
    """The usage that the message leaves out."""

    explanation: str = ""
    """The message with the usage, for users who may know it."""

    used: str | None = None
    """The used part of the quota, such as ``10/20``."""

    def explained(self) -> QuotaExceeded:
        """Return the error with the usage."""
        return QuotaExceeded(self.explanation or self.message, detail=self.used)


@contextmanager
def usage_shown(is_shown: bool) -> Iterator[None]:
    """Raise errors of quotas with the usage.

    :param is_shown: whether the caller may know the usage. The host's own code may, if
        it acts for no user.
    """
    try:
        yield
    except QuotaExceeded as error:
        if not is_shown:
            raise
        raise error.explained() from None


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit for one repository, or for all repositories of an owner together."""

    bytes: int | None = None
    """The maximum size of blobs and manifests in bytes. A blob that several
    repositories share counts once. None sets no limit."""

    images: int | None = None
    """The maximum number of tagged images. None sets no limit."""

    @classmethod
    def read(cls, value: dict[str, int | None]) -> Quota:
        """Return the quota that a stored rule sets.

        :param value: the limits under ``bytes`` and ``images``.
        """
        return cls(**value)

    @property
    def is_limit(self) -> bool:
        """Whether the quota sets any limit."""
        return self.bytes is not None or self.images is not None


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """A quota and its usage."""

    name: str
    """The name of the repository or the owner with the quota."""

    quota: Quota
    bytes: int
    """The used size of blobs and manifests in bytes."""

    images: int
    """The number of tagged images."""

    path: str | None = None
    """The stored path of the quota, or None if it has no path."""

    owner_id: t.Any = None
    """The key of the owner whose repositories are counted, or None if it is not the
    quota of an owner."""

    @property
    def is_shared(self) -> bool:
        """Whether the quota counts several repositories."""
        return self.path is not None or self.owner_id is not None

    def check(self, before: QuotaUsage) -> None:
        """Check the usage after a change.

        :param before: the usage before the change.
        :raises QuotaExceeded: if the usage is above the quota and above the usage
            before the change.
        """
        if self._is_over(self.quota.bytes, self.bytes, before.bytes):
            raise before.exceeded(self.bytes - before.bytes)
        if self._is_over(self.quota.images, self.images, before.images):
            raise self._error(
                f"{self.name} has {_images(before.images, self.quota.images)}."
                " Delete tags, or ask for a larger quota.",
                f"The quota of {self.name} has no room for another image. Delete tags,"
                " or ask for a larger quota.",
                f"{before.images}/{self.quota.images}",
            )

    def exceeded(self, more: int | None = None, unfinished: int = 0) -> QuotaExceeded:
        """Return the error for a request that needs more bytes than are left.

        :param more: the number of bytes that the request needs, if known.
        :param unfinished: the number of bytes in unfinished uploads.
        """
        used = self.bytes + unfinished
        wanted = "" if more is None else f", and this needs {readable(more)} more"
        open_ones = (
            f" ({readable(unfinished)} by unfinished uploads)" if unfinished else ""
        )
        needed = "" if more is None else f", which needs {readable(more)}"
        return self._error(
            f"{self.name} uses {readable(used)} of"
            f" {readable(self.quota.bytes or 0)}{open_ones}{wanted}."
            " Delete images, or ask for a larger quota.",
            f"The quota of {self.name} has no room for this{needed}. Delete images, or"
            " ask for a larger quota.",
            f"{used}/{self.quota.bytes}",
        )

    def _error(self, explanation: str, message: str, detail: str) -> QuotaExceeded:
        if not self.is_shared:
            return QuotaExceeded(explanation, detail=detail)
        error = QuotaExceeded(message)
        error.usage, error.explanation, error.used = self, explanation, detail
        return error

    @property
    def is_too_much(self) -> bool:
        """Whether the usage is above the quota."""
        limits = ((self.quota.bytes, self.bytes), (self.quota.images, self.images))
        return any(limit is not None and used > limit for limit, used in limits)

    @property
    def warning(self) -> str | None:
        """A warning if the quota is nearly used up, or None."""
        limit = self.quota.bytes
        if limit is not None and self.bytes >= WARNING_THRESHOLD * limit:
            return f"{self.name} uses {readable(self.bytes)} of {readable(limit)}."
        most = self.quota.images
        if most is not None and self.images >= WARNING_THRESHOLD * most:
            return f"{self.name} has {_images(self.images, most)}."
        return None

    @staticmethod
    def _is_over(limit: int | None, now: int, before: int) -> bool:
        return limit is not None and now > limit and now > before


def _images(used: int, limit: int | None) -> str:
    return f"{used} of {plural(limit or 0, 'image')}"


def readable(count: int) -> str:
    """Return a size with its unit, in powers of 1000, such as ``1.5 MB``.

    :param count: the size in bytes.
    """
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return (
        f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
    )


def readable_range(smallest: int, largest: int) -> str:
    """Return two sizes as a range, such as "1.5 MB to 2.0 MB", or as one size if both
    read alike."""
    ends = readable(smallest), readable(largest)
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def parse_size(text: str) -> int:
    """Return the number of bytes that a size means.

    :param text: the size, such as ``500MB``, ``10 GiB`` or ``1000000``.
    :raises ValueError: if it is not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"Invalid size {text!r}: write '500MB', '10GiB' or a number of bytes."
        )
    number, unit, binary = found.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** " KMGTP".index(unit.upper() or " "))
