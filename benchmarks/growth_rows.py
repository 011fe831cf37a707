"""The rows of a large registry, and statements that read all of them.

PostgreSQL makes the rows itself, so that two million links take a minute.
"""

from __future__ import annotations

import hashlib
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from sqlalchemy.orm import scoped_session

    Session = scoped_session[t.Any]

#: The number of users, and of layers that every 25th repository has.
USERS: t.Final = 5000
POPULAR: t.Final = 50

#: The number of manifests of a repository.
MANIFESTS: t.Final = 3

_FILL: t.Final = (
    (
        'INSERT INTO "user" (id, username)'
        " SELECT n, 'u' || n FROM generate_series(1, :users) n"
    ),
    (
        "INSERT INTO oci_repository (id, name, visibility, created_at, pushed_at,"
        " pull_count, stored_bytes, owner_id)"
        " SELECT n, 'u' || n % :users + 1 || '/app' || n, 'private', now(), now(),"
        " 0, 0, n % :users + 1 FROM generate_series(1, :repositories) n"
    ),
    (
        "INSERT INTO oci_blob (id, digest, size, created_at)"
        " SELECT n, 'sha256:' || encode(sha256(n::text::bytea), 'hex'),"
        " 1000 + n % 977 * 40000, now() FROM generate_series(1, :blobs) n"
    ),
    # Two popular layers, and a window of others that overlaps with the next one.
    (
        "INSERT INTO oci_repository_blob (repository_id, blob_id, leased_at)"
        " SELECT r, CASE WHEN k < 2 THEN 1 + (r + k) % :popular"
        " ELSE :popular + 1 + (r * 5 + k) % (:blobs - :popular) END,"
        " now() - interval '10 days'"
        " FROM generate_series(1, :repositories) r, generate_series(0, :links - 1) k"
    ),
    (
        "INSERT INTO oci_manifest (id, repository_id, digest, media_type, size,"
        " content, pushed_at, touched_at, kind)"
        " SELECT n, 1 + n % :repositories,"
        " 'sha256:' || encode(sha256(('m' || n)::bytea), 'hex'),"
        " 'application/vnd.oci.image.manifest.v1+json', 600, convert_to(repeat(md5("
        "n::text), 19), 'UTF8'), now(), now() - interval '10 days', 'image'"
        " FROM generate_series(1, :repositories * :manifests) n"
    ),
    (
        "INSERT INTO oci_manifest_reference (manifest_id, position, kind, digest,"
        " media_type, size)"
        " SELECT m.id, row_number() OVER (PARTITION BY m.id) - 1, 'layer', b.digest,"
        " 'application/vnd.oci.image.layer.v1.tar+gzip', b.size FROM oci_manifest m"
        " JOIN oci_repository_blob l ON l.repository_id = m.repository_id"
        " JOIN oci_blob b ON b.id = l.blob_id"
        " WHERE b.id <= :popular"
        " OR b.id % :manifests = m.id / :repositories % :manifests"
    ),
    (
        "INSERT INTO oci_tag (repository_id, name, manifest_id, updated_at)"
        " SELECT repository_id, 'v' || id, id, now() FROM oci_manifest"
    ),
    (
        "INSERT INTO oci_tag_move (repository_id, name, to_digest, moved_at)"
        " SELECT repository_id, 'v' || id, digest, now() FROM oci_manifest"
    ),
    "UPDATE oci_repository SET collect_at = '9999-01-01'",
)

_SETTLE: t.Final = (
    (
        "UPDATE oci_repository r SET stored_bytes = s.size, collect_at = '9999-01-01'"
        " FROM (SELECT l.repository_id, sum(b.size) AS size FROM oci_repository_blob l"
        " JOIN oci_blob b ON b.id = l.blob_id GROUP BY 1) s"
        " WHERE s.repository_id = r.id"
    ),
    "DELETE FROM oci_owner_usage",
    (
        "INSERT INTO oci_owner_usage (owner_id, bytes, counted_at)"
        " SELECT h.owner_id, sum(b.size), now() FROM (SELECT DISTINCT r.owner_id,"
        " l.blob_id FROM oci_repository r JOIN oci_repository_blob l"
        " ON l.repository_id = r.id) h JOIN oci_blob b ON b.id = h.blob_id GROUP BY 1"
    ),
)

#: The statements that read all rows.
TOTALS: t.Final = (
    "SELECT count(*), sum(size), (SELECT count(*) FROM oci_repository) FROM oci_blob"
)
BY_REPOSITORY: t.Final = (
    "SELECT r.id, sum(b.size) AS size, sum(CASE WHEN c.n = 1 THEN b.size ELSE 0 END)"
    " FROM oci_repository r LEFT JOIN oci_repository_blob l ON l.repository_id = r.id"
    " LEFT JOIN oci_blob b ON b.id = l.blob_id LEFT JOIN (SELECT blob_id, count(*) AS n"
    " FROM oci_repository_blob GROUP BY blob_id) c ON c.blob_id = b.id"
    " GROUP BY r.id ORDER BY size DESC, r.name LIMIT 51"
)
BY_OWNER: t.Final = (
    "SELECT owner_id, sum(size) AS size FROM (SELECT DISTINCT r.owner_id, b.id, b.size"
    " FROM oci_repository r JOIN oci_repository_blob l ON l.repository_id = r.id"
    " JOIN oci_blob b ON b.id = l.blob_id) held GROUP BY 1 ORDER BY size DESC LIMIT 50"
)
COLLECTABLE: t.Final = (
    "SELECT count(b.id), sum(b.size) FROM oci_blob b WHERE NOT EXISTS (SELECT 1 FROM"
    " oci_repository_blob l WHERE l.blob_id = b.id"
    " AND (l.leased_at >= now() - interval '1 day' OR EXISTS (SELECT 1 FROM"
    " oci_manifest_reference f JOIN oci_manifest m ON m.id = f.manifest_id"
    " WHERE f.digest = b.digest AND m.repository_id = l.repository_id)))"
)
UNLINKED: t.Final = (
    "SELECT b.digest, count(l.blob_id) FROM oci_blob b LEFT JOIN oci_repository_blob l"
    " ON l.blob_id = b.id WHERE b.unlinked_at IS NULL GROUP BY 1"
    " HAVING count(l.blob_id) = 0 ORDER BY 1"
)
HOLDERS: t.Final = (
    "SELECT r.name, b.size FROM oci_repository r JOIN oci_repository_blob l"
    " ON l.repository_id = r.id JOIN oci_blob b ON b.id = l.blob_id WHERE b.digest ="
    " 'sha256:' || encode(sha256('1'::bytea), 'hex') ORDER BY r.name LIMIT 100"
)
DANGLING: t.Final = (
    "SELECT r.name, m.digest, f.digest FROM oci_manifest_reference f JOIN oci_manifest"
    " m ON m.id = f.manifest_id JOIN oci_repository r ON r.id = m.repository_id"
    " WHERE NOT EXISTS (SELECT 1 FROM oci_repository_blob l JOIN oci_blob b"
    " ON b.id = l.blob_id WHERE l.repository_id = m.repository_id"
    " AND b.digest = f.digest) ORDER BY 1, 2"
)


def fill(session: Session, repositories: int, blobs: int, links: int) -> None:
    """Make the rows of a registry that a collection has visited.

    :param links: the number of blobs of each repository.
    """
    values = {
        "users": USERS,
        "repositories": repositories,
        "blobs": blobs,
        "links": links,
        "popular": POPULAR,
        "manifests": MANIFESTS,
    }
    session.execute(sa.text("SET synchronous_commit = off"))
    for statement in _FILL:
        for name, value in values.items():
            statement = statement.replace(f":{name}", str(value))
        session.execute(sa.text(statement))
        session.commit()
    _analyze(session)


def settle(session: Session) -> None:
    """Fill the summaries, as visits of all repositories do."""
    for statement in _SETTLE:
        session.execute(sa.text(statement))
        session.commit()
    _analyze(session)


def change(session: Session, count: int) -> None:
    """Mark some repositories as changed."""
    session.execute(
        sa.text(
            "UPDATE oci_repository SET collect_at = NULL WHERE id IN"
            " (SELECT id FROM oci_repository ORDER BY id DESC LIMIT :count)"
        ),
        {"count": count},
    )
    session.commit()


def popular_digest() -> str:
    """Return the digest of a layer that many repositories have."""
    return "sha256:" + hashlib.sha256(b"1").hexdigest()


def _analyze(session: Session) -> None:
    session.commit()
    engine = t.cast(sa.Engine, session.get_bind())
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text("VACUUM ANALYZE"))
