"""A model of one customer's alerts: documents as `/security/alerts_v2` sends them.

Invented, not recorded. What it takes from real tenants: full documents with empty fields (about
4 KB); people, devices and addresses that come again, a few of them often; messages, processes and
sign-ins that come once; five sorts of alert; five to six entities an alert; 200 alerts a day.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

Document = dict[str, object]
T = TypeVar("T")

START = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)
PREFIX = "#microsoft.graph.security."
ALERTS_A_DAY = 200

_FIRST = ("Anna", "Bert", "Carla", "Dieter", "Elif", "Frank", "Greta", "Hassan", "Ines", "Jonas")
_LAST = ("Abel", "Brandt", "Conrad", "Demir", "Ebert", "Falk", "Gruber", "Hahn", "Iversen")
_HOSTS = ("lt", "ws", "srv", "vdi", "app", "sql", "web")
_FILES = ("invoice", "setup", "update", "report", "viewer", "helper", "agent", "loader")

# (share, how the alert is made, service, product, titles, category, technique)
SORTS: tuple[tuple[float, str, str, str, tuple[str, ...], str, str], ...] = (
    (
        0.35, "identity", "azureAdIdentityProtection", "Microsoft Entra ID Protection",
        ("Unfamiliar sign-in properties", "Atypical travel", "Password spray",
         "Anonymous IP address involving {user}"),
        "InitialAccess", "T1078.004",
    ),
    (
        0.30, "endpoint", "microsoftDefenderForEndpoint", "Microsoft Defender for Endpoint",
        ("Suspicious PowerShell command line on {host}", "'Emotet' malware was prevented",
         "Hidden file {file} was launched", "Process injection by {file} on {host}"),
        "Execution", "T1059.001",
    ),
    (
        0.20, "mail", "microsoftDefenderForOffice365", "Microsoft Defender for Office 365",
        ("Email messages containing malicious URL removed after delivery",
         "A user clicked through to a potentially malicious URL",
         "Suspicious inbox forwarding by {upn}"),
        "InitialAccess", "T1566.002",
    ),
    (
        0.10, "app", "microsoftDefenderForCloudApps", "Microsoft Defender for Cloud Apps",
        ("Impossible travel activity", "Mass download by {user}", "Unusual OAuth app consent"),
        "Exfiltration", "T1530",
    ),
    (
        0.05, "resource_alert", "microsoftDefenderForCloud", "Microsoft Defender for Cloud",
        ("Access from a Tor exit node to a storage account", "Suspicious deletion of a key vault"),
        "Impact", "T1485",
    ),
)  # fmt: skip


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


class Company:
    """Makes documents of one customer, the same ones for the same seed."""

    def __init__(self, seed: int, *, people: int = 1000, devices: int = 800) -> None:
        self._random = random.Random(seed)
        self.domain = f"company{seed}.example"
        self._seed = seed
        self._people = [self._person(number) for number in range(people)]
        self._devices = [self._device(number) for number in range(devices)]
        self._addresses = [self._ip() for _ in range(1500)]
        self._programs = [self._program(number) for number in range(400)]
        self._links = [f"https://files{n}.bad{n % 90}.example/d/{n:x}" for n in range(600)]
        self._resources = [self._resource(number) for number in range(120)]
        self._number = 0

    def alerts(self, count: int) -> list[Document]:
        """The next alerts, in the order of time."""
        return [self._alert() for _ in range(count)]

    def _alert(self) -> Document:
        self._number += 1
        at = START + timedelta(days=self._number / ALERTS_A_DAY)
        shares = [sort[0] for sort in SORTS]
        _, make, service, product, titles, category, technique = self._random.choices(
            SORTS, shares
        )[0]
        evidence, names = getattr(self, f"_{make}")(at)
        key = self._guid()
        updated = at + timedelta(minutes=self._random.randint(3, 40))
        incident = str(self._number // 3) if self._random.random() < 0.3 else None
        return {
            "id": f"da{key}_1",
            "providerAlertId": f"{key}_1",
            "incidentId": incident,
            "status": "new",
            "severity": self._random.choices(
                ("informational", "low", "medium", "high"), (30, 35, 25, 10)
            )[0],
            "classification": None,
            "determination": None,
            "serviceSource": service,
            "detectionSource": service,
            "productName": product,
            "detectorId": str(uuid.uuid5(uuid.NAMESPACE_DNS, titles[0])),
            "tenantId": str(uuid.uuid5(uuid.NAMESPACE_DNS, self.domain)),
            "title": self._random.choice(titles).format(**names),
            "description": "Activity that differs from what is usual was seen. " * 5,
            "recommendedActions": "Validate the alert. Scope the affected things. " * 8,
            "category": category,
            "assignedTo": None,
            "alertWebUrl": f"https://security.microsoft.com/alerts/da{key}_1",
            "incidentWebUrl": f"https://security.microsoft.com/incidents/{incident}",
            "actorDisplayName": None,
            "threatDisplayName": None,
            "threatFamilyName": None,
            "mitreTechniques": [technique],
            "createdDateTime": stamp(at + timedelta(minutes=2)),
            "lastUpdateDateTime": stamp(updated),
            "resolvedDateTime": None,
            "firstActivityDateTime": stamp(at),
            "lastActivityDateTime": stamp(at + timedelta(minutes=1)),
            "comments": [],
            "systemTags": [],
            "alertPolicyId": None,
            "additionalData": None,
            "customDetails": {},
            "evidence": evidence,
        }

    # --- sorts of alert: evidence, and names for the title ---------------------------------------

    def _identity(self, at: datetime) -> tuple[list[Document], Document]:
        person = self._often(self._people)
        evidence = [
            self._evidence("userEvidence", at, roles=["compromised"], userAccount=person),
            self._address_evidence(at),
            self._evidence("cloudLogonRequestEvidence", at, requestId=self._guid()),
        ]
        return evidence, {"user": person["displayName"], "upn": person["userPrincipalName"]}

    def _endpoint(self, at: datetime) -> tuple[list[Document], Document]:
        device, person = self._often(self._devices), self._often(self._people)
        program, parent = self._often(self._programs), self._often(self._programs)
        logged_on = {"accountName": person["accountName"], "domainName": "CORP"}
        evidence = [
            self._evidence(
                "deviceEvidence", at, **device, roles=["compromised"], loggedOnUsers=[logged_on],
                detailedRoles=["PrimaryDevice"],
            ),
            self._evidence("userEvidence", at, userAccount=person),
            self._evidence(
                "processEvidence", at, processId=self._random.randint(500, 90000),
                parentProcessId=self._random.randint(500, 900),
                processCommandLine=f"{program['fileName']} /q /p {self._guid()}",
                processCreationDateTime=stamp(at), parentProcessCreationDateTime=stamp(at),
                detectionStatus="detected", mdeDeviceId=device["mdeDeviceId"], imageFile=program,
                parentProcessImageFile=parent, userAccount=person,
            ),
            self._evidence(
                "fileEvidence", at, detectionStatus="prevented",
                mdeDeviceId=device["mdeDeviceId"], fileDetails=self._often(self._programs),
            ),
            self._address_evidence(at),
            self._evidence("urlEvidence", at, url=self._often(self._links)),
        ]  # fmt: skip
        return evidence, {"host": device["hostName"], "file": program["fileName"]}

    def _mail(self, at: datetime) -> tuple[list[Document], Document]:
        person = self._often(self._people)
        upn = person["userPrincipalName"]
        sender = {"emailAddress": f"s{self._random.randint(1, 900)}@mail.example",
                  "displayName": None, "domainName": "mail.example"}  # fmt: skip
        message = self._guid()
        evidence = [
            self._evidence(
                "mailboxEvidence", at, primaryAddress=upn, upn=upn,
                displayName=person["displayName"], userAccount=person,
            ),
            self._evidence(
                "analyzedMessageEvidence", at, networkMessageId=message,
                internetMessageId=f"<{message}@mail.example>", language="en",
                subject=f"Your invoice {message[:6]}", recipientEmailAddress=upn,
                senderIp=self._often(self._addresses), p1Sender=sender, p2Sender=sender,
                antiSpamDirection="inbound", deliveryAction="delivered", deliveryLocation="inbox",
                urn=f"urn:MailEntity:{message}", threats=["Phish"],
                receivedDateTime=stamp(at), urlCount=2, attachmentsCount=0,
                urls=[self._often(self._links), self._often(self._links)],
            ),
            self._evidence(
                "mailClusterEvidence", at, clusterBy="Subject;SenderIp", emailCount=3,
                query=f"( subject:{message[:6]} )", networkMessageIds=[message],
                urn=f"urn:MailCluster:{message}", clusterByValue="x",
            ),
        ]  # fmt: skip
        return evidence, {"upn": upn}

    def _app(self, at: datetime) -> tuple[list[Document], Document]:
        person = self._often(self._people)
        evidence = [
            self._evidence("userEvidence", at, userAccount=person),
            self._evidence(
                "cloudApplicationEvidence", at, appId=11161, saasAppId=11161, instanceId=0,
                displayName="Microsoft 365", instanceName="Microsoft 365", stream=None,
            ),
            self._address_evidence(at),
        ]  # fmt: skip
        return evidence, {"user": person["displayName"]}

    def _resource_alert(self, at: datetime) -> tuple[list[Document], Document]:
        resource = self._often(self._resources)
        evidence = [
            self._evidence("azureResourceEvidence", at, **resource),
            self._address_evidence(at),
        ]
        return evidence, {}

    # --- pieces -----------------------------------------------------------------------------------

    def _evidence(self, kind: str, at: datetime, **fields: object) -> Document:
        return {
            "@odata.type": PREFIX + kind,
            "createdDateTime": stamp(at),
            "verdict": "suspicious",
            "remediationStatus": "none",
            "remediationStatusDetails": None,
            "roles": [],
            "detailedRoles": [],
            "tags": [],
            **fields,
        }

    def _address_evidence(self, at: datetime) -> Document:
        place = {"city": "Riga", "countryName": "Latvia", "state": None, "latitude": 56.9,
                 "longitude": 24.1}  # fmt: skip
        return self._evidence(
            "ipEvidence", at, ipAddress=self._often(self._addresses), countryLetterCode="LV",
            location=place, stream=None,
        )  # fmt: skip

    def _often(self, things: Sequence[T]) -> T:
        """One of them; the first ones come much more often than the last."""
        return things[int(len(things) * self._random.random() ** 1.5)]

    def _guid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _ip(self) -> str:
        return ".".join(str(self._random.randint(1, 250)) for _ in range(4))

    def _digest(self, length: int) -> str:
        return f"{self._random.getrandbits(4 * length):0{length}x}"

    def _person(self, number: int) -> Document:
        first, last = self._random.choice(_FIRST), self._random.choice(_LAST)
        account = f"{first}.{last}{number}".lower()
        return {
            "accountName": account,
            "domainName": "CORP",
            "userSid": f"S-1-5-21-{self._seed}-77-99-{1000 + number}",
            "azureAdUserId": self._guid(),
            "userPrincipalName": f"{account}@{self.domain}",
            "displayName": f"{first} {last}",
        }

    def _device(self, number: int) -> Document:
        host = f"{self._random.choice(_HOSTS)}{number:04d}"
        return {
            "firstSeenDateTime": stamp(START),
            "mdeDeviceId": self._digest(40),
            "azureAdDeviceId": self._guid(),
            "deviceDnsName": f"{host}.corp.{self.domain}",
            "hostName": host,
            "ntDomain": "CORP",
            "dnsDomain": f"corp.{self.domain}",
            "osPlatform": "Windows11",
            "osBuild": 22631,
            "version": "23H2",
            "healthStatus": "active",
            "riskScore": "high",
            "rbacGroupId": 75,
            "rbacGroupName": "UnassignedGroup",
            "onboardingStatus": "onboarded",
            "defenderAvStatus": "updated",
            "lastIpAddress": self._ip(),
            "lastExternalIpAddress": self._ip(),
            "ipInterfaces": [self._ip()],
            "vmMetadata": None,
        }

    def _program(self, number: int) -> Document:
        return {
            "sha1": self._digest(40),
            "sha256": self._digest(64),
            "md5": None,
            "sha256Ac": None,
            "fileName": f"{self._random.choice(_FILES)}{number}.exe",
            "filePath": f"C:\\Users\\Public\\{number}",
            "fileSize": 6136392,
            "filePublisher": None,
            "signer": None,
            "issuer": None,
        }

    def _resource(self, number: int) -> Document:
        group = f"/subscriptions/{self._guid()}/resourceGroups/rg-{number % 9}"
        return {
            "resourceId": f"{group}/providers/Microsoft.Storage/storageAccounts/st{number}",
            "resourceName": f"st{number}",
            "resourceType": "storageAccounts",
        }
