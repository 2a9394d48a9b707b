"""How well a tenant is set up: scores, controls, and findings, in the tenant's own schema.

Metadata only: no description, no comment and nobody's name is stored.
"""

from posture.models.finding import Finding
from posture.models.inventory import (
    AzureResource,
    AzureSubscription,
    Exemption,
    InventoryRead,
    WatchRule,
)
from posture.models.score import ControlProfile, ScoreDay
from posture.models.weakness import Weakness, WeaknessRead

__all__ = [
    "AzureResource",
    "AzureSubscription",
    "ControlProfile",
    "Exemption",
    "Finding",
    "InventoryRead",
    "ScoreDay",
    "WatchRule",
    "Weakness",
    "WeaknessRead",
]
