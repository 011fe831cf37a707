"""REST for management: what the pages and the command line do, for programs.

A third blueprint, which a host registers if it wants it, and which needs the extra
``api``. Its views only translate: they ask the same policy as the protocol, about the
same credentials, and call what the pages call.
"""

from __future__ import annotations

from .blueprint import make_api_blueprint

__all__ = ["make_api_blueprint"]
