"""Run the conformance suite, and save its report for the page: ``python
docs/make_conformance.py [SERVER]``.

It needs the suite that ``.ci/install`` builds. The next build of the documentation
shows the report as a table.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.paths import ROOT

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.conformance.test_conformance import EVERYTHING  # noqa: E402
from tests.conformance.test_conformance import run_suite  # noqa: E402
from tests.support.forge import Forge  # noqa: E402

#: The path that the directive ``conformance-report`` reads.
REPORT = ROOT / "docs" / "_build" / "conformance" / "results.yaml"


def main() -> None:
    """Start a forge with every feature enabled, and run the suite on it."""
    server = sys.argv[1] if len(sys.argv) > 1 else "gunicorn"
    with tempfile.TemporaryDirectory() as folder:
        with Forge(server, OCI_ALLOW_SPARSE="true") as forge:
            run_suite(forge, Path(folder), EVERYTHING)
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder, "results.yaml"), REPORT)


if __name__ == "__main__":
    main()
