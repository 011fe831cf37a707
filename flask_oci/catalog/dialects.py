"""The names of SQL dialects."""

from __future__ import annotations

import typing as t

#: MySQL and MariaDB.
MYSQL: t.Final = ("mysql", "mariadb")
