"""The findings of ``flask oci check``, in reStructuredText."""

from __future__ import annotations

import re
import textwrap

from flask_oci.cli.check import finding_types
from flask_oci.cli.check import PLACES
from flask_oci.cli.check import SEVERITIES


def findings() -> str:
    """Return a section for each kind of finding, with its remedies."""
    text = ""
    for severity, meaning in SEVERITIES.items():
        text += f"\n{severity.title()}s\n{'-' * 20}\n\n{meaning}.\n"
        for found in finding_types():
            if found.severity == severity:
                text += f"\n.. _check-{found.code}:\n\n{found.code}\n{'~' * 40}\n"
                text += f"\n**{escaped(found.title)}** {escaped(found.why)}\n"
                text += "".join(remedy(*pair) for pair in found.remedies.items())
    return text


def remedy(place: str, lines: str) -> str:
    """Return the lines to add in one place, such as a configuration file."""
    language = place if place in ("python", "nginx", "apache") else "text"
    head = f"\n{PLACES[place]}:\n\n.. code-block:: {language}\n    :force:\n\n"
    return head + textwrap.indent(lines, "    ") + "\n"


def escaped(text: str) -> str:
    """Escape the markup of a text."""
    return re.sub(r"([\\`*_|])", r"\\\1", text)
