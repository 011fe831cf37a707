"""The example forge, where each process generates its own key."""

from __future__ import annotations

import secrets

from flask import Flask

import example_app


def create_app() -> Flask:
    """Create the forge."""
    return example_app.create_app({"SECRET_KEY": secrets.token_hex()})
