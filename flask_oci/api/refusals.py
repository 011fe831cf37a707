"""Refusals of invalid input."""

from __future__ import annotations

import contextlib
import typing as t

from ..errors import Unsupported


@contextlib.contextmanager
def unsupported_if_invalid() -> t.Iterator[None]:
    """Refuse the input that the block refuses.

    :raises Unsupported: 422, with the text of a ``ValueError`` of the block.
    """
    try:
        yield
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
