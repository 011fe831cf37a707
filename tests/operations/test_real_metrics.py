"""Metrics of a server of several processes."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.operations.test_metrics import scrape_text
from tests.support.forge import Forge

pytestmark = pytest.mark.real

REQUESTS = 40


def test_all_processes_are_counted(tmp_path: Path) -> None:
    """Whichever process is asked has the sum of all."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    settings = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "OCI_METRICS": "true"}
    with Forge("gunicorn", "tests.support.metered_forge", **settings) as forge:
        before = refused(forge)
        for _ in range(REQUESTS):
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(f"{forge.url}/v2/").close()
            refusal.value.close()
        found = {refused(forge) for _ in range(10)}
        assert found == {before + REQUESTS}
        processes = {path.stem for path in folder.glob("counter_*.db")}
        assert len(processes) > 1


def refused(forge: Forge) -> float:
    """Return the number of requests that were challenged to log in."""
    with urllib.request.urlopen(f"{forge.url}/metrics") as response:
        text = response.read().decode()
    total: float = sum(
        sample.value
        for family in scrape_text(text)
        for sample in family.samples
        if sample.name == "oci_requests_total" and sample.labels["route"] == "support"
    )
    return total
