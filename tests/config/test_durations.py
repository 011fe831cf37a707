"""Durations in the configuration: seconds or timedelta, for every key."""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import timedelta

import pytest

from flask_oci.config import Config
from flask_oci.config import ConfigError

KEYS = [
    "OCI_TOKEN_LIFETIME",
    "OCI_REFRESH_TOKEN_LIFETIME",
    "OCI_OIDC_TOKEN_LIFETIME",
    "OCI_LOGIN_PERIOD",
    "OCI_GRACE_PERIOD",
    "OCI_UPLOAD_LIFETIME",
    "OCI_UNTAGGED_LIFETIME",
    "OCI_UNDO_PERIOD",
    "OCI_EVENT_LIFETIME",
    "OCI_HISTORY_LIFETIME",
    "OCI_WEBHOOK_TIMEOUT",
]
OPTIONAL = {"OCI_UNTAGGED_LIFETIME", "OCI_UNDO_PERIOD"}


def read(key: str, value: object) -> object:
    """Return the value that the registry reads for a key.

    :param value: the value that the host has configured.
    """
    settings: dict[str, t.Any] = {key: value}
    config = Config.read(settings, storage_path="/registry", service="forge")
    return getattr(config, key.removeprefix("OCI_").lower())


def test_keys_with_a_duration_suffix_are_all_durations() -> None:
    """No other key has such a suffix, and no duration has another one."""
    suffixes = ("_LIFETIME", "_PERIOD", "_TIMEOUT")
    names = [f"OCI_{field.name.upper()}" for field in dataclasses.fields(Config)]
    assert sorted(name for name in names if name.endswith(suffixes)) == sorted(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_duration_as_timedelta_equals_seconds(key: str) -> None:
    """Every key takes both."""
    assert read(key, 90) == read(key, timedelta(seconds=90)) == timedelta(seconds=90)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "value",
    [0, -1, 1.5, True, "900", timedelta(), timedelta(-1), timedelta(milliseconds=999)],
)
def test_duration_below_a_second_or_of_another_type_is_refused(
    key: str, value: object
) -> None:
    """The message says what to write instead."""
    with pytest.raises(ConfigError, match=rf"{key} must be .* timedelta\(minutes=15\)"):
        read(key, value)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [10**30, timedelta.max])
def test_duration_above_a_century_is_refused(key: str, value: object) -> None:
    """The registry subtracts durations from the present, which then overflows."""
    with pytest.raises(ConfigError, match=f"{key} must be at most 100 years"):
        read(key, value)


@pytest.mark.parametrize("key", KEYS)
def test_duration_of_none_is_taken_by_optional_keys_only(key: str) -> None:
    """None switches off what an optional key is about."""
    if key in OPTIONAL:
        assert read(key, None) is None
    else:
        with pytest.raises(ConfigError, match=key):
            read(key, None)


def test_token_lifetime_below_a_minute_is_refused() -> None:
    """Some clients use every token for a minute."""
    with pytest.raises(ConfigError, match="must be at least 60 seconds"):
        read("OCI_TOKEN_LIFETIME", timedelta(seconds=59))
