"""Attacks on accounts: from a password spray to mass download, token theft, consent, takeover."""

from simulator.stories import evidence_mail as mail
from simulator.stories import names
from simulator.stories.estate import Machine, Person, Place, guid
from simulator.stories.evidence_cloud import ad_domain, security_group
from simulator.stories.script import Script


def bad_ip(script: Script) -> str:
    """An attacker's address: IPv4 or IPv6 of the ranges for documentation."""
    if script.rng.random() < 0.15:
        return f"2001:db8:bad:{script.rng.randrange(1, 65535):x}::{script.rng.randrange(1, 255):x}"
    return f"198.51.100.{script.rng.randrange(1, 255)}"


def account_takeover(script: Script) -> None:
    """Password spray -> unfamiliar sign-in -> new MFA method -> inbox rule -> mass download."""
    estate, make, rng = script.estate, script.make, script.rng
    victim = rng.choice(estate.staff)
    others = rng.sample(estate.staff, 8)
    address, place = bad_ip(script), rng.choice(names.AWAY)
    for turn, person in enumerate([*others, victim] * 2):
        script.sign_in(person, script.at(turn * 0.4), address, place, names.ODD_AGENT, error=50126)
    sprayed = script.at(9)
    script.alert(
        "password_spray",
        sprayed,
        [
            make.user(victim, sprayed, roles=["attacked"]),
            make.ip(address, sprayed, place, roles=["attacker"]),
        ],
        kind="attack",
        event="spray",
        incident="first",
    )
    _take_over(script, victim, address, place)


def _take_over(script: Script, victim: Person, address: str, place: Place) -> None:
    """The sign-in that succeeded, seen by two providers, and a new MFA method."""
    make = script.make
    entry = script.at(14)
    record = script.sign_in(
        victim,
        entry,
        address,
        place,
        names.AGENTS[1],
        mfa="none",
        risk="medium",
        risk_types=("unfamiliarFeatures",),
    )
    script.risk("unfamiliarFeatures", record, "medium")
    evidence = [
        make.user(victim, entry),
        make.ip(address, entry, place),
        make.logon_request(record["id"], entry),
    ]
    script.alert(
        "unfamiliar", entry, evidence, kind="attack", event="entry", incident="first", mfa="none"
    )
    # A second provider reports the very same sign-in.
    seen = [
        make.user(victim, entry),
        make.ip(address, entry, place),
        make.cloud_app(20893, "Microsoft Exchange Online", entry),
    ]
    script.alert(
        "infrequent_country",
        entry,
        seen,
        kind="attack",
        event="entry",
        incident="cloud",
        mfa="none",
        user=victim.name,
    )
    _add_mfa_method(script, victim, address, place)
    _use_mailbox_and_files(script, victim, address, place)


def _add_mfa_method(script: Script, victim: Person, address: str, place: Place) -> None:
    make = script.make
    added = script.at(19)
    script.audit(
        "User registered security info",
        "UserManagement",
        added,
        victim,
        address=address,
        target=victim,
    )
    script.audit(
        "Update user",
        "UserManagement",
        added,
        victim,
        address=address,
        target=victim,
        changed=(("StrongAuthenticationMethod", "[]", '[{"MethodType":6,"Default":true}]'),),
    )
    script.alert(
        "sentinel_mfa",
        added,
        [make.user(victim, added), make.ip(address, added, place)],
        kind="attack",
        event="mfa-method",
        incident="first",
    )


def _use_mailbox_and_files(script: Script, victim: Person, address: str, place: Place) -> None:
    make, rng = script.make, script.rng
    ruled = script.at(26)
    rule = mail.mailbox_rule(make, victim, ruled, f"Inbox\\{rng.randrange(10**18)}")
    script.alert(
        "inbox_rule",
        ruled,
        [
            make.user(victim, ruled),
            make.ip(address, ruled, place),
            rule,
            mail.mailbox(make, victim, ruled),
        ],
        kind="attack",
        event="rule",
        incident="cloud",
        user=victim.name,
    )
    loaded = script.at(41)
    first = script.alert(
        "mass_download",
        loaded,
        [
            make.user(victim, loaded),
            make.ip(address, loaded, place),
            make.cloud_app(20892, "Microsoft SharePoint Online", loaded),
        ],
        kind="attack",
        event="download",
        incident="cloud",
        user=victim.name,
        late_min=12,
        late_s=90,
    )
    script.change(first, script.at(95), severity="high", systemTags=["Attack Disruption"])


def token_theft(script: Script) -> None:
    """A link is clicked, the session stolen; MFA is 'satisfied' by the stolen token."""
    estate, make, rng = script.estate, script.make, script.rng
    victim = rng.choice(estate.people)
    domain = rng.choice(names.BAD_DOMAINS)
    network_id, url = guid(rng), f"https://{domain}/login?u={victim.sam}"
    clicked = script.at(3)
    message = mail.message(
        make,
        victim,
        clicked,
        "Dokument zur Prüfung: «Vertrag Müller»",
        f"sign@{domain}",
        network_id,
        [url],
        verdict="malicious",
    )
    script.alert(
        "url_click",
        clicked,
        [
            message,
            make.user(victim, clicked),
            make.url(url, clicked, verdict="malicious"),
            mail.mailbox(make, victim, clicked),
        ],
        kind="attack",
        event="click",
        incident="mail",
    )
    _use_token(script, victim)


def _use_token(script: Script, victim: Person) -> None:
    make, rng = script.make, script.rng
    address, place = bad_ip(script), rng.choice(names.AWAY)
    used = script.at(9)
    record = script.sign_in(
        victim,
        used,
        address,
        place,
        names.AGENTS[0],
        mfa="claim",
        risk="high",
        risk_types=("anomalousToken",),
    )
    script.risk("anomalousToken", record, "high")
    session = make.logon_session(victim, used, record["sessionId"], names.AGENTS[0])
    script.alert(
        "anomalous_token",
        used,
        [
            make.user(victim, used),
            make.ip(address, used, place),
            make.logon_request(record["id"], used),
            session,
        ],
        kind="attack",
        event="token",
        incident="identity",
        mfa="claim",
        severity="high",
    )
    forwarded = script.at(22)
    rule = mail.mailbox_rule(
        make, victim, forwarded, f"fwd-{rng.randrange(10**9)}", "mailForwardingRule"
    )
    script.alert(
        "inbox_forwarding",
        forwarded,
        [make.user(victim, forwarded), rule],
        kind="attack",
        event="forward",
        incident="mail",
        severity="medium",
    )


def consent_phishing(script: Script) -> None:
    """An app is consented to, gets a credential, and reads mail."""
    estate, make, rng = script.estate, script.make, script.rng
    victim, app = rng.choice(estate.staff), estate.apps[rng.randrange(2)]
    address = bad_ip(script)
    agreed = script.at(2)
    script.audit(
        "Consent to application",
        "ApplicationManagement",
        agreed,
        victim,
        address=estate.office_ips[0],
        target=app,
        operation="Assign",
        changed=(("ConsentContext.IsAdminConsent", "null", '"False"'),),
    )
    script.alert(
        "oauth_consent",
        agreed,
        [make.oauth_app(app, agreed), make.user(victim, agreed, roles=["attacked"])],
        kind="attack",
        event="consent",
        app=app.name,
        user=victim.name,
    )
    credential = script.at(25)
    script.audit(
        "Add service principal credentials",
        "ApplicationManagement",
        credential,
        None,
        app=app,
        target=app,
    )
    script.alert(
        "app_credential",
        credential,
        [make.service_principal(app, credential), make.ip(address, credential)],
        kind="attack",
        event="credential",
        incident="other",
    )


def domain_dominance(script: Script) -> None:
    """Spray in Active Directory, memory of lsass, DCSync, a new domain administrator."""
    estate, make, rng = script.estate, script.make, script.rng
    attacker = rng.choice(estate.staff)
    machine, admin = estate.machine_of(attacker), rng.choice(estate.vips)
    guessed = script.at(1)
    script.alert(
        "brute_force_ad",
        guessed,
        [
            make.user(attacker, guessed, roles=["attacked"]),
            make.device(machine, guessed, attacker),
            make.ip(machine.inside_ip, guessed),
        ],
        kind="attack",
        event="guess",
        host=machine.host,
    )
    read = script.at(12)
    tool = make.process(
        "rundll32.exe",
        "rundll32.exe C:\\windows\\System32\\comsvcs.dll, MiniDump 652 C:\\Temp\\l.dmp full",
        read,
        machine,
        attacker,
    )
    script.alert(
        "lsass_dump",
        read,
        [make.device(machine, read, attacker), make.user(attacker, read), tool],
        kind="attack",
        event="dump",
        host=machine.host,
    )
    script.alert(
        "mimikatz",
        read,
        [
            make.device(machine, read, attacker),
            make.file(
                "mimi64.exe",
                f"C:\\Users\\{attacker.sam}\\Downloads",
                read,
                machine,
                verdict="malicious",
            ),
        ],
        kind="attack",
        event="dump",
    )
    _own_domain(script, attacker, machine, admin)


def _own_domain(script: Script, attacker: Person, machine: Machine, admin: Person) -> None:
    estate, make = script.estate, script.make
    synced = script.at(24)
    session = make.host_session(admin, estate.servers[0], synced)
    script.alert(
        "dcsync",
        synced,
        [
            make.user(admin, synced),
            make.device(estate.servers[0], synced),
            make.device(machine, synced, detailedRoles=["Source"]),
            session,
        ],
        kind="attack",
        event="sync",
        incident="domain",
        user=admin.name,
        host=machine.host,
    )
    joined = script.at(37)
    script.alert(
        "sensitive_group",
        joined,
        [
            make.user(admin, joined),
            make.user(attacker, joined, roles=["added"]),
            security_group(make, joined),
            ad_domain(make, joined),
        ],
        kind="attack",
        event="group",
        incident="domain",
        user=admin.name,
    )
