"""Evidence about mail, mailboxes and Teams messages."""

from datetime import datetime
from typing import Any

from simulator.moments import stamp
from simulator.stories.estate import Person, guid
from simulator.stories.evidence import Evidence, Maker


def message(
    make: Maker,
    to: Person,
    at: datetime,
    subject: str,
    sender: str,
    network_id: str,
    urls: list[str],
    sender_ip: str = "198.51.100.23",
    **more: Any,
) -> Evidence:
    """One mail in one mailbox."""
    local, _, domain = sender.partition("@")
    address = {
        "emailAddress": sender,
        "displayName": more.pop("sender_name", local),
        "domainName": domain,
    }
    return make.base(
        "analyzedMessageEvidence",
        at,
        networkMessageId=network_id,
        internetMessageId=f"<{network_id.replace('-', '')}@{domain}>",
        subject=subject,
        language="en",
        senderIp=sender_ip,
        recipientEmailAddress=to.upn,
        antiSpamDirection="Inbound",
        deliveryAction=more.pop("delivery", "Delivered"),
        deliveryLocation=more.pop("location", "Inbox"),
        urn=f"urn:MailEntity:{network_id}",
        threats=["Phish"],
        threatDetectionMethods=["URL malicious reputation"],
        urls=urls,
        urlCount=len(urls),
        attachmentsCount=more.pop("attachments", 0),
        receivedDateTime=stamp(at),
        p1Sender=address,
        p2Sender=dict(address),
        **more,
    )


def cluster(make: Maker, at: datetime, subject: str, network_ids: list[str]) -> Evidence:
    query = f'( (( (BodyFingerprintBin1:"{make.rng.getrandbits(31)}") ) AND ( (ContentType: 1) )) )'
    return make.base(
        "mailClusterEvidence",
        at,
        clusterBy="Subject;P2SenderDomain;ContentType",
        clusterByValue=f"{subject};invoice-portal.example;1",
        emailCount=len(network_ids),
        networkMessageIds=network_ids,
        query=query,
        urn=f"urn:MailClusterEntity:{guid(make.rng)}",
    )


def mailbox(make: Maker, person: Person, at: datetime, **more: Any) -> Evidence:
    return make.base(
        "mailboxEvidence",
        at,
        primaryAddress=person.upn,
        upn=person.upn,
        displayName=person.name,
        userAccount=make.account(person),
        **more,
    )


def mailbox_rule(
    make: Maker, person: Person, at: datetime, rule: str, kind: str = "userInboxRule"
) -> Evidence:
    return make.base(
        "mailboxConfigurationEvidence",
        at,
        configurationId=rule,
        configurationType=kind,
        displayName=person.name,
        externalDirectoryObjectId=person.oid,
        mailboxPrimaryAddress=person.upn,
        upn=person.upn,
    )


def submission(
    make: Maker, person: Person, at: datetime, subject: str, sender: str, network_id: str
) -> Evidence:
    return make.base(
        "submissionMailEvidence",
        at,
        submissionId=guid(make.rng),
        networkMessageId=network_id,
        sender=sender,
        senderIp="198.51.100.23",
        recipient=person.upn,
        subject=subject,
        submitter=person.upn,
        submissionDateTime=stamp(at),
        reportType="Phish",
    )


def teams_message(make: Maker, to: list[Person], at: datetime, sender: str, url: str) -> Evidence:
    identifier = str(int(at.timestamp() * 1000))
    return make.base(
        "teamsMessageEvidence",
        at,
        campaignId=guid(make.rng),
        channelId=None,
        deliveryAction="delivered",
        deliveryLocation="teams",
        files=[],
        groupId=None,
        isExternal=True,
        isOwned=False,
        lastModifiedDateTime=stamp(at),
        messageDirection="inbound",
        messageId=identifier,
        owningTenantId=guid(make.rng),
        parentMessageId=None,
        receivedDateTime=stamp(at),
        recipients=[person.upn for person in to],
        senderFromAddress=sender,
        senderIP="198.51.100.77",
        sourceAppName="Teams",
        sourceId=guid(make.rng),
        subject="Help Desk (External)",
        suspiciousRecipients=[to[0].upn],
        threadId=f"19:{guid(make.rng)}@unq.gbl.spaces",
        threadType="chat",
        urls=[make.url(url, at)],
    )
