"""A container registry inside any Flask application.

This module has the names that an application imports. The modules
``flask_oci.errors``, ``flask_oci.hooks``, ``flask_oci.signals`` and
``flask_oci.testing`` are public as well.
"""

from __future__ import annotations

from .admission import AdmissionRequest
from .auth.access_tokens import AccessTokens
from .auth.access_tokens import IssuedToken
from .auth.publishers import PublisherInvalid
from .auth.publishers import Publishers
from .auth.robots import CreatedRobot
from .auth.robots import RobotManager
from .catalog import RepositoryInfo
from .catalog import Robot
from .catalog.credentials import Credential
from .catalog.delivery_log import Attempt
from .catalog.delivery_log import DeliveryRow
from .catalog.models import Models
from .catalog.outbox import StoredEvent
from .catalog.publishers import Publisher
from .catalog.webhook_info import WebhookInfo
from .changes import Change
from .changes import Origin
from .config import ConfigError
from .core.blocks import Block
from .core.blocks import Blocks
from .core.repositories import RepositoryManager
from .core.rule_book import RuleEntry
from .core.rule_sets import ImagePolicies
from .core.rule_sets import Protections
from .core.rule_sets import Quotas
from .core.rule_sets import Retention
from .core.rule_sets import Visibilities
from .core.trusted_signers import TrustedSigner
from .core.trusted_signers import TrustedSigners
from .errors import Denied
from .errors import RegistryError
from .events import DeliveryResult
from .events import Events
from .events.audit import AuditEvent
from .extension import Registry
from .hooks import LoginRefused
from .operations.gc_result import GarbageResult
from .operations.health import Health
from .operations.jobs import JobReport
from .operations.logs import RequestFilter
from .operations.retention import RetentionResult
from .operations.work import JobOutcome
from .rules.protection import Protection
from .rules.quota import Quota
from .rules.quota import QuotaUsage
from .rules.retention import RetentionDecision
from .spec.digest import Digest
from .spec.scope import Action
from .transfer import Images
from .transfer import TransferError
from .transfer import TransferProgress
from .transfer import TransferResult
from .transfer.base import RawManifest
from .transfer.copying import MirrorResult
from .upstreams.manager import UpstreamInfo
from .upstreams.manager import UpstreamManager
from .upstreams.manager import WarmResult

__all__ = [
    "AccessTokens",
    "Action",
    "AdmissionRequest",
    "Attempt",
    "AuditEvent",
    "Block",
    "Blocks",
    "Change",
    "ConfigError",
    "CreatedRobot",
    "Credential",
    "DeliveryResult",
    "DeliveryRow",
    "Denied",
    "Digest",
    "Events",
    "GarbageResult",
    "Health",
    "ImagePolicies",
    "Images",
    "IssuedToken",
    "JobOutcome",
    "JobReport",
    "LoginRefused",
    "MirrorResult",
    "Models",
    "Origin",
    "TransferProgress",
    "Protection",
    "Protections",
    "Publisher",
    "PublisherInvalid",
    "Publishers",
    "Quota",
    "QuotaUsage",
    "Quotas",
    "RawManifest",
    "Registry",
    "RegistryError",
    "RepositoryInfo",
    "RepositoryManager",
    "RequestFilter",
    "RetentionDecision",
    "Robot",
    "RobotManager",
    "RetentionResult",
    "Retention",
    "RuleEntry",
    "StoredEvent",
    "TransferError",
    "TransferResult",
    "TrustedSigner",
    "TrustedSigners",
    "UpstreamInfo",
    "UpstreamManager",
    "WarmResult",
    "Visibilities",
    "WebhookInfo",
]
