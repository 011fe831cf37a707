"""``flask oci check`` on object stores."""

from __future__ import annotations

import pytest

from flask_oci.testing import MemoryBucket
from tests.conftest import MakeApp
from tests.support.check_world import SECRET


class NamedBucket(MemoryBucket):
    """A bucket in memory with a name.

    :param name: the name, as that of a bucket of S3 or a container of Azure.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


@pytest.mark.parametrize(
    ("default", "others", "line"),
    [
        (None, [], "the storage folder"),
        ("s3://images", [], "the object store s3://images"),
        (
            "azure://forge/images",
            ["s3://images"],
            "the object store azure://forge/images, the object store s3://images",
        ),
        (None, ["s3://images"], "the storage folder, the object store s3://images"),
    ],
)
def test_check_prints_which_storage_it_inspects(
    make_app: MakeApp, default: str | None, others: list[str], line: str
) -> None:
    """The storage folder is named only if new blobs are stored there."""
    app = make_app(
        SECRET_KEY=SECRET,
        TESTING=False,
        OCI_STORAGE=None if default is None else NamedBucket(default),
        OCI_STORAGE_ALSO=[NamedBucket(name) for name in others],
    )
    done = app.test_cli_runner().invoke(args=["oci", "check"])
    steps = [text for text in done.stderr.splitlines() if text.startswith("Checking ")]
    assert steps[1] == f"Checking {line} …"
