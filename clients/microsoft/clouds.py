"""Where Microsoft's services are in each cloud.

Source: https://learn.microsoft.com/graph/deployments and the Azure endpoint tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

_VAULT_SUFFIXES = ("vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs without a closing slash, and the scopes to ask tokens for.

    The scopes belong to the cloud: they stay as they are when a single URL is overridden.
    """

    login: str
    graph: str
    arm: str
    graph_scope: str
    arm_scope: str
    defender: str  # "" where there is none
    defender_scope: str
    vault_suffixes: tuple[str, ...] = _VAULT_SUFFIXES


def _cloud(login: str, graph: str, arm: str, defender: tuple[str, str]) -> Endpoints:
    host, audience = defender
    return Endpoints(
        login=f"https://{login}",
        graph=f"https://{graph}",
        arm=f"https://{arm}",
        graph_scope=f"https://{graph}/.default",
        arm_scope=f"https://{arm}/.default",
        defender=f"https://{host}" if host else "",
        defender_scope=f"https://{audience}/.default" if audience else "",
    )


_GOV_DEFENDER = ("api-gov.securitycenter.microsoft.us", "api-gov.securitycenter.microsoft.us")
CLOUDS: Mapping[str, Endpoints] = {
    "public": _cloud(
        "login.microsoftonline.com", "graph.microsoft.com", "management.azure.com",
        # The audience kept the older name.
        ("api.security.microsoft.com", "api.securitycenter.microsoft.com"),
    ),
    "usgov": _cloud(
        "login.microsoftonline.us", "graph.microsoft.us", "management.usgovcloudapi.net",
        _GOV_DEFENDER,
    ),
    "dod": _cloud(
        "login.microsoftonline.us", "dod-graph.microsoft.us", "management.usgovcloudapi.net",
        _GOV_DEFENDER,
    ),
    "china": _cloud(
        "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn", "management.chinacloudapi.cn",
        ("", ""),
    ),
}  # fmt: skip


def endpoints(cloud: str, overrides: Mapping[str, str]) -> Endpoints:
    """The endpoints of a cloud (AZURE_CLOUD: public, usgov, dod or china).

    `overrides` may hold MICROSOFT_LOGIN_URL, MICROSOFT_GRAPH_URL (with or without its version),
    AZURE_RESOURCE_MANAGER_URL and MICROSOFT_DEFENDER_URL; other names and empty values do
    nothing. Raises ValueError.
    """
    if cloud not in CLOUDS:
        raise ValueError(f"AZURE_CLOUD has to be one of {', '.join(CLOUDS)}.")
    found = CLOUDS[cloud]
    login = _override(overrides, "MICROSOFT_LOGIN_URL", found.login)
    graph = _override(overrides, "MICROSOFT_GRAPH_URL", found.graph)
    arm = _override(overrides, "AZURE_RESOURCE_MANAGER_URL", found.arm)
    for version in ("/v1.0", "/beta"):
        graph = graph.removesuffix(version)
    defender = _override(overrides, "MICROSOFT_DEFENDER_URL", found.defender)
    return replace(found, login=login, graph=graph, arm=arm, defender=defender)


def _override(overrides: Mapping[str, str], name: str, default: str) -> str:
    value = (overrides.get(name) or "").strip().rstrip("/")
    if value and not value.startswith("https://"):
        raise ValueError(f"{name} has to begin with https://.")
    return value or default
