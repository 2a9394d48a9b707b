"""Providers, and the detections that stories use (detections.toml)."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Product:
    """A provider as alerts_v2 names it. `latency_min`: from the activity to the alert."""

    service_source: str
    detection_source: str
    name: str
    prefix: str  # with which the ids of its alerts begin
    latency_min: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Detection:
    product: Product
    title: str  # may hold {host}, {user}, {app}, {extra}
    severity: str
    category: str
    techniques: tuple[str, ...]
    description: str
    source: str = ""  # detectionSource where it is not the product's own
    actor: str | None = None
    threat: str | None = None
    family: str | None = None


def _defender(short: str, name: str, source: str, prefix: str, low: int, high: int) -> Product:
    service = f"microsoftDefenderFor{short}"
    return Product(
        service, source or service, f"Microsoft Defender for {name}", prefix, (low, high)
    )


PRODUCTS: dict[str, Product] = {
    "MDE": _defender("Endpoint", "Endpoint", "", "da", 2, 8),
    "MDI": _defender("Identity", "Identity", "", "aa", 3, 12),
    "MDO": _defender("Office365", "Office 365", "", "fa", 3, 20),
    "MDCA": _defender("CloudApps", "Cloud Apps", "cloudAppSecurity", "ca", 8, 35),
    "MDC": _defender("Cloud", "Cloud", "microsoftDefenderForServers", "dc", 4, 15),
    "IDP": Product(
        "azureAdIdentityProtection",
        "azureAdIdentityProtection",
        "AAD Identity Protection",
        "ad",
        (1, 6),
    ),
    "SENTINEL": Product(
        "microsoftSentinel", "scheduledAlerts", "Microsoft Sentinel", "sn", (5, 15)
    ),
    "DLP": Product(
        "dataLossPrevention",
        "microsoftDataLossPrevention",
        "Microsoft Data Loss Prevention",
        "dl",
        (2, 10),
    ),
    "XDR": Product(
        "microsoft365Defender", "microsoft365Defender", "Microsoft Defender XDR", "ra", (5, 15)
    ),
    "GOVERNANCE": Product(
        "microsoftAppGovernance", "appGovernanceDetection", "App Governance", "ma", (10, 30)
    ),
    "IRM": Product(
        "microsoftInsiderRiskManagement",
        "microsoftInsiderRiskManagement",
        "Microsoft Purview Insider Risk Management",
        "ir",
        (20, 60),
    ),
    "TI": Product(
        "microsoftThreatIntelligence",
        "microsoftThreatIntelligence",
        "Microsoft Threat Intelligence",
        "ti",
        (5, 20),
    ),
    "AI": Product(
        "microsoftSecurityForAI",
        "microsoftDefenderForAIServices",
        "Microsoft Security for AI",
        "ai",
        (3, 10),
    ),
}

STEPS = (
    "1. Validate the alert: look at the timeline of the user and the device.\n"
    "2. Scope the incident: find related entities.\n\t•\tReview sign-ins and mailbox changes.\n"
    "3. Contain: reset credentials, revoke sessions, isolate devices where needed."
)


def _read() -> dict[str, Detection]:
    with (Path(__file__).parent / "detections.toml").open("rb") as file:
        rows = tomllib.load(file)
    return {
        key: Detection(
            **{
                **row,
                "product": PRODUCTS[row["product"]],
                "techniques": tuple(row["techniques"]),
            }
        )
        for key, row in rows.items()
    }


DETECTIONS = _read()
