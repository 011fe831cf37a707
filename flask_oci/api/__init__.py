"""The REST interface for management: the features of the pages, for programs.

It is a third, optional blueprint, and needs the extra ``api``. Its views use the same
policy and credentials as the protocol, and the same functions as the pages.
"""

from __future__ import annotations

from .blueprint import make_api_blueprint

__all__ = ["make_api_blueprint"]
