"""Applications whose URL rules and templates are compiled once for each process.

The tests create thousands of applications with the same rules and templates. Compiling
them takes most of the time of a small test.
"""

from __future__ import annotations

import copy
import typing as t

from flask import Flask
from flask.templating import Environment
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Map
from werkzeug.routing import Rule
from werkzeug.routing import RuleFactory


class QuickMap(Map):
    """A map that adopts the compiled rules of an equal map.

    Rules are collected, and compiled when the map is first used. A map that gets
    further rules afterwards is compiled again.
    """

    _compiled: t.ClassVar[dict[t.Hashable, Map]] = {}

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        self._collected: list[Rule] = []
        super().__init__(*args, **kwargs)

    def add(self, rulefactory: RuleFactory) -> None:
        """Collect the rules."""
        self._collected.extend(rulefactory.get_rules(self))
        self._remap = True

    def iter_rules(self, endpoint: t.Any | None = None) -> t.Iterator[Rule]:
        """Iterate over the rules.

        A blueprint that is being registered gets its rules as they are collected,
        because it may change them.
        """
        if endpoint is None or not self._remap:
            return super().iter_rules(endpoint)
        return iter([rule for rule in self._collected if rule.endpoint == endpoint])

    def update(self) -> None:
        """Compile the collected rules, unless an equal map has compiled them."""
        if not self._remap:
            return
        key = self._key()
        if key not in self._compiled:
            self._compiled[key] = self._compile()
        compiled = self._compiled[key]
        with self._remap_lock:
            self._matcher = compiled._matcher
            self._rules_by_endpoint = compiled._rules_by_endpoint
            self._remap = False

    def _compile(self) -> Map:
        compiled = Map(
            # A rule can be bound to one map only.
            [copy.copy(rule) for rule in self._collected],
            default_subdomain=self.default_subdomain,
            strict_slashes=self.strict_slashes,
            merge_slashes=self.merge_slashes,
            converters=self.converters,
            host_matching=self.host_matching,
        )
        compiled.update()
        return compiled

    def _key(self) -> t.Hashable:
        return (
            self.default_subdomain,
            self.strict_slashes,
            self.merge_slashes,
            self.host_matching,
            *self.converters.items(),
            *(_rule_key(rule) for rule in self._collected),
        )


def _rule_key(rule: Rule) -> t.Hashable:
    return (
        rule.rule,
        rule.endpoint,
        # A subclass of set may contain other values.
        type(rule.methods),
        frozenset(rule.methods or ()),
        rule.subdomain,
        rule.host,
        tuple((rule.defaults or {}).items()),
        rule.strict_slashes,
        rule.merge_slashes,
        rule.build_only,
        rule.alias,
        rule.redirect_to,
        rule.websocket,
        # An attribute of Flask.
        rule.provide_automatic_options,  # type: ignore[attr-defined]
    )


class SharedTemplates(BytecodeCache):
    """The compiled templates of all applications, in memory."""

    def __init__(self) -> None:
        self._codes: dict[t.Hashable, t.Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Set the code of a template that was compiled before."""
        bucket.code = self._codes.get(_template_key(bucket))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        self._codes[_template_key(bucket)] = bucket.code


def _template_key(bucket: Bucket) -> t.Hashable:
    # The code depends on the extensions too.
    return bucket.key, bucket.checksum, tuple(bucket.environment.extensions)


_TEMPLATES = SharedTemplates()


class QuickFlask(Flask):
    """An application with such a map and such templates."""

    url_map_class = QuickMap

    def create_jinja_environment(self) -> Environment:
        """Return Flask's environment with the shared templates."""
        environment = super().create_jinja_environment()
        environment.bytecode_cache = _TEMPLATES
        return environment
