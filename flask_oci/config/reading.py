"""Reading of the configuration: the parsers of its keys, and misspelt keys."""

from __future__ import annotations

import dataclasses
import difflib
import typing as t
import warnings

import click

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping

PREFIX: t.Final = "OCI_"


class ConfigError(ValueError, click.ClickException):
    """A configuration key has an invalid value."""

    # An application reads its configuration when Flask's commands load it. Click prints
    # its own exceptions as one line, without a traceback.

    def __init__(self, message: str) -> None:
        click.ClickException.__init__(self, message)


def key(
    default: object, parse: Callable[[object], object], *, is_secret: bool = False
) -> t.Any:
    """Return the field of a configuration key.

    :param default: the value that is parsed if the key is not set.
    :param parse: returns the value of the field. The message of its ValueError is the
        predicate of a sentence whose subject is the key.
    :param is_secret: whether the value has passwords or keys, which no message repeats.
    """
    return dataclasses.field(
        metadata={"default": default, "parse": parse, "is_secret": is_secret}
    )


def parse_all(
    fields: Iterable[dataclasses.Field[t.Any]],
    settings: Mapping[str, t.Any],
    derived: Mapping[str, str],
) -> dict[str, t.Any]:
    """Return the values of the fields by their names.

    :param fields: the fields, each by :func:`key`.
    :param settings: the values by key, usually ``app.config``.
    :param derived: defaults that depend on the application, by field name.
    :raises ConfigError: if a value is invalid.
    """
    known = {PREFIX + field.name.upper(): field for field in fields}
    _warn_of_misspellings(settings, known)
    found: dict[str, t.Any] = {}
    for name, field in known.items():
        default = derived.get(field.name, field.metadata["default"])
        value = settings.get(name, default)
        try:
            found[field.name] = field.metadata["parse"](value)
        except ValueError as error:
            said = "" if field.metadata["is_secret"] else f", not {value!r}"
            raise ConfigError(f"{name} {error}{said}.") from None
    return found


def _warn_of_misspellings(settings: Iterable[str], known: Iterable[str]) -> None:
    # Another library may use the same prefix, so only near misses cause a warning.
    for name in settings:
        if name.startswith(PREFIX) and name not in known:
            for meant in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
                warnings.warn(
                    f"{name} is not a configuration key of flask_oci; did you mean"
                    f" {meant}?",
                    stacklevel=2,
                )
