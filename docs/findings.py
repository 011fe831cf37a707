"""The findings of ``flask oci check``, in reStructuredText."""

from __future__ import annotations

import re
import textwrap

from flask_oci.cli.check import kinds
from flask_oci.cli.check import PLACES
from flask_oci.cli.check import SEVERITIES


def findings() -> str:
    """Return a section for each kind of finding, with its remedies."""
    text = ""
    for severity, meaning in SEVERITIES.items():
        text += f"\n{severity.title()}s\n{'-' * 20}\n\n{meaning}.\n"
        for kind in kinds():
            if kind.severity == severity:
                text += f"\n.. _check-{kind.code}:\n\n{kind.code}\n{'~' * 40}\n"
                text += f"\n**{escaped(kind.title)}** {escaped(kind.why)}\n"
                text += "".join(remedy(*pair) for pair in kind.remedies.items())
    return text


def remedy(place: str, lines: str) -> str:
    """Return the lines to add in one place, such as a configuration file."""
    language = place if place in ("python", "nginx", "apache") else "text"
    head = f"\n{PLACES[place]}:\n\n.. code-block:: {language}\n    :force:\n\n"
    return head + textwrap.indent(lines, "    ") + "\n"


def escaped(text: str) -> str:
    """Escape the markup of a text."""
    return re.sub(r"([\\`*_|])", r"\\\1", text)
