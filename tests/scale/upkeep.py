"""Commands of the registry, repeated until the process is killed.

python -m tests.scale.upkeep WORDS [, WORDS]…
"""

from __future__ import annotations

import itertools
import sys
import time
import traceback

from example_app import create_app

#: The seconds between two commands.
PAUSE = 1.0

#: The beginning of the line of a command that ended in an unexpected way.
FAILED = "FAILED"


def main(words: list[str]) -> None:
    """Run the commands in turn, and write a line for the result of each."""
    runner = create_app().test_cli_runner()
    commands = [
        list(group)
        for is_comma, group in itertools.groupby(words, ",".__eq__)
        if not is_comma
    ]
    for command in itertools.cycle(commands):
        result = runner.invoke(args=["oci", *command])
        # 2: the database or the store does not respond; 3: for single items.
        expected = result.exit_code in (0, 2, 3)
        line = " ".join(result.output.split())
        print(line if expected else f"{FAILED} {line}", flush=True)
        if result.exc_info and not isinstance(result.exception, SystemExit | None):
            traceback.print_exception(*result.exc_info)
            print(flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(sys.argv[1:])
