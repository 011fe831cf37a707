"""SQL conditions on paths: the rules that apply to a repository."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if t.TYPE_CHECKING:
    from .database import Condition
    from .models import Models


def below(name: t.Any, path: t.Any) -> Condition:
    """Return the condition for the name ``path``, and for names that begin with it and
    a slash.

    :param name: the column of the names of repositories.
    :param path: a string, or an SQL expression such as a column.
    """
    # Names compare bytewise, and "0" follows "/", so the database can use an index.
    return sa.or_(name == path, sa.and_(name > path + "/", name < path + "0"))


def covers(path: t.Any, name: t.Any) -> Condition:
    """Return the condition that a path contains a repository.

    :param path: the expression of a stored path, such as a column.
    :param name: the expression of the name of a repository.
    """
    # A pattern for LIKE would have to escape "_", which names may contain.
    beginning = sa.func.substr(name, 1, sa.func.length(path) + 1)
    return sa.and_(path.is_not(None), sa.or_(name == path, beginning == path + "/"))


class _FirstSlash(FunctionElement[int]):
    """The position of the first slash of a text, which has one."""

    name = "oci_first_slash"
    type = sa.Integer()
    inherit_cache = True


@compiles(_FirstSlash)
def _first_slash(element: _FirstSlash, compiler: t.Any, **options: t.Any) -> str:
    function = "strpos" if compiler.dialect.name == "postgresql" else "instr"
    return f"{function}({compiler.process(element.clauses, **options)}, '/')"


def covers_by_index(path: t.Any, name: t.Any) -> Condition:
    """Return the condition of :func:`covers` for a column with an index.

    No path of another namespace is read, because users set rules for as many paths as
    they like.

    :param path: the column of a stored path.
    :param name: the expression of the name of a repository.
    """
    namespace = sa.func.substr(name, 1, _FirstSlash(name + "/") - 1)
    return sa.and_(path >= namespace, path <= name, covers(path, name))


def path_applies(rules: sa.Table, owner_id: sa.ColumnElement[t.Any]) -> Condition:
    """Return the condition that the rule of a path applies to the repositories of an
    owner.

    A user sets rules for their own repositories only. So no rule outlives its author: a
    later user of the same name, and the new owner of a repository, do not inherit it.

    :param rules: the table of the rules, or of the trusted signers.
    :param owner_id: the expression of the owner's key, which may be null.
    """
    author = rules.c.path_owner_id
    return sa.or_(author.is_(None), author == owner_id)


def has_longer_path(models: Models, kind: str, path: str) -> Condition:
    """Return the condition for repositories to which a rule with a longer path applies.

    :param kind: the kind of the rules.
    :param path: the stored path to compare with; empty compares with no path.
    """
    rules = models.Rule.__table__.c
    repositories = models.Repository.__table__
    return (
        sa.exists()
        .where(
            rules.kind == kind,
            sa.func.length(rules.path) > len(path),
            covers(rules.path, repositories.c.name),
        )
        .correlate(repositories)
    )
