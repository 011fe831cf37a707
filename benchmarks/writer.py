"""``python -m benchmarks.writer URL RATE``: commit to a database at regular times.

It prints a full stop for each commit, until it is terminated.
"""

from __future__ import annotations

import sys
import time

import sqlalchemy as sa

TABLE = sa.Table(
    "benchmark_writes",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("commits", sa.Integer, nullable=False),
)


def main(url: str, rate: float) -> None:
    """Commit to a table that no registry reads.

    :param rate: the number of commits per second.
    """
    engine = sa.create_engine(url)
    TABLE.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.delete(TABLE))
        connection.execute(sa.insert(TABLE).values(id=1, commits=0))
    one_more = sa.update(TABLE).values(commits=TABLE.c.commits + 1)
    due = time.monotonic()
    while True:
        with engine.begin() as connection:
            connection.execute(one_more)
        print(".", end="", flush=True)
        due = max(due + 1 / rate, time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
