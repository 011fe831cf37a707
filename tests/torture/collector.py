"""Collects a forge's garbage again and again, until it is killed."""

from __future__ import annotations

import time

from example_app import create_app
from example_app.registry import registry

#: How long to wait between two collections, in seconds.
PAUSE = 0.3


def main() -> None:
    """Write a line for each collection: how many blobs it deleted."""
    app = create_app()
    while True:
        with app.app_context():
            print(len(registry.collect_garbage().blobs), flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
