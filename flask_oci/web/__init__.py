"""The pages: what a person sees of the registry in a browser.

A second blueprint, which a host registers if it wants it. Its views ask the same
policy as those of the protocol, and whatever they show of what somebody pushed is
text.
"""

from __future__ import annotations

from .blueprint import make_web_blueprint

__all__ = ["make_web_blueprint"]
