"""Sizes as values of options."""

from __future__ import annotations

import click

from ..rules.quota import parse_size


def size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Return the number of bytes of an option's value, such as 500MB or 10GiB.

    :raises click.BadParameter: if it is not a size, or less than one byte.
    """
    if value is None:
        return None
    try:
        count = parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if count < 1:
        raise click.BadParameter("The size must be at least one byte.")
    return count
