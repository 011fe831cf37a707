"""A forge, its simulated users, and the checks while they rest."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .checks import Asker
from .checks import verify
from .client import log_in
from .content import Blob
from .ledger import Key
from .ledger import Ledger
from .server import GRACE
from .server import Server
from .workload import Common
from .workload import Person

T = t.TypeVar("T")


class World:
    """Simulated users and their forge.

    With few repositories and layers, users conflict often.

    :param server: the running forge.
    :param seed: the random seed. The same seed gives the same users, with the same
        requests in the same order.
    :param repositories: their number.
    :param layers: the number of shared layers.
    """

    def __init__(
        self, server: Server, seed: str, repositories: int = 4, layers: int = 12
    ) -> None:
        self.server = server
        self.rng = random.Random(seed)
        self.ledger = Ledger()
        self.names = [f"alice/r{number}" for number in range(repositories)]
        self.layers = [Blob.random(self.rng) for _ in range(layers)]
        self._common = Common(self.names, self.layers)
        self._seed = seed
        self._authorization = log_in(server.port, "alice", "wonderland", self.names)

    def people(self, number: int) -> list[Person]:
        """Return this many users, each with a connection."""
        return [
            Person(name, self._common, self.asker(), self._seed)
            for name in (f"p{number}" for number in range(number))
        ]

    def asker(self) -> Asker:
        """Return an asker with a new connection."""
        return Asker(self.server.client(self._authorization), self.ledger)

    def verify(self, keys: list[Key]) -> None:
        """Check some keys, the whole storage and the whole database, while no client
        writes."""
        with self.asker() as asker:
            for key in keys:
                verify(asker, key)
        status, problems = self.server.command("fsck", "--scrub", "--json")
        assert status == 0, problems
        self.ledger.count("checks", len(keys))

    def verify_everything(self) -> None:
        """Check every key, and that the collection deletes all garbage."""
        self.verify(self.ledger.everything())
        self.server.kill_collector()
        # Content of a deleted manifest is deleted one grace period after it, and an
        # object one grace period after its row.
        for _ in range(self.server.grace_periods):
            time.sleep(GRACE + 1)
            self.server.command("gc", "--json")
        self._verify_no_garbage()
        self.ledger.count("collections", len(self.server.collections()))

    def _verify_no_garbage(self) -> None:
        reachable: set[str] = set()
        with self.asker() as asker:
            for name in self.names:
                answer = asker.get(f"/v2/{name}/tags/list")
                for tag in json.loads(answer.body)["tags"] if answer else ():
                    manifest = asker.get(f"/v2/{name}/manifests/{tag}")
                    assert manifest is not None, (name, tag)
                    fields = json.loads(manifest.body)
                    needed = (fields["config"], *fields["layers"])
                    reachable |= {descriptor["digest"] for descriptor in needed}
        stored = self.server.blobs()
        assert len(stored) == len(set(stored))
        assert set(stored) == reachable
        assert not self.server.uploads()


@contextlib.contextmanager
def busy(people: t.Sequence[Person]) -> t.Iterator[None]:
    """Let users act for the duration of the context, and raise the error of any."""
    stopping = threading.Event()

    def live(person: Person) -> None:
        try:
            while not stopping.is_set():
                person.act()
        except BaseException:
            stopping.set()
            raise
        finally:
            person.rest()

    with ThreadPoolExecutor(len(people)) as pool:
        lives = [pool.submit(live, person) for person in people]
        try:
            yield
        finally:
            stopping.set()
    for life in lives:
        life.result()


def at_once(asked: t.Sequence[t.Callable[[], T]]) -> list[T]:
    """Call several functions at once, and return their results."""
    barrier = threading.Barrier(len(asked))

    def do(something: t.Callable[[], T]) -> T:
        barrier.wait()
        return something()

    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(do, asked))
