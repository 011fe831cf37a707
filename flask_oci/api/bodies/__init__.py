"""The structures of requests and responses, which the OpenAPI document describes.

A structure's docstring is the description of its schema, and the ``Meta`` of a field
is the description of the property.
"""

from .activity import Activity
from .activity import ActivityDay
from .activity import ActivityDays
from .base import Body
from .base import Error
from .base import Errors
from .base import Page
from .base import Paging
from .blocks import Block
from .blocks import BlockPath
from .blocks import Blocks
from .blocks import NewBlock
from .blocks import NewPathBlock
from .events import Event
from .events import EventList
from .events import Events
from .images import DeletedImage
from .images import DeletedImages
from .images import Descriptor
from .images import Image
from .images import ImageDeletion
from .images import Referrer
from .jobs import Job
from .jobs import Jobs
from .paths import DefaultVisibility
from .paths import PathUsage
from .policies import NewSigner
from .policies import PolicyDecision
from .policies import PolicyDecisions
from .policies import PolicyRules
from .policies import RuleVerdict
from .policies import Signature
from .policies import Signatures
from .policies import TrustedSigner
from .policies import TrustedSigners
from .publishers import Issuer
from .publishers import Issuers
from .publishers import NewPublisher
from .publishers import Publisher
from .publishers import PublisherField
from .publishers import PublisherList
from .publishers import Publishers
from .repositories import Repositories
from .repositories import Repository
from .repositories import RepositoryChange
from .repositories import RepositoryList
from .repositories import Welcome
from .robots import CreatedRobot
from .robots import NewRobot
from .robots import NewSecret
from .robots import Robot
from .robots import RobotChange
from .robots import RobotList
from .robots import Robots
from .robots import RobotSecret
from .rules import InheritedProtection
from .rules import InheritedRetention
from .rules import PathVerdict
from .rules import PathVerdicts
from .rules import ProtectedTags
from .rules import RetentionRules
from .rules import Verdict
from .rules import Verdicts
from .tags import Move
from .tags import MoveList
from .tags import Moves
from .tags import Tag
from .tags import TagList
from .tags import Tags
from .tokens import IssuedToken
from .tokens import NewToken
from .tokens import RevokedTokens
from .tokens import Token
from .tokens import TokenHolder
from .tokens import TokenHolders
from .tokens import TokenList
from .tokens import Tokens
from .usage import Quota
from .usage import RepositoryUsage
from .usage import ScopedQuota
from .usage import ScopedQuotas
from .usage import Share
from .usage import Shares
from .usage import Usage
from .webhooks import Deliveries
from .webhooks import Delivery
from .webhooks import DeliveryAttempt
from .webhooks import DeliveryList
from .webhooks import NewWebhook
from .webhooks import Replay
from .webhooks import Replayed
from .webhooks import Webhook
from .webhooks import WebhookChange
from .webhooks import Webhooks
from .webhooks import WebhookSecret

__all__ = [
    "Robots",
    "RobotSecret",
    "RobotList",
    "RobotChange",
    "Robot",
    "NewSecret",
    "NewRobot",
    "CreatedRobot",
    "Activity",
    "ActivityDay",
    "ActivityDays",
    "Block",
    "BlockPath",
    "Blocks",
    "Body",
    "DefaultVisibility",
    "DeletedImage",
    "DeletedImages",
    "PathUsage",
    "PathVerdict",
    "PathVerdicts",
    "Deliveries",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryList",
    "Descriptor",
    "Error",
    "Errors",
    "Event",
    "EventList",
    "Events",
    "Image",
    "ImageDeletion",
    "InheritedProtection",
    "InheritedRetention",
    "IssuedToken",
    "Issuer",
    "Issuers",
    "Job",
    "Jobs",
    "Move",
    "MoveList",
    "Moves",
    "NewBlock",
    "NewPathBlock",
    "NewPublisher",
    "NewToken",
    "NewWebhook",
    "Page",
    "Paging",
    "ProtectedTags",
    "Publisher",
    "PublisherField",
    "PublisherList",
    "Publishers",
    "Quota",
    "Referrer",
    "Replay",
    "Replayed",
    "Repositories",
    "Repository",
    "RepositoryChange",
    "RepositoryList",
    "RepositoryUsage",
    "RetentionRules",
    "RevokedTokens",
    "ScopedQuota",
    "ScopedQuotas",
    "Share",
    "Shares",
    "Tag",
    "TagList",
    "Tags",
    "Token",
    "TokenHolder",
    "TokenHolders",
    "TokenList",
    "Tokens",
    "Usage",
    "Verdict",
    "Verdicts",
    "Webhook",
    "WebhookChange",
    "WebhookSecret",
    "Webhooks",
    "Welcome",
    "NewSigner",
    "PolicyDecision",
    "PolicyDecisions",
    "PolicyRules",
    "RuleVerdict",
    "Signature",
    "Signatures",
    "TrustedSigner",
    "TrustedSigners",
]
