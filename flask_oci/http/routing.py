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
    """A blueprint whose rules match whatever a client calls the application.

    With ``Flask(host_matching=True)``, a rule is for the one host that it names, and
    one that names none is for none. These are for all, or for the one that
    ``app.register_blueprint(blueprint, host=...)`` says.
    """

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.url_value_preprocessor(_forget_host)
        self.url_defaults(_keep_host)

    def make_setup_state(
        self, app: App, options: dict[str, t.Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """Make what the rules are added by."""
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


def _forget_host(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    if values:
        values.pop(_HOST, None)


def _keep_host(endpoint: str, values: dict[str, t.Any]) -> None:
    if current_app.url_map.is_endpoint_expecting(endpoint, _HOST):
        values.setdefault(_HOST, request.host)


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
