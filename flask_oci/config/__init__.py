"""Configuration: the ``OCI_*`` keys and the parsers of their values."""

from .keys import Config
from .keys import EXTENSION
from .keys import REST
from .reading import ConfigError

__all__ = ["EXTENSION", "REST", "Config", "ConfigError"]
