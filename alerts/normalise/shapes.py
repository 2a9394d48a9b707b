"""How each type of evidence is read: a table. Types after the Graph v1.0 metadata of August 2026.

`identity` and `search` are "namespace=field" pairs, strongest first; the namespace says how the
value is made canonical. Fields named nowhere here become details. Types without "Evidence" at the
end are objects inside evidence, or the state objects of the retired legacy alert.
"""

from collections.abc import Callable
from dataclasses import dataclass

from alerts.normalise.keys import (
    Document,
    account_keys,
    amazon_keys,
    connection_keys,
    device_keys,
    file_keys,
    hash_keys,
    kubernetes_keys,
    process_keys,
    registry_keys,
    resource_keys,
    rule_keys,
)
from alerts.records import Kind
from tenants.canonical import BY_NAMESPACE, canonical_id, canonical_name

Rule = tuple[str, str, Callable[[str], str]]


@dataclass(frozen=True, slots=True)
class Shape:
    """How one type becomes an entity.

    `names`: fields with a name for people, also searched for; `labels`: what to show without one.
    `compose`: keys made of several fields, put behind those of `identity`. `subject`: field with
    the object that is the thing itself. `also`: (fields, type, role) of strings that name further
    things; the first field that has something counts.
    """

    kind: Kind
    identity: tuple[Rule, ...] = ()
    search: tuple[Rule, ...] = ()
    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    compose: Callable[[Document], list[str]] | None = None
    subject: str = ""
    also: tuple[tuple[tuple[str, ...], str, str], ...] = ()
    ties: bool = False


def _rules(pairs: str) -> tuple[Rule, ...]:
    split = (pair.split("=") for pair in pairs.split())
    return tuple((f"{ns}:", field, BY_NAMESPACE.get(ns, canonical_id)) for ns, field in split)


def _shape(
    kind: Kind,
    identity: str = "",
    *,
    search: str = "",
    names: str = "",
    labels: str = "",
    compose: Callable[[Document], list[str]] | None = None,
    subject: str = "",
    also: tuple[tuple[str, str, str], ...] = (),
    ties: bool = False,
) -> Shape:
    name_fields = tuple(names.split())
    by_name = tuple(("name:", field, canonical_name) for field in name_fields)
    return Shape(
        kind=kind,
        identity=_rules(identity),
        search=_rules(search) + by_name,
        names=name_fields,
        labels=tuple(labels.split()),
        compose=compose,
        subject=subject,
        also=tuple((tuple(fields.split("|")), name, role) for fields, name, role in also),
        ties=ties,
    )


_ACCOUNT = _shape(
    Kind.USER,
    "oid=azureAdUserId upn=userPrincipalName sid=userSid adguid=activeDirectoryObjectGuid",
    names="displayName",
    labels="userPrincipalName accountName",
    compose=account_keys,
    ties=True,
)
_FILE = _shape(
    Kind.FILE,
    "sha256=sha256 sha1=sha1 md5=md5 sha256ac=sha256Ac",
    labels="fileName name filePath path",
    compose=file_keys,
)
_DEVICE = "mde=mdeDeviceId aad=azureAdDeviceId"
_RECIPIENT, _SENDER = "recipient", "sender"

SHAPES: dict[str, Shape] = {
    "activeDirectoryDomainEvidence": _shape(
        Kind.AD_DOMAIN, "domain=activeDirectoryDomainName", labels="activeDirectoryDomainName"
    ),
    "aiAgentEvidence": _shape(Kind.AI_AGENT, "agent=agentId", names="agentName", ties=True),
    "amazonResourceEvidence": _shape(
        Kind.CLOUD_RESOURCE, names="resourceName", compose=amazon_keys, ties=True
    ),
    "analyzedMessageEvidence": _shape(
        Kind.MAIL,
        "nmid=networkMessageId imid=internetMessageId",
        names="subject",
        also=(
            ("senderIp", "ipEvidence", _SENDER),
            ("recipientEmailAddress", "mailAddress", _RECIPIENT),
            ("urls", "urlEvidence", ""),
        ),
        ties=True,
    ),
    "azureResourceEvidence": _shape(
        Kind.CLOUD_RESOURCE, "arm=resourceId", names="resourceName", ties=True
    ),
    "blobContainerEvidence": _shape(Kind.BLOB_CONTAINER, "url=url", names="name"),
    "blobEvidence": _shape(Kind.BLOB, "url=url", names="name"),
    "cloudApplicationEvidence": _shape(
        Kind.CLOUD_APP, "saas=appId saas=saasAppId", names="displayName instanceName"
    ),
    "cloudLogonRequestEvidence": _shape(Kind.LOGON_REQUEST, "request=requestId"),
    "cloudLogonSessionEvidence": _shape(
        Kind.LOGON_SESSION, "session=sessionId", also=(("deviceName", "deviceName", ""),)
    ),
    "containerEvidence": _shape(Kind.CONTAINER, "container=containerId", names="name"),
    "containerImageEvidence": _shape(Kind.CONTAINER_IMAGE, "image=imageId"),
    "containerRegistryEvidence": _shape(Kind.CONTAINER_REGISTRY, "containers=registry"),
    "deviceEvidence": _shape(
        Kind.DEVICE,
        _DEVICE,
        search="host=hostName host=deviceDnsName",
        labels="deviceDnsName hostName",
        compose=device_keys,
        ties=True,
    ),
    "dnsEvidence": _shape(Kind.DOMAIN, "domain=domainName", labels="domainName"),
    "fileEvidence": _shape(Kind.FILE, subject="fileDetails"),
    "fileHashEvidence": _shape(Kind.FILE, compose=hash_keys),
    "gitHubOrganizationEvidence": _shape(
        Kind.ORGANIZATION, "github=orgId", search="mail=email", names="displayName login company"
    ),
    "gitHubRepoEvidence": _shape(
        Kind.REPOSITORY, "github=repoId url=baseUrl", names="login", ties=True
    ),
    "gitHubUserEvidence": _shape(
        Kind.USER, "github=userId", search="mail=email", names="name login", ties=True
    ),
    "googleCloudResourceEvidence": _shape(
        Kind.CLOUD_RESOURCE, "gcp=fullResourceName", names="resourceName", ties=True
    ),
    "hostLogonSessionEvidence": _shape(Kind.LOGON_SESSION, "session=sessionId"),
    "ioTDeviceEvidence": _shape(
        Kind.IOT_DEVICE,
        "iot=deviceId mac=macAddress serial=serialNumber",
        names="deviceName",
        also=(("ipAddress", "ipEvidence", ""),),
        ties=True,
    ),
    "ipEvidence": _shape(Kind.IP, "ip=ipAddress", labels="ipAddress"),
    "kubernetesClusterEvidence": _shape(
        Kind.KUBERNETES, names="name", compose=kubernetes_keys("cluster")
    ),
    "kubernetesControllerEvidence": _shape(
        Kind.KUBERNETES, names="name", compose=kubernetes_keys("controller")
    ),
    "kubernetesNamespaceEvidence": _shape(
        Kind.KUBERNETES, names="name", compose=kubernetes_keys("namespace")
    ),
    "kubernetesPodEvidence": _shape(
        Kind.KUBERNETES,
        names="name",
        compose=kubernetes_keys("pod"),
        also=(("podIp", "ipEvidence", ""),),
    ),
    "kubernetesSecretEvidence": _shape(
        Kind.KUBERNETES, names="name", compose=kubernetes_keys("secret")
    ),
    "kubernetesServiceAccountEvidence": _shape(
        Kind.KUBERNETES, names="name", compose=kubernetes_keys("serviceaccount")
    ),
    "kubernetesServiceEvidence": _shape(
        Kind.KUBERNETES,
        names="name",
        compose=kubernetes_keys("service"),
        also=(("clusterIP", "ipEvidence", ""), ("externalIPs", "ipEvidence", "")),
    ),
    "mailboxConfigurationEvidence": _shape(
        Kind.MAILBOX_RULE,
        names="displayName",
        compose=rule_keys,
        also=(("mailboxPrimaryAddress|upn", "mailAddress", ""), ("upn", "upn", "")),
    ),
    "mailboxEvidence": _shape(
        Kind.MAILBOX,
        "mail=primaryAddress mail=upn",
        labels="primaryAddress upn",
        names="displayName",
        also=(("upn|primaryAddress", "upn", ""),),
        ties=True,
    ),
    "mailClusterEvidence": _shape(Kind.MAIL_CLUSTER, "name=query urn=urn"),
    "malwareEvidence": _shape(Kind.MALWARE, "name=name", names="name"),
    "networkConnectionEvidence": _shape(
        Kind.NETWORK_CONNECTION,
        compose=connection_keys,
        also=(
            ("sourceAddress", "ipEvidence", "source"),
            ("destinationAddress", "ipEvidence", "destination"),
        ),
    ),
    "nicEvidence": _shape(Kind.NIC, "mac=macAddress", also=(("ipAddress", "ipEvidence", ""),)),
    "oauthApplicationEvidence": _shape(
        Kind.OAUTH_APP, "app=appId oid=objectId", names="displayName", ties=True
    ),
    "processEvidence": _shape(Kind.PROCESS, labels="processCommandLine", compose=process_keys),
    "registryKeyEvidence": _shape(Kind.REGISTRY, labels="registryKey key", compose=registry_keys),
    "registryValueEvidence": _shape(Kind.REGISTRY, labels="registryKey key", compose=registry_keys),
    "sasTokenEvidence": _shape(Kind.SAS_TOKEN, "signature=signatureHash"),
    "securityGroupEvidence": _shape(
        Kind.GROUP,
        "group=securityGroupId sid=sid adguid=activeDirectoryObjectGuid name=distinguishedName",
        names="displayName friendlyName",
    ),
    "servicePrincipalEvidence": _shape(
        Kind.SERVICE_PRINCIPAL,
        "sp=servicePrincipalObjectId app=appId",
        names="servicePrincipalName",
        ties=True,
    ),
    "submissionMailEvidence": _shape(
        Kind.SUBMISSION,
        "submission=submissionId",
        search="nmid=networkMessageId",
        names="subject",
        also=(
            ("networkMessageId", "mailMessage", ""),
            ("senderIp", "ipEvidence", _SENDER),
            ("sender", "sender", _SENDER),
            ("recipient", "mailAddress", _RECIPIENT),
            ("submitter", "mailAddress", "submitter"),
        ),
    ),
    "teamsMessageEvidence": _shape(
        Kind.TEAMS_MESSAGE,
        "teams=messageId",
        names="subject",
        also=(
            ("senderIP", "ipEvidence", _SENDER),
            ("senderFromAddress", "sender", _SENDER),
            ("recipients", "upn", _RECIPIENT),
            ("suspiciousRecipients", "upn", _RECIPIENT),
            ("urls", "urlEvidence", ""),
        ),
        ties=True,
    ),
    "urlEvidence": _shape(Kind.URL, "url=url", labels="url"),
    "userEvidence": _shape(Kind.USER, subject="userAccount"),
    # objects inside evidence
    "userAccount": _ACCOUNT,
    "fileDetails": _FILE,
    "mailAddress": _shape(
        Kind.MAILBOX,
        "mail=emailAddress",
        names="displayName",
        labels="emailAddress",
        also=(("emailAddress", "upn", ""),),
        ties=True,
    ),
    "sender": _shape(Kind.MAILBOX, "mail=emailAddress", names="displayName", labels="emailAddress"),
    "upn": _shape(Kind.USER, "upn=value", labels="value", ties=True),
    "deviceName": _shape(Kind.DEVICE, labels="deviceName", compose=device_keys, ties=True),
    "mailMessage": _shape(Kind.MAIL, "nmid=value", ties=True),
    # states of the legacy alert
    "userState": _shape(
        Kind.USER,
        "oid=aadUserId upn=userPrincipalName sid=onPremisesSecurityIdentifier",
        labels="userPrincipalName accountName",
        compose=account_keys,
        also=(("logonIp", "ipEvidence", "source"),),
        ties=True,
    ),
    "hostState": _shape(
        Kind.DEVICE,
        search="host=netBiosName host=fqdn",
        labels="fqdn netBiosName",
        compose=device_keys,
        also=(("publicIpAddress", "ipEvidence", ""),),
        ties=True,
    ),
    "fileState": _FILE,
    "cloudAppState": _shape(
        Kind.CLOUD_APP,
        names="destinationServiceName",
        also=(("destinationServiceIp", "ipEvidence", "destination"),),
    ),
    "networkConnection": _shape(
        Kind.NETWORK_CONNECTION,
        compose=connection_keys,
        also=(
            ("sourceAddress", "ipEvidence", "source"),
            ("destinationAddress", "ipEvidence", "destination"),
            ("natSourceAddress", "ipEvidence", "source"),
            ("natDestinationAddress", "ipEvidence", "destination"),
            ("destinationUrl", "urlEvidence", "destination"),
            ("destinationDomain", "domainName", "destination"),
        ),
    ),
    "process": _shape(
        Kind.PROCESS,
        labels="commandLine name",
        compose=process_keys,
        also=(("accountName", "accountName", ""),),
    ),
    "malwareState": _shape(Kind.MALWARE, "name=name", names="name"),
    "registryKeyState": _shape(Kind.REGISTRY, labels="registryKey key", compose=registry_keys),
    "securityResource": _shape(Kind.CLOUD_RESOURCE, compose=resource_keys, ties=True),
    "messageSecurityState": _shape(
        Kind.MAIL,
        "nmid=networkMessageId imid=internetMessageId",
        names="messageSubject",
        also=(("connectingIP", "ipEvidence", _SENDER),),
        ties=True,
    ),
    "uriClickSecurityState": _shape(Kind.DOMAIN, "domain=uriDomain"),
    "vulnerabilityState": _shape(Kind.VULNERABILITY, "cve=cve"),
    "domainName": _shape(Kind.DOMAIN, "domain=value"),
    "accountName": _shape(Kind.USER, labels="accountName", compose=account_keys, ties=True),
}
