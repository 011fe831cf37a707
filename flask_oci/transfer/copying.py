"""Copies of images between repositories of this and other registries."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from functools import partial

from ..errors import RegistryError
from ..spec.reference import check_tag
from ..spec.reference import is_tag
from . import tag_selection
from .base import Interrupted
from .base import TransferError
from .base import TransferProgress
from .base import TransferResult
from .local import LocalRegistry
from .local import Repository
from .remote.address import parse_address
from .transfer import Transfer
from .worker_pool import WorkerPool

if t.TYPE_CHECKING:
    from ..core.actor import Actor
    from .remote.repository import RemoteRepository

    ImageLocation = Repository | RemoteRepository

#: The default number of parallel transfers of images, and of blobs.
JOBS: t.Final = 4

#: The number of consecutive tags without a response that end a mirror run.
MAX_SILENT: t.Final = 3

#: The error for an invalid tag, which only a malicious registry has.
NO_TAG: t.Final = "The registry calls this a tag, and no tag is like this."


@dataclass
class MirrorResult(TransferResult):
    """The result of a mirror run."""

    failed: dict[str, str] = field(default_factory=dict)
    """Why what could not be copied could not, by tag."""


class Copier:
    """Copies images for one call.

    :param here: this registry.
    :param by: the user who pushes to it.
    :param platforms: the platforms of an index to copy; none copies all.
    :param referrers: whether to copy the referrers of an image.
    :param jobs: the number of parallel transfers of images, and of blobs.
    :param plain_http_hosts: hosts to connect to without TLS.
    :param token_hosts: hosts of token services that may receive the credentials.
    :param progress: receives the transferred bytes.
    """

    def __init__(
        self,
        here: LocalRegistry,
        by: Actor,
        *,
        platforms: Sequence[str] = (),
        referrers: bool = False,
        jobs: int = JOBS,
        plain_http_hosts: Collection[str] = (),
        token_hosts: Collection[str] = (),
        progress: TransferProgress | None = None,
    ) -> None:
        self._here = here
        self._by = by
        self._platforms = platforms
        self._referrers = referrers
        self._jobs = jobs
        self._plain = plain_http_hosts
        self._token_hosts = token_hosts
        self._progress = progress

    def copy(self, source: str, target: str) -> TransferResult:
        """Copy one image. The default tag of the source is ``latest``, and that of the
        target is the source's."""
        origin, reference = self._place(source, writes=False)
        place, tag = self._place(target, writes=True)
        reference = reference or "latest"
        if tag is None and ":" not in reference:
            tag = reference
        if tag is not None and ":" in tag:
            raise TransferError("The target must have a tag, not a digest.")
        with self._pool() as pool:
            transfer = self._transfer(origin, place, pool)
            transfer.image(reference, tag and check_tag(tag))
        return transfer.moved

    def mirror(
        self,
        source: str,
        target: str,
        *,
        tags: Sequence[str],
        exclude: Sequence[str],
        newest: int | None,
        dry_run: bool,
    ) -> MirrorResult:
        """Copy tags of a repository, several in parallel.

        The tags appear in the order in which their images were built, because retention
        rules compare when tags were pushed.
        """
        origin, _ = self._place(source, writes=False, whole=True)
        place, _ = self._place(target, writes=True, whole=True)
        listed = tag_selection.chosen(origin.references(), tags, exclude)
        found = [tag for tag in listed if is_tag(tag)]
        done = MirrorResult(failed={tag: NO_TAG for tag in listed if not is_tag(tag)})
        if newest is not None:
            found = tag_selection.newest(origin, found, newest)
        if not self._platforms and not self._referrers:
            found = self._changed(origin, place, found, done)
        if dry_run:
            for tag in found:
                _note(done, tag, partial(_found, origin, tag))
            return done
        # Hold no transaction during transfers, and read the new rows afterwards.
        self._here.catalog.release()
        with self._pool() as pool:
            if newest is None and len(found) > 1:
                ages = pool.images(partial(tag_selection.age, origin), found)
                found = [tag for *_, tag in sorted(future.result() for future in ages)]
            turns = dict(zip(found, _turns(len(found)), strict=True))

            def work(tag: str) -> TransferResult:
                with turns[tag] as wait:
                    transfer = self._transfer(origin, place, pool, wait)
                    transfer.image(tag, tag)
                return transfer.moved

            futures = pool.images(work, found)
            for tag, future in zip(found, futures, strict=True):
                _note(done, tag, future.result)
        return done

    def _pool(self) -> WorkerPool:
        return WorkerPool(self._jobs, self._here.catalog.release)

    def _transfer(
        self,
        origin: ImageLocation,
        place: ImageLocation,
        pool: WorkerPool,
        wait: Callable[[], None] = lambda: None,
    ) -> Transfer:
        def before_tag() -> None:
            # A connection to the database must not wait.
            self._here.catalog.release()
            wait()

        return Transfer(
            origin,
            place,
            referrers=self._referrers,
            wanted=self._platforms,
            progress=self._progress,
            pool=pool,
            before_tag=before_tag,
        )

    def _changed(
        self,
        origin: ImageLocation,
        place: ImageLocation,
        tags: Sequence[str],
        done: MirrorResult,
    ) -> list[str]:
        """Return the tags that are missing or different in the target, or that cannot
        be compared, for which the copy reports the reason.

        :raises Interrupted: if a registry does not respond for several tags in a row.
        """
        changed, silent = list[str](), 0
        for tag in tags:
            here = there = None
            try:
                here, there = origin.points_at(tag), place.points_at(tag)
            except Interrupted:
                silent += 1
                if silent == MAX_SILENT:
                    raise
            except (TransferError, RegistryError):
                silent = 0
            else:
                silent = 0
            if here is not None and here == there:
                done.images.append((tag, here))
            else:
                changed.append(tag)
        return changed

    def _place(
        self, text: str, *, writes: bool, whole: bool = False
    ) -> tuple[ImageLocation, str | None]:
        """Return a repository, and the tag or digest named with it."""
        address = parse_address(text, self._plain)
        if whole and address.reference is not None:
            raise TransferError(f"{text} is an image; give a repository.")
        if address.host is None:
            return Repository(self._here, address.name, self._by), address.reference
        try:
            from .remote.repository import RemoteRepository
        except ImportError as error:
            raise TransferError(
                "To connect to other registries, install flask-oci[copy], which brings"
                f" urllib3 ({error})."
            ) from error
        limit = self._here.config.max_manifest_size
        remote = RemoteRepository(
            address, limit, writes=writes, token_hosts=self._token_hosts
        )
        return remote, address.reference


def _turns(count: int) -> list[AbstractContextManager[Callable[[], None]]]:
    """Return the turns of images that are transferred in parallel.

    Each yields a function that waits for the end of the turn before. The images start
    in this order, so no image waits for one that has not started.
    """
    ended = [threading.Event() for _ in range(count)]

    @contextmanager
    def turn(number: int) -> Iterator[Callable[[], None]]:
        def wait() -> None:
            if number:
                ended[number - 1].wait()

        try:
            yield wait
        finally:
            wait()
            ended[number].set()

    return [turn(number) for number in range(count)]


def _found(origin: ImageLocation, tag: str) -> TransferResult:
    return TransferResult([(tag, origin.find(tag).digest)])


def _note(done: MirrorResult, tag: str, result: Callable[[], TransferResult]) -> None:
    """Add the result of one image."""
    try:
        moved = result()
    except (TransferError, RegistryError) as error:
        done.failed[tag] = str(error)
        return
    done.images += moved.images
    done.manifests += moved.manifests
    done.blobs += moved.blobs
    done.bytes += moved.bytes
    done.mounted += moved.mounted
