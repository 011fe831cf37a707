"""What our URL rules have in them beside text: the names of repositories."""

from __future__ import annotations

import typing as t

from werkzeug.routing import BaseConverter

from .names import NAME_PATTERN

if t.TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState


class NameConverter(BaseConverter):
    """A repository name in a URL rule: many segments, one value.

    Its length is checked on admission. A converter that refuses a value ends the
    search for a rule, and the host would answer.
    """

    part_isolating = False
    regex = NAME_PATTERN


class RestConverter(BaseConverter):
    """Whatever is left of a path."""

    part_isolating = False
    # A dot would leave out line feeds, and leave those addresses to the host.
    regex = r"[\s\S]*"
    weight = 1000


def register_converters(state: BlueprintSetupState) -> None:
    """Make ``<oci_name:…>`` and ``<oci_rest:…>`` known to an application."""
    state.app.url_map.converters["oci_name"] = NameConverter
    state.app.url_map.converters["oci_rest"] = RestConverter
