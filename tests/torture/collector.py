"""The collection of a forge's garbage, repeated until the process is killed."""

from __future__ import annotations

import time

from example_app import create_app
from example_app.registry import registry

#: The seconds between two collections.
PAUSE = 0.3


def main() -> None:
    """Write a line for each collection, with the number of deleted blobs."""
    app = create_app()
    while True:
        with app.app_context():
            print(len(registry.collect_garbage().blobs), flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
