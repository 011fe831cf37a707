"""The example forge, where each process makes up a key of its own."""

from __future__ import annotations

import secrets

from flask import Flask

import example_app


def create_app() -> Flask:
    """Make the forge."""
    return example_app.create_app({"SECRET_KEY": secrets.token_hex()})
