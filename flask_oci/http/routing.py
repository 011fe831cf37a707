"""URL rules: blueprints that match every host, and converters for repository names."""

from __future__ import annotations

import typing as t

from flask import Blueprint
from flask import current_app
from flask import request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

from ..spec.reference import NAME_PATTERN

if t.TYPE_CHECKING:
    from flask.sansio.app import App

_HOST: t.Final = "oci_host"


class MountedBlueprint(Blueprint):
    """A blueprint whose rules match any host name.

    With ``Flask(host_matching=True)``, a rule matches one host only, and a rule without
    a host matches none. These rules match every host, or the one host that
    ``app.register_blueprint(blueprint, host=...)`` names.
    """

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.url_value_preprocessor(_forget_host)
        self.url_defaults(_keep_host)

    def make_setup_state(
        self, app: App, options: dict[str, t.Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """Return the setup state that adds the rules."""
        return _SetupState(self, app, options, first_registration)


class _SetupState(BlueprintSetupState):
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: t.Any = None,
        **options: t.Any,
    ) -> None:
        if self.app.url_map.host_matching:
            options.setdefault("host", self.options.get("host", f"<{_HOST}>"))
        super().add_url_rule(rule, endpoint, view_func, **options)


def registered_name(state: BlueprintSetupState) -> str:
    """Return the name under which a blueprint is registered, with those of its
    parents."""
    return f"{state.name_prefix}.{state.name}".lstrip(".")


def _forget_host(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    if values:
        values.pop(_HOST, None)


def _keep_host(endpoint: str, values: dict[str, t.Any]) -> None:
    try:
        expects_host = current_app.url_map.is_endpoint_expecting(endpoint, _HOST)
    except KeyError:
        # There is no such endpoint, and Flask raises a BuildError.
        return
    if expects_host:
        values.setdefault(_HOST, request.host)


class NameConverter(BaseConverter):
    """A repository name in a URL rule: one value of many segments.

    The length of the name is checked later. A converter that rejects a value ends the
    search for a rule, and the host would answer.
    """

    part_isolating = False
    regex = NAME_PATTERN


class RestConverter(BaseConverter):
    """The rest of a path."""

    part_isolating = False
    # A dot does not match line feeds, and the host would answer at those addresses.
    regex = r"[\s\S]*"
    weight = 1000


def register_converters(state: BlueprintSetupState) -> None:
    """Register the URL converters ``oci_name`` and ``oci_rest`` with an application."""
    state.app.url_map.converters["oci_name"] = NameConverter
    state.app.url_map.converters["oci_rest"] = RestConverter
