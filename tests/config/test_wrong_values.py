"""Wrong values in the configuration: one line of text for every key."""

from __future__ import annotations

import dataclasses
import pickle
import typing as t
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup

from flask_oci.config import Config
from flask_oci.config import ConfigError
from tests.support.host import db
from tests.support.host import registry

KEYS = [f"OCI_{field.name.upper()}" for field in dataclasses.fields(Config)]

WRONG: t.Final[list[t.Any]] = [
    *(None, True, 0, -1, 1.5, 10**40, float("nan"), b"x", object(), timedelta(-1)),
    *("", "x", "\0", "http://[", "https://x:99999999", "//x", "a\nb"),
    *([], ["x"], [1], [None], [[]], [b"x"], ["10.1.0.1/16"], ["delete"], (1,), {"x"}),
    *({}, {"a": 1}, {1: 2}, {"hub": "http://["}, {"hub": {"url": []}}, {"hub": ["x"]}),
]


def reason(key: str, value: object) -> str:
    """Return the message about a value, or the key if the value is valid."""
    try:
        Config.read({key: value}, storage_path="/registry", service="forge")
    except ConfigError as error:
        return str(error)
    return key


@pytest.mark.parametrize("key", KEYS)
def test_wrong_value_of_any_key_is_one_line_with_the_key(key: str) -> None:
    """No value ends in another exception."""
    for value in WRONG:
        message = reason(key, value)
        assert message.startswith(key)
        assert message.isprintable()


def test_wrong_network_names_an_example() -> None:
    settings = {"OCI_WEBHOOK_NETWORKS": ["10.1.0.1/16"]}
    with pytest.raises(ConfigError, match=r"\['10\.1\.0\.0/16', '127\.0\.0\.1/32'\]"):
        Config.read(settings, storage_path="/registry", service="forge")


def test_command_prints_a_wrong_value_without_a_traceback() -> None:
    """The application cannot be created, so no command of the registry exists yet."""

    def create() -> Flask:
        app = Flask("forge")
        app.config.update(
            SQLALCHEMY_DATABASE_URI="sqlite://", OCI_WEBHOOK_NETWORKS="10.1.0.0/16"
        )
        db.init_app(app)
        app.register_blueprint(registry.blueprint)
        return app

    result = CliRunner().invoke(FlaskGroup(create_app=create), ["oci", "check"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: OCI_WEBHOOK_NETWORKS must be a list")
    assert result.output.count("\n") == 1


def test_error_can_be_raised_again_in_another_process() -> None:
    """A pool of processes copies exceptions."""
    error = pickle.loads(pickle.dumps(ConfigError("OCI_X is wrong.")))
    assert str(error) == "OCI_X is wrong."
