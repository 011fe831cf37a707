"""The pages: the registry in a browser.

It is a second, optional blueprint. Its views use the same policy as the protocol. They
show pushed content as plain text only.
"""

from __future__ import annotations

from .blueprint import make_web_blueprint

__all__ = ["make_web_blueprint"]
