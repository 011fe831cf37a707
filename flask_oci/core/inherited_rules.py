"""Rules of a path, an owner or the site that apply to a repository beside or instead of
its own."""

from __future__ import annotations

import typing as t

from ..rules.paths import path_text
from ..rules.protection import Protection

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..config import Config

Value = t.TypeVar("Value")

#: The scope that a rule comes from.
Source = t.Literal["path", "owner", "site"]


class Inherited(t.NamedTuple, t.Generic[Value]):
    """A rule that a repository inherits."""

    source: Source
    name: str
    """The path, or the name of the owner; empty for the site."""

    value: Value


class InheritedRules:
    """Finds the rules that a repository inherits.

    :param config: the configuration of the application, which has the site's rules.
    """

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def protection(self, repository: RepositoryInfo) -> list[Inherited[Protection]]:
        """Return the patterns of tags that apply in addition to those of a
        repository."""
        found = [
            Inherited(source, name, Protection.read(value))
            for source, name, value in self._stored("protect", repository)
        ]
        site = self._config.protection
        if site.protected or site.immutable:
            found.append(Inherited("site", "", site))
        return found

    def retention(self, repository: RepositoryInfo) -> Inherited[tuple[str, ...]]:
        """Return the retention rules that apply if a repository has none of its own:
        those of the longest path, else of the owner, else of the site."""
        for source, name, value in self._stored("retain", repository):
            return Inherited(source, name, tuple(value))
        upstream = self._config.upstreams.get(repository.upstream or "")
        rules = (upstream and upstream.retention) or self._config.retention
        return Inherited("site", "", tuple(rule.text for rule in rules))

    def _stored(
        self, kind: t.Literal["protect", "retain"], repository: RepositoryInfo
    ) -> list[Inherited[t.Any]]:
        held, found = self._catalog.rules.holding(kind, repository.key), []
        if held.of_path is not None and held.path is not None:
            found.append(Inherited[t.Any]("path", path_text(held.path), held.of_path))
        if held.owners is not None:
            owner = repository.owner_id
            name = self._catalog.users.names([owner]).get(owner, "")
            found.append(Inherited[t.Any]("owner", name, held.owners))
        return found
