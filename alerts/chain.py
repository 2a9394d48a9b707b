"""The chain Identity, Device, App, Data, Infrastructure: which link each entity belongs to."""

from collections.abc import Iterable

from alerts.records import AlertRecord, EntityRecord, Kind, Pillar

_PILLARS: dict[Kind, Pillar] = {
    kind: pillar
    for pillar, kinds in (
        (
            Pillar.IDENTITY,
            (Kind.USER, Kind.GROUP, Kind.AD_DOMAIN, Kind.LOGON_SESSION, Kind.LOGON_REQUEST),
        ),
        (
            Pillar.DEVICE,
            (
                Kind.DEVICE,
                Kind.IOT_DEVICE,
                Kind.PROCESS,
                Kind.REGISTRY,
                Kind.MALWARE,
                Kind.VULNERABILITY,
            ),
        ),
        (
            Pillar.APP,
            (
                Kind.CLOUD_APP,
                Kind.OAUTH_APP,
                Kind.SERVICE_PRINCIPAL,
                Kind.AI_AGENT,
                Kind.ORGANIZATION,
            ),
        ),
        (
            Pillar.DATA,
            (
                Kind.FILE,
                Kind.MAILBOX,
                Kind.MAILBOX_RULE,
                Kind.MAIL,
                Kind.MAIL_CLUSTER,
                Kind.SUBMISSION,
                Kind.TEAMS_MESSAGE,
                Kind.BLOB,
                Kind.BLOB_CONTAINER,
                Kind.SAS_TOKEN,
                Kind.REPOSITORY,
            ),
        ),
    )
    for kind in kinds
}

# What an alert without entities is about, by the service that raised it.
_HINTS: dict[str, Pillar] = {
    "azureAdIdentityProtection": Pillar.IDENTITY,
    "microsoftDefenderForIdentity": Pillar.IDENTITY,
    "microsoftInsiderRiskManagement": Pillar.IDENTITY,
    "microsoftDefenderForEndpoint": Pillar.DEVICE,
    "microsoftDefenderForCloudApps": Pillar.APP,
    "microsoftAppGovernance": Pillar.APP,
    "microsoftSecurityForAI": Pillar.APP,
    "microsoftDefenderForOffice365": Pillar.DATA,
    "dataLossPrevention": Pillar.DATA,
    "microsoftDefenderForCloud": Pillar.INFRASTRUCTURE,
}


def pillar_of(kind: Kind) -> Pillar:
    """The link that a kind of entity belongs to; Infrastructure is the rest."""
    return _PILLARS.get(kind, Pillar.INFRASTRUCTURE)


def pillars_of(entities: Iterable[EntityRecord]) -> Pillar:
    """All links that the entities belong to. Entities of unknown kind count for none."""
    found = Pillar(0)
    for kind in {entity.kind for entity in entities}:
        if kind is not Kind.UNKNOWN:
            found |= pillar_of(kind)
    return found


def pillars(alert: AlertRecord) -> Pillar:
    """All links that an alert touches; without entities, the one its service stands for, if any."""
    return pillars_of(alert.entities) or _HINTS.get(alert.service_source, Pillar(0))
