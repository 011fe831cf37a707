"""Histories of uploads: the right content ends up under its digest, or nothing does."""

from __future__ import annotations

import functools
import hashlib
import typing as t
from pathlib import Path

from flask import Flask
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import run_state_machine_as_test
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import with_query
from tests.support.bodies import content_range
from tests.support.bodies import Framing
from tests.support.bodies import FRAMINGS
from tests.support.bodies import Large
from tests.support.bodies import LIMIT
from tests.support.bodies import Session
from tests.support.examples import examples
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]

#: Longer than what is read, or hashed, at once.
LARGE = Large(hashlib.sha256(b"large").digest() * 32_769)

chunks = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([Large(70_000), LARGE, Large(LARGE[:-1])]),
)
maybe_chunks = st.one_of(st.just(b""), chunks)
algorithms = st.sampled_from(["sha256", "sha512"])


framings = st.sampled_from(FRAMINGS)


class Uploads(RuleBasedStateMachine):
    """Complete, interrupted, repeated and wrong pushes, in any order."""

    sessions = Bundle("sessions")

    def __init__(self, make_app: MakeApp, folder: Path) -> None:
        super().__init__()
        self._make_app = functools.partial(make_app, OCI_MAX_BLOB_SIZE=LIMIT)
        self._folder = folder
        self._open: list[Session] = []
        self._before = _files(folder)
        self._pushed: dict[str, bytes] = {}
        self._start()

    @rule()
    @precondition(lambda self: self._open)
    def restart(self) -> None:
        """Restart the application. Its stored data stays."""
        self._start()

    @initialize(target=sessions, algorithm=algorithms, chunk=chunks)
    def begin(self, algorithm: str, chunk: bytes) -> Session:
        """Begin with an upload session that has some content."""
        session = self._begin(algorithm)
        self._sent("PATCH", session, chunk, FRAMINGS[0].whole(chunk))
        return session

    @rule(target=sessions, algorithm=algorithms)
    def start(self, algorithm: str) -> Session:
        """Start an empty upload session."""
        return self._begin(algorithm)

    @rule(
        session=sessions, chunk=maybe_chunks, framing=framings, says_where=st.booleans()
    )
    def append(
        self, session: Session, chunk: bytes, framing: Framing, says_where: bool
    ) -> None:
        """Append a chunk, unless the blob becomes too large."""
        header = None
        if chunk and says_where:
            header = content_range(len(session.stored), len(chunk))
        self._sent("PATCH", session, chunk, framing.whole(chunk), header)

    @rule(
        session=sessions,
        chunk=chunks,
        framing=framings,
        method=st.sampled_from(["PATCH", "PUT"]),
        distance=st.integers(1, 9),
        backwards=st.booleans(),
    )
    def send_out_of_order(
        self,
        session: Session,
        chunk: bytes,
        framing: Framing,
        method: str,
        distance: int,
        backwards: bool,
    ) -> None:
        """Check that a chunk for another position is a 416 with the right position."""
        end = len(session.stored)
        start = max(end - distance, 0) if backwards else end + distance
        if start == end:
            return
        response = self._request(
            method,
            session,
            framing.whole(chunk),
            content_range(start, len(chunk)),
            digest_of(session.stored + chunk),
        )
        if session.ended:
            assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
        else:
            assert refusal(response) == (416, "BLOB_UPLOAD_INVALID")
            assert response.headers["Range"] == session.range
            assert response.headers["Location"] == session.location

    @rule(
        session=sessions,
        chunk=chunks,
        framing=framings,
        excess=st.sampled_from([-1, 1]),
    )
    def append_with_a_lie(
        self, session: Session, chunk: bytes, framing: Framing, excess: int
    ) -> None:
        """Check that a Content-Range of another length than the body is a 400."""
        length = max(len(chunk) + excess, 1)
        header = content_range(len(session.stored), length)
        if length == len(chunk):
            return
        response = self._request("PATCH", session, framing.whole(chunk), header)
        if session.ended:
            assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
            return
        status, code = refusal(response)
        assert code == "SIZE_INVALID"
        if not framing.has_length and length > len(chunk) <= session.room:
            # The registry cannot distinguish it from an interrupted body.
            session.stored += chunk
            assert status == 400
        else:
            # The registry compares length and position before it reads the body.
            too_large = session.room < min(length, len(chunk))
            assert status == (413 if too_large and not framing.has_length else 400)

    @rule(session=sessions, chunk=chunks, framing=framings, data=st.data())
    def append_broken_off(
        self, session: Session, chunk: bytes, framing: Framing, data: st.DataObject
    ) -> None:
        """Check that the bytes before an interruption stay and count."""
        arrived = chunk[: data.draw(st.integers(0, len(chunk) - 1))]
        response = self._request(
            "PATCH",
            session,
            framing.broken(arrived, len(chunk)),
            data.draw(
                st.sampled_from([None, content_range(len(session.stored), len(chunk))])
            ),
        )
        if session.ended:
            assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
        elif len(arrived) > session.room:
            assert refusal(response) == (413, "SIZE_INVALID")
        else:
            assert refusal(response)[0] == 400
            session.stored += arrived

    @rule(session=sessions)
    def cancel(self, session: Session) -> None:
        """Cancel a session once."""
        response = self.alice.delete(session.location)
        if session.ended:
            assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
        else:
            assert response.status_code == 204
            self._end(session)

    @rule(session=sessions, chunk=maybe_chunks, framing=framings)
    def finish_wrongly(self, session: Session, chunk: bytes, framing: Framing) -> None:
        """Check that a PUT with another digest changes nothing."""
        self._sent("PUT", session, chunk, framing.whole(chunk), None, UNKNOWN)

    @rule(session=sessions, chunk=chunks, framing=framings, data=st.data())
    def finish_broken_off(
        self, session: Session, chunk: bytes, framing: Framing, data: st.DataObject
    ) -> None:
        """Check that an interrupted PUT leaves the session for another attempt."""
        arrived = chunk[: data.draw(st.integers(0, len(chunk) - 1))]
        # The client announced more, even if the received part has the digest.
        digest = digest_of(session.stored + arrived)
        sent = framing.broken(arrived, len(chunk))
        response = self._request("PUT", session, sent, None, digest)
        if session.ended:
            assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
        else:
            expected = 413 if len(arrived) > session.room else 400
            assert refusal(response)[0] == expected

    @rule(
        session=sessions,
        chunk=maybe_chunks,
        framing=framings,
        algorithm=algorithms,
        in_order=st.booleans(),
    )
    def finish(
        self,
        session: Session,
        chunk: bytes,
        framing: Framing,
        algorithm: str,
        in_order: bool,
    ) -> None:
        """Check that a PUT with the right digest stores the blob of all chunks in
        order."""
        header = None
        if chunk and in_order:
            header = content_range(len(session.stored), len(chunk))
        digest = digest_of(session.stored + chunk, algorithm)
        self._sent("PUT", session, chunk, framing.whole(chunk), header, digest)

    @rule(content=maybe_chunks, framing=framings, wrong=st.booleans())
    def push_at_once(self, content: bytes, framing: Framing, wrong: bool) -> None:
        """Check that a POST with a whole blob stores all of it or nothing."""
        digest = UNKNOWN if wrong else digest_of(content)
        response = self._post(digest, framing.whole(content))
        if wrong:
            assert refusal(response) == (400, "DIGEST_INVALID")
        else:
            assert response.status_code == 201
            self._pushed[digest] = content

    @rule(content=chunks, framing=framings)
    def push_at_once_broken_off(self, content: bytes, framing: Framing) -> None:
        """Check that an interrupted POST leaves nothing, even if its part has the
        digest."""
        part = content[:-1]
        response = self._post(digest_of(part), framing.broken(part, len(content)))
        assert refusal(response)[0] == 400

    @invariant()
    def the_status_is_true(self) -> None:
        """Check that every session reports the exact number of stored bytes."""
        for session in self._open:
            response = self.alice.get(session.location)
            assert response.status_code == 204
            assert response.headers["Range"] == session.range

    def teardown(self) -> None:
        """Check that every blob is right and that no other file is left."""
        for session in list(self._open):
            self.cancel(session)
        for digest, content in self._pushed.items():
            assert self.alice.get(f"/v2/alice/app/blobs/{digest}").data == content
        new = _files(self._folder) - self._before
        assert {path.name for path in new} <= {
            digest.partition(":")[2] for digest in self._pushed
        }
        for path in new:
            algorithm = "sha256" if len(path.name) == 64 else "sha512"
            content = path.read_bytes()
            assert hashlib.new(algorithm, content).hexdigest() == path.name

    def _start(self) -> None:
        self.alice = RegistryClient.of(self._make_app(), "alice")

    def _begin(self, algorithm: str) -> Session:
        query = {"digest-algorithm": algorithm}
        session = Session(self.alice.start_upload("alice/app", **query))
        self._open.append(session)
        return session

    def _sent(
        self,
        method: str,
        session: Session,
        chunk: bytes,
        body: dict[str, t.Any],
        content_range: str | None = None,
        digest: str | None = None,
    ) -> None:
        response = self._request(method, session, body, content_range, digest)
        self._after(method, response, session, chunk, digest)

    def _after(
        self,
        method: str,
        response: TestResponse,
        session: Session,
        chunk: bytes,
        digest: str | None,
    ) -> None:
        content = session.stored + chunk
        if session.ended:
            assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
        elif len(chunk) > session.room:
            assert refusal(response) == (413, "SIZE_INVALID")
        elif method == "PATCH":
            session.stored = content
            assert response.status_code == 202
            assert response.headers["Range"] == session.range
        elif digest == digest_of(content, (digest or "").partition(":")[0]):
            assert response.status_code == 201
            assert response.headers["Docker-Content-Digest"] == digest
            self._pushed[digest] = content
            self._end(session)
        else:
            assert refusal(response) == (400, "DIGEST_INVALID")

    def _request(
        self,
        method: str,
        session: Session,
        body: dict[str, t.Any],
        content_range: str | None = None,
        digest: str | None = None,
    ) -> TestResponse:
        location = session.location
        if method == "PUT":
            location = with_query(location, digest=digest or "")
        headers = {} if content_range is None else {"Content-Range": content_range}
        return self.alice.request(method, location, headers=headers, environ=body)

    def _post(self, digest: str, body: dict[str, t.Any]) -> TestResponse:
        path = "/v2/alice/app/blobs/uploads/"
        return self.alice.post(path, query={"digest": digest}, environ=body)

    def _end(self, session: Session) -> None:
        session.ended = True
        self._open.remove(session)


def _files(folder: Path) -> set[Path]:
    # The lock files of requests are empty and stay for later requests.
    stored = (folder / "oci").rglob("*")
    return {
        path
        for path in stored
        if path.is_file() and not {"locks", "identity"} & {*path.parts}
    }


def test_any_history_of_uploads_ends_in_right_blob_or_refusal(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """Chunks, interruptions, retries, wrong lengths, cancellations and restarts in any
    order leave no other file."""
    # A failing history is short enough to read as it is, and slow to shorten.
    run_state_machine_as_test(
        # Anything that makes a machine will do, whatever the annotation says.
        t.cast(t.Any, functools.partial(Uploads, make_app, tmp_path)),
        settings=settings(
            derandomize=True,
            deadline=None,
            max_examples=examples(30),
            stateful_step_count=20,
            phases=[Phase.generate],
        ),
    )
