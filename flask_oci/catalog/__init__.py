"""The registry's metadata in the host's database. Only this package executes SQL.

A :class:`Catalog` knows neither HTTP requests nor files. Views and services read
metadata from it and record changes in it.
"""

from __future__ import annotations

import typing as t
from functools import partial

from .attachments import Attachments
from .blob_garbage import BlobGarbage
from .blob_places import BlobPlaces
from .blobs import Blobs
from .blocks import Blocks
from .bucket_uploads import BucketUploads
from .cached_content import CachedContent
from .cached_users import CachedUsers
from .change_observer import Observer
from .collection_lock import CollectionLock
from .collection_schedule import CollectionSchedule
from .consistency import Consistency
from .copied_rows import CopyRefused
from .credentials import Credentials
from .database import Condition
from .database import Database
from .database_copy import DatabaseCopy
from .database_settings import DatabaseSettings
from .deleted_manifests import DeletedManifests
from .deletions import Deletions
from .deliveries import Deliveries
from .delivery_log import DeliveryLog
from .digest_prefixes import DigestPrefixes
from .expired_records import ExpiredRecords
from .garbage import Garbage
from .host_session import close_session
from .host_session import HasSession
from .host_session import session_for
from .host_session import session_of
from .jobs import Jobs
from .login_failures import LoginFailures
from .manifest_relations import ManifestRelations
from .manifest_traits import ManifestTraits
from .manifests import Manifests
from .manifests import StoredManifest
from .nodes import Nodes
from .outbox import Outbox
from .publishers import PublisherRecords
from .pulls import Pulls
from .quotas import Quotas
from .quotas import Site
from .recent_pushes import RecentPushes
from .references import Removal
from .referrers import Referrers
from .repositories import Repositories
from .repository_contents import RepositoryContents
from .repository_days import RepositoryDays
from .repository_info import RepositoryInfo
from .repository_list import RepositoryIndex
from .retention import Retention
from .retries import FAILURES
from .retries import GONE
from .revocations import Revocations
from .robots import Robot
from .robots import Robots
from .rules import Rules
from .scans import Scans
from .schema import REFUSED
from .schema import Schema
from .storage_folder import StorageFolders
from .tables import MetaData
from .tables import Tables
from .tables import TablesRefused
from .tables import TableState
from .tag_history import TagHistory
from .tags import Tags
from .trusted_signers import TrustedSigners
from .unchecked_artifacts import UncheckedArtifacts
from .uploads import Uploads
from .uploads import UploadSession
from .upstream_records import UpstreamRecords
from .usage import Usage
from .user_statements import Login
from .users import NO_SUCH_USER
from .users import UserColumn
from .users import Users
from .webhooks import Webhooks

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .models import Models

__all__ = [
    "FAILURES",
    "GONE",
    "NO_SUCH_USER",
    "REFUSED",
    "Catalog",
    "Condition",
    "CopyRefused",
    "HasSession",
    "Login",
    "MetaData",
    "Removal",
    "RepositoryInfo",
    "Robot",
    "Site",
    "StoredManifest",
    "TableState",
    "TablesRefused",
    "UploadSession",
    "UserColumn",
    "Users",
]


class Catalog:
    """The metadata of one host's registry.

    :param db: the host's database extension; each application context has its own
        session.
    :param models: the tables.
    :param username: the attribute of a user that names the user's namespace.
    """

    def __init__(self, db: HasSession, models: Models, username: str) -> None:
        database = Database(session_for(session_of(db), models), models)
        self.revocations = Revocations(database)
        self.users = Users(database, self.revocations, username)
        self.cached_users = CachedUsers(database)
        self.reads = database.reads
        self.blocks = Blocks(database)
        self.trusted_signers = TrustedSigners(database)
        self.attachments = Attachments(database)
        self.unchecked_artifacts = UncheckedArtifacts(database)
        self.scans = Scans(database)
        recent_pushes = RecentPushes()
        self.repositories = Repositories(database, self.users, recent_pushes)
        self.blobs = Blobs(database, self.blocks)
        self.blob_places = BlobPlaces(database)
        self.bucket_uploads = BucketUploads(database)
        self.quotas = Quotas(database, self.users)
        self.uploads = Uploads(database, self.repositories, self.blobs, self.quotas)
        self.manifests = Manifests(
            database, self.repositories, self.quotas, self.blocks
        )
        self.upstreams = UpstreamRecords(database)
        self.cached_content = CachedContent(
            database,
            self.repositories,
            self.blobs,
            self.quotas,
            self.upstreams,
        )
        self.deleted_manifests = DeletedManifests(database)
        self.deletions = Deletions(database)
        self.tags = Tags(database, self.repositories, self.quotas)
        self.storage_folders = StorageFolders(database)
        self.referrers = Referrers(database)
        self.credentials = Credentials(database, self.revocations)
        self.publishers = PublisherRecords(database, self.credentials)
        self.robots = Robots(database)
        self.jobs = Jobs(database)
        self.login_failures = LoginFailures(database)
        self.garbage = Garbage(database)
        self.blob_garbage = BlobGarbage(database)
        self.collection_lock = CollectionLock(database)
        self.collection_schedule = CollectionSchedule(database)
        self.expired_records = ExpiredRecords(database)
        self.consistency = Consistency(database)
        self.digest_prefixes = DigestPrefixes(database)
        self.database_settings = DatabaseSettings(database, username)
        self.repository_list = RepositoryIndex(database, self.repositories)
        self.repository_contents = RepositoryContents(database)
        self.tag_history = TagHistory(database)
        self.manifest_relations = ManifestRelations(database)
        self.manifest_traits = ManifestTraits(database)
        self.usage = Usage(database)
        self.pulls = Pulls(database, recent_pushes)
        self.repository_days = RepositoryDays(database)
        self.outbox = Outbox(database)
        self.nodes = Nodes(database)
        self.rules = Rules(database)
        self.schema = Schema(database)
        self.tables = Tables(database)
        self.database_copy = DatabaseCopy(database)
        self.webhooks = Webhooks(database)
        self.deliveries = Deliveries(database, self.webhooks)
        self.delivery_log = DeliveryLog(database)
        self.retention = Retention(database)
        self.release = database.release
        self.rollback = database.rollback
        self.close_session = partial(close_session, database.session)
        self.ask = database.ask
        self.record_if_observed = database.record_if_observed
        self.note_unrecorded = database.note_unrecorded
        self._database = database

    def check_logins(self, login: Callable[[], Login | None]) -> None:
        """Refuse later changes of users whose login was revoked meanwhile.

        :param login: returns the login of the current request, or None.
        """
        self._database.login = login

    def observe(self, observer: Observer) -> None:
        """Set the observer of all later changes."""
        self._database.observer = observer
