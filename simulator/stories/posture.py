"""Rows that do not come from stories: users, groups, roles, Azure resources, Secure Score."""

from datetime import timedelta
from random import Random
from typing import Any

from simulator import moments
from simulator.directory import Directory
from simulator.store import Document
from simulator.stories.estate import Estate, guid
from simulator.stories.weak import fill_weaknesses

ROLES = (
    ("Global Administrator", "62e90394-69f5-4237-9190-012177145e10"),
    ("Privileged Role Administrator", "e8611ab8-c189-46e8-94e1-60213ab1f814"),
    ("Security Reader", "5d6b6bb7-de71-4623-b4af-96380a352509"),
)
RESOURCES: tuple[tuple[str, str, str, dict[str, str] | None], ...] = (
    (
        "Microsoft.Compute/virtualMachines",
        "web-prod-01",
        "rg-prod",
        {"monitored": "true", "environment": "prod"},
    ),
    ("Microsoft.Compute/virtualMachines", "SRV-SQL01", "rg-prod", {"Monitored": "TRUE"}),
    ("Microsoft.Compute/virtualMachines", "vm-test-07", "rg-test", {}),
    (
        "Microsoft.Storage/storageAccounts",
        "{storage}",
        "rg-prod",
        {"monitored": "true", "dataClass": "confidential"},
    ),
    ("Microsoft.Storage/storageAccounts", "stlegacyexports", "RG-LEGACY", None),
    ("Microsoft.KeyVault/vaults", "kv-{slug}", "rg-prod", {"monitored": "true"}),
    ("Microsoft.KeyVault/vaults", "kv-legacy", "RG-LEGACY", None),
    ("Microsoft.Sql/servers", "sql-{slug}", "rg-prod", {"monitored": "true"}),
    ("Microsoft.ContainerService/managedClusters", "aks-{slug}", "rg-prod", {"monitored": "false"}),
    (
        "Microsoft.Web/sites",
        "app-portal",
        "rg-web",
        {"hidden-link: /app-insights-resource-id": "x"},
    ),
    ("Microsoft.Network/publicIPAddresses", "pip-vpn", "rg-network", {}),
    ("Microsoft.Devices/IotHubs", "iot-{slug}", "rg-plant", {"monitored": "true"}),
    ("Microsoft.Network/virtualNetworks", "vnet-hub", "rg-network", {"owner": "netzwerk@{domain}"}),
    ("Microsoft.CognitiveServices/accounts", "ai-helper", "rg-ai", None),
)
# (name, title, category, service, most points, share reached)
CONTROLS: tuple[tuple[str, str, str, str, int, float], ...] = (
    (
        "AdminMFAV2",
        "Ensure multifactor authentication is enabled for all users in administrative roles",
        "Identity",
        "AzureAD",
        10,
        1.0,
    ),
    (
        "MFARegistrationV2",
        "Ensure multifactor authentication is enabled for all users",
        "Identity",
        "AzureAD",
        9,
        0.83,
    ),
    (
        "BlockLegacyAuthentication",
        "Enable Conditional Access policies to block legacy authentication",
        "Identity",
        "AzureAD",
        8,
        1.0,
    ),
    (
        "SigninRiskPolicy",
        "Enable Microsoft Entra ID Identity Protection sign-in risk policies",
        "Identity",
        "AzureAD",
        7,
        0.0,
    ),
    ("OneAdmin", "Designate more than one global admin", "Identity", "AzureAD", 1, 1.0),
    (
        "scid_2010",
        "Turn on Microsoft Defender Antivirus cloud protection",
        "Device",
        "MDATP",
        9,
        0.91,
    ),
    (
        "scid_2060",
        "Block credential stealing from the Windows local security authority subsystem",
        "Device",
        "MDATP",
        9,
        0.4,
    ),
    ("scid_96", "Enable Local Admin password management", "Device", "MDATP", 8, 0.66),
    ("mdo_safelinks", "Create Safe Links policies for email messages", "Apps", "MDO", 9, 1.0),
    (
        "mdo_phishthreshold",
        "Set the phishing email level threshold at 2 or higher",
        "Apps",
        "MDO",
        8,
        0.0,
    ),
    (
        "McasAppConsent",
        "Ensure user consent to apps accessing company data is not allowed",
        "Apps",
        "MCAS",
        4,
        0.0,
    ),
    ("DLPEnabled", "Ensure DLP policies are enabled", "Data", "IP", 10, 0.5),
    ("spo_external_sharing", "Ensure external sharing is restricted", "Data", "SPO", 6, 0.3),
    (
        "AZ_StorageSecure",
        "Storage accounts should restrict <b>public</b> access",
        "Infrastructure",
        "Azure",
        5,
        0.2,
    ),
)
COSTS = ("Low", "Moderate", "High")
TIERS = ("Core", "Defense in Depth")
THREATS = ("Account Breach", "Data Exfiltration", "Elevation of Privilege", "Phishing or Whaling")
FALLING, FALLS_FOR_DAYS = "scid_96", 3


def fill(directory: Directory, estate: Estate, seed: int) -> None:
    rng = Random(f"posture-{seed}-{estate.slug}")
    directory.users.put_many(
        (person.oid, _user(estate, place)) for place, person in enumerate(estate.people)
    )
    _groups(directory, estate, rng)
    _azure(directory, estate, rng)
    _scores(directory, rng)
    fill_weaknesses(directory, seed)


def _user(estate: Estate, place: int) -> Document:
    person = estate.people[place]
    methods = ["microsoftAuthenticatorPush", "softwareOneTimePasscode"] if place % 9 else []
    return {
        "id": person.oid,
        "displayName": person.name,
        "givenName": person.given,
        "surname": person.surname,
        "userPrincipalName": person.upn,
        "mail": person.upn,
        "businessPhones": [],
        "mobilePhone": None,
        "officeLocation": estate.place[0],
        "preferredLanguage": None,
        "jobTitle": person.title,
        "department": person.department,
        "accountEnabled": True,
        "userType": "Member",
        "createdDateTime": f"202{place % 6}-0{place % 9 + 1}-14T08:{place % 60:02d}:00Z",
        "onPremisesSamAccountName": person.sam,
        "onPremisesSecurityIdentifier": person.sid,
        "onPremisesImmutableId": None,
        "employeeId": str(1000 + place),
        "_registration": {
            "id": person.oid,
            "userPrincipalName": person.upn,
            "userDisplayName": person.name,
            "userType": "member",
            "isAdmin": person.vip,
            "isMfaRegistered": bool(methods),
            "isMfaCapable": bool(methods),
            "isPasswordlessCapable": place % 5 == 0,
            "methodsRegistered": methods,
            "defaultMfaMethod": "push" if methods else "none",
        },
    }


def _groups(directory: Directory, estate: Estate, rng: Random) -> None:
    vips = [person.oid for person in estate.vips]
    admins = [person.oid for person in estate.vips if "Administrator" in person.title]
    for name, members in (
        ("VIP", vips),
        ("Executive Board", vips[:3]),
        ("Finance", [person.oid for person in estate.people if person.department == "Finance"]),
    ):
        key = guid(rng)
        directory.groups.put(
            key, {"id": key, "displayName": name, "securityEnabled": True, "members": members}
        )
    for name, template in ROLES:
        key = guid(rng)
        members = admins if "Administrator" in name else vips[2:3]
        directory.role_members.put(
            key, {"id": key, "displayName": name, "roleTemplateId": template, "members": members}
        )


def _azure(directory: Directory, estate: Estate, rng: Random) -> None:
    storage = f"st{''.join(c for c in estate.slug if c.isalnum())}01"[:24]
    for number, (identifier, title) in enumerate(
        ((estate.subscription, "Production"), (guid(rng), "Development"))
    ):
        row = _subscription(directory, identifier, title)
        directory.azure.put(identifier, row)
        listed = RESOURCES if number == 0 else RESOURCES[2:3] + RESOURCES[9:11]
        for kind, name, group, tags in listed:
            title = name.format(slug=estate.slug, storage=storage, domain=estate.domain)
            resource = _resource(identifier, kind, title, group, tags)
            directory.resources.put(resource["id"].lower(), resource)


def _subscription(directory: Directory, identifier: str, title: str) -> Document:
    return {
        "id": f"/subscriptions/{identifier}",
        "subscriptionId": identifier,
        "tenantId": directory.guid,
        "displayName": f"{directory.config['name']} {title}",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Internal_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "tags": {"costCenter": "4711"},
    }


def fill_azure(directory: Directory, count: int, spread: int, seed: int) -> int:
    """Many resources in so many new subscriptions, for load: about two of three carry the tag."""
    rng = Random(f"azure-{seed}-{directory.slug}")
    subscriptions = [guid(rng) for _ in range(spread)]
    directory.azure.put_many(
        (one, _subscription(directory, one, f"Load {number:03}"))
        for number, one in enumerate(subscriptions)
    )
    kinds = [kind for kind, *_ in RESOURCES]
    choices: tuple[dict[str, str] | None, ...] = (
        {"monitored": "true", "environment": "prod"}, {"Monitored": "TRUE"}, {"monitored": "true"},
        {"environment": "dev"}, None, {"monitored": "true", "owner": "load"},
    )  # fmt: skip
    rows = []
    for number in range(count):
        subscription = subscriptions[number % spread]
        group = f"rg-load-{number // spread % 50:02}"
        kind, tags = kinds[number % len(kinds)], choices[rng.randrange(len(choices))]
        rows.append(_resource(subscription, kind, f"load-{number:06}", group, tags))
    directory.resources.put_many((row["id"].lower(), row) for row in rows)
    return count


def _resource(
    subscription: str, kind: str, name: str, group: str, tags: dict[str, str] | None
) -> Document:
    row: dict[str, Any] = {
        "id": f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}",
        "name": name,
        "type": kind,
        "location": "switzerlandnorth",
        "createdTime": "2024-03-01T08:00:00.0000000Z",
        "changedTime": "2026-11-01T08:10:00.0000000Z",
        "provisioningState": "Succeeded",
    }
    if kind == "Microsoft.Storage/storageAccounts":
        row |= {"kind": "StorageV2", "sku": {"name": "Standard_LRS", "tier": "Standard"}}
    # The service leaves `tags` out where there never were any.
    return row if tags is None else {**row, "tags": tags}


def _scores(directory: Directory, rng: Random) -> None:
    vendor = {
        "provider": "SecureScore",
        "providerVersion": None,
        "subProvider": None,
        "vendor": "Microsoft",
    }
    for rank, (name, title, category, service, most, _) in enumerate(CONTROLS, 1):
        stamp = moments.stamp(moments.now() - timedelta(days=rank))
        profile = {
            "id": name,
            "azureTenantId": directory.guid,
            "actionType": "Config",
            "actionUrl": "https://security.microsoft.com/securescore",
            "controlCategory": category,
            "title": title,
            "deprecated": name == "OneAdmin",
            "implementationCost": COSTS[rank % 3],
            "lastModifiedDateTime": stamp,
            "maxScore": float(most),
            "rank": rank,
            "remediation": f"Open the portal and switch on <b>{title}</b>.",
            "remediationImpact": "Users <i>may</i> be asked once.",
            "service": service,
            "threats": [THREATS[rank % 4], THREATS[(rank + 1) % 4]],
            "tier": TIERS[rank % 4 // 2],
            "userImpact": COSTS[rank % 4 % 3],
            "complianceInformation": [],
            "controlStateUpdates": [
                {
                    "assignedTo": None,
                    "comment": None,
                    "state": "Default",
                    "updatedBy": None,
                    "updatedDateTime": stamp,
                }
            ],
            "vendorInformation": vendor,
        }
        directory.profiles.put(name, profile)
    shares = {name: share for name, *_, share in CONTROLS}
    for age in reversed(range(90)):
        directory.scores.put(
            *_score(directory, moments.now() - timedelta(days=age), shares, rng, vendor)
        )


def _score(
    directory: Directory, day: Any, shares: dict[str, float], rng: Random, vendor: Document
) -> tuple[str, Document]:
    wobble = rng.uniform(-0.015, 0.01)
    # Half of the directories lost points some days ago.
    falls = int(directory.guid[-1], 16) % 2 == 0
    falls = falls and moments.now() - day < timedelta(days=FALLS_FOR_DAYS)
    controls = []
    for name, title, category, _, most, _ in CONTROLS:
        share = min(1.0, max(0.0, shares[name] + (wobble if 0 < shares[name] < 1 else 0)))
        if name == FALLING and falls:
            share = 0.05
        controls.append(
            {
                "controlCategory": category,
                "controlName": name,
                "description": f"<p>{title}</p>",
                "score": round(most * share, 2),
                "scoreInPercentage": round(100 * share, 2),
                "on": str(share == 1).lower(),
                "implementationStatus": f"{round(100 * share)} % done",
                "lastSynced": moments.stamp(day),
            }
        )
    key = f"{directory.guid}_{day:%Y-%m-%d}"
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    score = {
        "id": key,
        "azureTenantId": directory.guid,
        "activeUserCount": 58,
        "licensedUserCount": 60,
        "createdDateTime": moments.seconds_stamp(midnight),
        "currentScore": round(sum(float(str(row["score"])) for row in controls), 2),
        "maxScore": float(sum(row[4] for row in CONTROLS)),
        "enabledServices": ["HasExchange", "HasSharePoint", "HasInTune"],
        "averageComparativeScores": [
            {"basis": "AllTenants", "averageScore": 46.21},
            {"basis": "TotalSeats", "averageScore": 48.9},
        ],
        "controlScores": controls,
        "vendorInformation": vendor,
    }
    return key, score
