"""Applications whose URL rules are compiled once for each process.

The tests create thousands of applications with the same rules. Werkzeug compiles two
functions for each rule, which takes most of the time of creating an application.
"""

from __future__ import annotations

import typing as t

from flask import Flask
from werkzeug.routing import Rule

Builder = t.Callable[..., tuple[str, str]]


class QuickRule(Rule):
    """A rule that shares the compiled functions of equal rules.

    They depend on nothing but the parts of the key below: the converters are looked up
    in the rule that is passed to them. If Werkzeug renames the method, rules are
    compiled each time.
    """

    _builders: t.ClassVar[dict[t.Hashable, Builder]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Builder:
        if self.defaults:
            return super()._compile_builder(append_unknown)
        key = (tuple(self._trace), self.rule, append_unknown)
        if key not in self._builders:
            self._builders[key] = super()._compile_builder(append_unknown)
        return self._builders[key]


class QuickFlask(Flask):
    """An application with such rules."""

    url_rule_class = QuickRule
