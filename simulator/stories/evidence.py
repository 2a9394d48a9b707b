"""Evidence about people, machines, networks, files and processes, as alerts_v2 holds it."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from simulator.moments import stamp
from simulator.stories.estate import App, Estate, Machine, Person, Place, hex_of

Evidence = dict[str, Any]
TYPE = "#microsoft.graph.security."


class Maker:
    """Makes evidence for one estate; `at` is when it was seen."""

    def __init__(self, estate: Estate, rng: Random) -> None:
        self.estate = estate
        self.rng = rng

    def base(self, kind: str, at: datetime, **more: Any) -> Evidence:
        """The common properties. `roles`, `verdict` ... can be given in `more`."""
        return {
            "@odata.type": TYPE + kind,
            "createdDateTime": stamp(at),
            "verdict": more.pop("verdict", "suspicious"),
            "remediationStatus": more.pop("remediationStatus", self.rng.choice(("none", "active"))),
            "remediationStatusDetails": None,
            "roles": more.pop("roles", []),
            "detailedRoles": more.pop("detailedRoles", []),
            "tags": more.pop("tags", []),
            **more,
        }

    def account(self, person: Person) -> dict[str, Any]:
        return {
            "accountName": person.sam,
            "domainName": self.estate.netbios,
            "userSid": person.sid,
            "azureAdUserId": person.oid,
            "userPrincipalName": person.upn,
            "displayName": person.name,
            "activeDirectoryObjectGuid": person.ad_guid,
            "tenantId": None,
            "resourceAccessEvents": [],
        }

    def local_account(self, machine: Machine, name: str = "SYSTEM") -> dict[str, Any]:
        """An account that is nobody: SYSTEM, or a local one of the machine."""
        system = name == "SYSTEM"
        return {
            "accountName": name,
            "domainName": "NT AUTHORITY" if system else machine.host,
            "userSid": "S-1-5-18" if system else f"S-1-5-21-{self.rng.randrange(10**9)}-1-2-1001",
            "azureAdUserId": None,
            "userPrincipalName": None,
            "displayName": "System" if system else None,
            "activeDirectoryObjectGuid": None,
            "tenantId": None,
            "resourceAccessEvents": [],
        }

    def user(self, person: Person, at: datetime, **more: Any) -> Evidence:
        more.setdefault("roles", ["compromised"])
        if person.vip:
            more.setdefault("tags", ["Sensitive"])
        return self.base("userEvidence", at, stream=None, userAccount=self.account(person), **more)

    def device(
        self, machine: Machine, at: datetime, person: Person | None = None, **more: Any
    ) -> Evidence:
        logged_on = (
            []
            if person is None
            else [{"accountName": person.sam, "domainName": self.estate.netbios}]
        )
        vm = None
        if machine.vm_resource:
            vm = {
                "vmId": f"{machine.aad_id}",
                "cloudProvider": "azure",
                "resourceId": machine.vm_resource,
                "subscriptionId": self.estate.subscription,
            }
        more.setdefault("detailedRoles", ["PrimaryDevice"])
        return self.base(
            "deviceEvidence",
            at,
            firstSeenDateTime=stamp(at - timedelta(days=200)),
            mdeDeviceId=machine.mde_id,
            azureAdDeviceId=machine.aad_id,
            deviceDnsName=machine.fqdn,
            hostName=machine.host,
            ntDomain=self.estate.netbios,
            dnsDomain=self.estate.ad_domain,
            osPlatform=machine.os,
            osBuild=machine.build,
            version=machine.version,
            healthStatus="active",
            riskScore=self.rng.choice(("low", "medium", "high")),
            rbacGroupId=75,
            rbacGroupName=machine.group,
            onboardingStatus="onboarded",
            defenderAvStatus="updated",
            lastIpAddress=machine.inside_ip,
            lastExternalIpAddress=self.estate.office_ips[0],
            ipInterfaces=[machine.inside_ip, "fe80::2f21:c88a:d280:d1dd", "127.0.0.1", "::1"],
            vmMetadata=vm,
            loggedOnUsers=logged_on,
            resourceAccessEvents=[],
            **more,
        )

    def ip(self, address: str, at: datetime, place: Place | None = None, **more: Any) -> Evidence:
        location = None
        if place is not None:
            city, state, _, country, latitude, longitude = place
            location = {
                "countryName": country,
                "state": state,
                "city": city,
                "longitude": longitude,
                "latitude": latitude,
            }
        letters = place[2] if place else None
        return self.base(
            "ipEvidence",
            at,
            ipAddress=address,
            countryLetterCode=letters,
            location=location,
            stream=None,
            **more,
        )

    def url(self, url: str, at: datetime, **more: Any) -> Evidence:
        return self.base("urlEvidence", at, url=url, **more)

    def dns(self, domain: str, at: datetime, address: str, machine: Machine) -> Evidence:
        return self.base(
            "dnsEvidence",
            at,
            domainName=domain,
            ipAddresses=[self.ip(address, at)],
            dnsServerIp=self.ip("10.1.0.10", at, verdict="noThreatsFound"),
            hostIpAddress=self.ip(machine.inside_ip, at),
        )

    def file_details(
        self, name: str, path: str, signed: bool = False, size: int = 0
    ) -> dict[str, Any]:
        seed = Random(f"file-{name}-{self.estate.slug if not signed else ''}")
        return {
            "fileName": name,
            "filePath": path,
            "fileSize": size or seed.randrange(20_000, 4_000_000),
            "filePublisher": "Microsoft Corporation" if signed else None,
            "signer": "Microsoft Windows" if signed else None,
            "issuer": "Microsoft Windows Production PCA 2011" if signed else None,
            "md5": hex_of(seed, 32),
            "sha1": hex_of(seed, 40),
            "sha256": hex_of(seed, 64),
            "sha256Ac": None,
        }

    def file(
        self, name: str, path: str, at: datetime, machine: Machine | None = None, **more: Any
    ) -> Evidence:
        return self.base(
            "fileEvidence",
            at,
            detectionStatus="detected",
            mdeDeviceId=machine.mde_id if machine else None,
            fileDetails=self.file_details(name, path, size=more.pop("size", 0)),
            **more,
        )

    def process(
        self,
        image: str,
        command: str,
        at: datetime,
        machine: Machine,
        person: Person | None = None,
        parent: str = "explorer.exe",
        **more: Any,
    ) -> Evidence:
        account = self.account(person) if person else self.local_account(machine)
        windows = "C:\\Windows\\System32"
        return self.base(
            "processEvidence",
            at,
            processId=self.rng.randrange(1000, 30_000),
            parentProcessId=self.rng.randrange(500, 9000),
            processCommandLine=command,
            processCreationDateTime=stamp(at - timedelta(seconds=40)),
            parentProcessCreationDateTime=stamp(at - timedelta(minutes=50)),
            detectionStatus="detected",
            mdeDeviceId=machine.mde_id,
            imageFile=self.file_details(image, more.pop("path", windows), signed=True),
            parentProcessImageFile=self.file_details(parent, "C:\\Windows", signed=True),
            userAccount=account,
            **more,
        )

    def registry_key(self, key: str, at: datetime) -> Evidence:
        return self.base(
            "registryKeyEvidence", at, registryHive="HKEY_CURRENT_USER", registryKey=key
        )

    def registry_value(
        self, key: str, name: str, value: str, at: datetime, machine: Machine
    ) -> Evidence:
        return self.base(
            "registryValueEvidence",
            at,
            mdeDeviceId=machine.mde_id,
            registryHive="HKEY_CURRENT_USER",
            registryKey=key,
            registryValue=value,
            registryValueName=name,
            registryValueType="String",
        )

    def malware(
        self,
        name: str,
        category: str,
        at: datetime,
        files: list[Evidence],
        processes: list[Evidence],
    ) -> Evidence:
        return self.base(
            "malwareEvidence",
            at,
            name=name,
            category=category,
            files=files,
            processes=processes,
            verdict="malicious",
        )

    def file_hash(self, details: dict[str, Any], at: datetime) -> Evidence:
        return self.base("fileHashEvidence", at, algorithm="sha256", value=details["sha256"])

    def cloud_app(self, app_id: int, name: str, at: datetime) -> Evidence:
        return self.base(
            "cloudApplicationEvidence",
            at,
            appId=app_id,
            displayName=name,
            instanceId=0,
            instanceName=name,
            saasAppId=app_id,
            stream=None,
            roles=["contextual"],
            verdict="unknown",
        )

    def logon_request(self, request_id: str, at: datetime) -> Evidence:
        return self.base("cloudLogonRequestEvidence", at, requestId=request_id)

    def logon_session(
        self, person: Person, at: datetime, session: str, agent: tuple[str, str, str]
    ) -> Evidence:
        return self.base(
            "cloudLogonSessionEvidence",
            at,
            account=self.user(person, at),
            browser=agent[1],
            deviceName=None,
            operatingSystem=agent[0],
            previousLogonDateTime=stamp(at - timedelta(hours=9)),
            protocol="OAuth2",
            sessionId=session,
            startUtcDateTime=stamp(at),
            userAgent=agent[2],
        )

    def host_session(self, person: Person, machine: Machine, at: datetime) -> Evidence:
        return self.base(
            "hostLogonSessionEvidence",
            at,
            account=self.user(person, at),
            host=self.device(machine, at),
            sessionId=str(self.rng.randrange(10_000, 99_999_999)),
            startUtcDateTime=stamp(at),
            endUtcDateTime=stamp(at + timedelta(minutes=12)),
        )

    def oauth_app(self, app: App, at: datetime) -> Evidence:
        return self.base(
            "oauthApplicationEvidence",
            at,
            appId=app.app_id,
            objectId=app.object_id,
            displayName=app.name,
            publisher=app.publisher,
        )

    def service_principal(self, app: App, at: datetime, **more: Any) -> Evidence:
        return self.base(
            "servicePrincipalEvidence",
            at,
            appId=app.app_id,
            appOwnerTenantId=self.estate.guid,
            servicePrincipalName=app.name,
            servicePrincipalObjectId=app.object_id,
            servicePrincipalType="application",
            tenantId=self.estate.guid,
            **more,
        )
