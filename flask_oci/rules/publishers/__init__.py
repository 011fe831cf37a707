"""Trusted publishers: the kinds of issuers, the fields that an owner enters for each,
and their comparison with the claims of an identity token."""

from .fields import ClaimCheck
from .fields import Field
from .fields import Job
from .fields import Kind
from .kinds import KINDS

__all__ = ["KINDS", "ClaimCheck", "Field", "Job", "Kind"]
