"""What makes grouping hard: one event told by several products, hubs, long and bridged attacks.

Hubs are told as many small stories, one a telling: each is a matter of its own, although all share
an address or an account.
"""

from dataclasses import replace
from datetime import timedelta

from simulator.stories import evidence_mail as mail
from simulator.stories import names
from simulator.stories.estate import Estate, Person
from simulator.stories.identity import bad_ip
from simulator.stories.script import Script

HOUR = 60


def three_products(script: Script) -> None:
    """One odd sign-in, told by three products in three incidents; then a rule, told by two."""
    estate, make, rng = script.estate, script.make, script.rng
    victim, address, place = rng.choice(estate.staff), bad_ip(script), rng.choice(names.AWAY)
    entry = script.at(3)
    record = script.sign_in(
        victim, entry, address, place, names.AGENTS[1], mfa="none", risk="medium",
        risk_types=("unfamiliarFeatures",),
    )  # fmt: skip
    script.risk("unfamiliarFeatures", record, "medium")
    first = rng.choice(("unfamiliar", "atypical_travel", "anonymous_ip"))
    second = rng.choice(("infrequent_country", "impossible_travel"))
    common = {"kind": "attack", "event": "entry", "mfa": "none", "user": victim.name}
    request = make.logon_request(record["id"], entry)
    seen = [make.user(victim, entry), make.ip(address, entry, place)]
    script.alert(first, entry, [*seen, request], incident="identity", **common)
    script.alert(
        second, entry, [make.user(victim, entry), make.ip(address, entry, place)],
        incident="cloud", late_min=rng.choice((0, 50)), **common,
    )  # fmt: skip
    script.alert(
        "sentinel_signin", entry, [make.user(victim, entry), make.ip(address, entry, place)],
        incident="sentinel", late_min=rng.choice((0, 90)), **common,
    )  # fmt: skip
    ruled = script.at(29)
    rule = mail.mailbox_rule(make, victim, ruled, f"Inbox\\{rng.randrange(10**18)}")
    for key, incident in (("inbox_rule", "cloud"), ("inbox_forwarding", "mail")):
        script.alert(
            key, ruled, [make.user(victim, ruled), dict(rule), mail.mailbox(make, victim, ruled)],
            kind="attack", event="rule", incident=incident, user=victim.name,
        )  # fmt: skip


def issued_again(script: Script) -> None:
    """Alerts that come again: under a new id, and under the id of another product."""
    estate, make, rng = script.estate, script.make, script.rng
    person, address, place = rng.choice(estate.staff), bad_ip(script), rng.choice(names.AWAY)
    entry = script.at(2)
    seen = [make.user(person, entry), make.ip(address, entry, place)]
    first = script.alert(
        "anonymous_ip", entry, seen, kind="attack", event="entry", incident="first"
    )
    script.again(first, script.at(13))
    owner = rng.choice([one for one in estate.staff if one is not person])
    machine, ran = estate.machine_of(owner), script.at(40)
    found = script.alert(
        "hidden_file", ran, [make.device(machine, ran, owner)], kind="attack", event="hidden",
        incident="endpoint", alone=True,
    )  # fmt: skip
    script.again(found, script.at(58), prefix="ra", source="microsoft365Defender")


def office_sign_in(script: Script) -> None:
    """Somebody in the office signs in with a new browser: the address is everybody's."""
    estate, make, rng = script.estate, script.make, script.rng
    person, entry = rng.choice(estate.staff), script.at(1)
    record = script.sign_in(
        person, entry, estate.office_ips[0], estate.place, rng.choice(names.AGENTS), mfa="fresh",
        risk="low", risk_types=("unfamiliarFeatures",),
    )  # fmt: skip
    script.alert(
        "unfamiliar", entry,
        [
            make.user(person, entry),
            make.ip(estate.office_ips[0], entry, estate.place),
            make.logon_request(record["id"], entry),
        ],
        kind="benign", event="office", harmless=True, mfa="fresh", severity="low",
    )  # fmt: skip


def service_account(estate: Estate) -> Person:
    """The account with which the vulnerability scanner looks into every machine."""
    model = estate.people[-1]
    return replace(
        model, oid=estate.guid[:24] + "5ca00000ca11", given="", surname="svc-scan",
        upn=f"svc-scan@{estate.domain}", sam="svc-scan", sid=f"{model.sid[:-4]}9901",
        ad_guid=estate.guid[:24] + "5ca00000ad01", rid=9901,
    )  # fmt: skip


def scanner(script: Script) -> None:
    """The vulnerability scanner does its work, and a product wonders: always the same account."""
    estate, make, rng = script.estate, script.make, script.rng
    account, machine = service_account(estate), rng.choice(estate.machines)
    seen = script.at(0)
    script.alert(
        rng.choice(("recon_ldap", "brute_force_ad")), seen,
        [
            make.user(account, seen),
            make.device(machine, seen),
            make.ip(estate.servers[5].inside_ip, seen),
        ],
        kind="noise", event="scan", host=machine.host, severity="low",
    )  # fmt: skip


def long_campaign(script: Script) -> None:
    """Days between the steps: a click, a stolen session, a rule, files, and data that leaves."""
    estate, make, rng = script.estate, script.make, script.rng
    victim, address, place = rng.choice(estate.staff), bad_ip(script), rng.choice(names.AWAY)
    machine, domain = estate.machine_of(victim), rng.choice(names.BAD_DOMAINS)
    clicked = script.at(0)
    script.alert(
        "url_click", clicked,
        [make.user(victim, clicked), make.url(f"https://{domain}/d/{victim.rid}", clicked)],
        kind="attack", event="click", incident="mail",
    )  # fmt: skip
    used = script.at(rng.uniform(14, 21) * HOUR)
    record = script.sign_in(
        victim, used, address, place, names.AGENTS[0], mfa="claim", risk="high",
        risk_types=("anomalousToken",),
    )  # fmt: skip
    script.risk("anomalousToken", record, "high")
    script.alert(
        "anomalous_token", used,
        [make.user(victim, used), make.ip(address, used, place)],
        kind="attack", event="token", incident="identity", mfa="claim",
    )  # fmt: skip
    ran = script.at(rng.uniform(34, 40) * HOUR)
    script.alert(
        "encoded_powershell", ran, [make.device(machine, ran, victim), make.user(victim, ran)],
        kind="attack", event="shell", incident="endpoint", host=machine.host,
    )  # fmt: skip
    hidden = script.at(rng.uniform(50, 58) * HOUR)
    script.alert(
        "c2", hidden, [make.device(machine, hidden, victim), make.ip(address, hidden)],
        kind="attack", event="call", incident="network",
    )  # fmt: skip
    taken = script.at(rng.uniform(72, 80) * HOUR)
    script.alert(
        "mass_download", taken,
        [make.user(victim, taken), make.device(machine, taken), make.ip(address, taken, place)],
        kind="attack", event="theft", incident="cloud", user=victim.name,
    )  # fmt: skip


def late_bridge(script: Script) -> None:
    """An account here, a machine there; hours later an alert names both."""
    estate, make, rng = script.estate, script.make, script.rng
    victim, other = rng.sample(estate.staff, 2)
    address, place, machine = bad_ip(script), rng.choice(names.AWAY), estate.machine_of(other)
    entry = script.at(2)
    script.alert(
        "atypical_travel", entry, [make.user(victim, entry), make.ip(address, entry, place)],
        kind="attack", event="entry", incident="identity", mfa="none",
    )  # fmt: skip
    dumped = script.at(48)
    script.alert(
        "lsass_dump", dumped, [make.device(machine, dumped)], kind="attack", event="dump",
        incident="endpoint", host=machine.host,
    )  # fmt: skip
    script.alert(
        "mimikatz", dumped + timedelta(minutes=3 * script.scale), [make.device(machine, dumped)],
        kind="attack", event="dump", incident="second",
    )  # fmt: skip
    moved = script.at(25)
    script.alert(
        "disruption", moved, [make.device(machine, moved), make.user(victim, moved)],
        kind="attack", event="moved", incident="late", host=machine.host, late_min=4 * HOUR,
    )  # fmt: skip
