"""Attacks that look like an answered MFA prompt, and the harmless things beside them.

In each the sign-in succeeds, and often MFA was really done in it: what tells are the prompts before
it, the method, what Identity Protection says besides, the other sign-in, or what follows.
"""

from datetime import timedelta

from simulator.store import Document
from simulator.stories import evidence_mail as mail
from simulator.stories import names
from simulator.stories.estate import Person, Place
from simulator.stories.identity import bad_ip
from simulator.stories.script import Script

UNANSWERED = "MFA denied; user did not respond to mobile app notification"


def mfa_fatigue(script: Script) -> None:
    """Prompt after prompt, at night; the last one is granted. Nothing follows for a day."""
    rng = script.rng
    victim, address, place = _attacked(script)
    for turn in range(rng.randrange(2, 9)):
        record = script.sign_in(
            victim, script.at(turn * 2), address, place, names.AGENTS[1], mfa="failed", error=500121
        )
        if rng.random() < 0.6:
            _reword(record, UNANSWERED)
    _odd_sign_in(script, victim, address, place, minutes=20)


def adversary_in_the_middle(script: Script) -> None:
    """A phishing page passes everything on, the prompt as well; Microsoft sees it later."""
    make, rng = script.make, script.rng
    victim, address, place = _attacked(script)
    record = _odd_sign_in(script, victim, address, place, minutes=4)
    script.risk("attackerinTheMiddle", record, rng.choice(("medium", "high")))
    if rng.random() < 0.5:
        ruled = script.at(31)
        rule = mail.mailbox_rule(make, victim, ruled, f"Inbox\\{rng.randrange(10**18)}")
        script.alert(
            "inbox_rule", ruled, [make.user(victim, ruled), rule],
            kind="attack", event="rule", incident="cloud", user=victim.name,
        )  # fmt: skip


def replayed_token(script: Script) -> None:
    """A stolen token: MFA is 'satisfied by claim in the token', and nobody was asked."""
    victim, address, place = _attacked(script)
    _odd_sign_in(script, victim, address, place, minutes=3, mfa="claim")


def sim_swap(script: Script) -> None:
    """The help desk registers a new phone for a caller, or the number moves; then MFA is done."""
    rng = script.rng
    victim, address, place = _attacked(script)
    how = rng.choice(("text", "registered", "both"))
    if how != "text":
        # Some attackers wait for hours, until nobody remembers the call.
        script.audit(
            rng.choice(("User registered security info", "Admin registered security info")),
            "UserManagement", script.at(0), victim, address=address, target=victim,
        )  # fmt: skip
    entry = rng.choice((12, 45, 200))
    record = _odd_sign_in(script, victim, address, place, minutes=entry)
    if how != "registered":
        record["authenticationDetails"][1]["authenticationMethod"] = "Text message"
        record["mfaDetail"] = {"authMethod": "Text message", "authDetail": ""}


def consent_after_sign_in(script: Script) -> None:
    """The user is led to sign in and do MFA, then the app of the page is consented to."""
    estate, rng = script.estate, script.rng
    victim, address, place = _attacked(script)
    _odd_sign_in(script, victim, address, place, minutes=2)
    script.audit(
        "Consent to application", "ApplicationManagement", script.at(rng.choice((5, 50, 600))),
        victim, address=address, target=estate.apps[1], operation="Assign",
        changed=(("ConsentContext.IsAdminConsent", "null", '"False"'),),
    )  # fmt: skip


def travel_with_decoy(script: Script) -> None:
    """The attacker signs in without MFA while the user does MFA at home: which one is meant?"""
    estate, make, rng = script.estate, script.make, script.rng
    victim, address, place = _attacked(script)
    entry = script.at(5)
    script.sign_in(
        victim, entry, address, place, names.AGENTS[1], mfa=rng.choice(("none", "claim"))
    )
    script.sign_in(
        victim, entry + timedelta(seconds=rng.randrange(5, 90)), estate.office_ips[0], estate.place,
        names.AGENTS[0], mfa="fresh", device_id=estate.machine_of(victim).aad_id,
    )  # fmt: skip
    addresses = [make.ip(address, entry, place), make.ip(estate.office_ips[0], entry, estate.place)]
    rng.shuffle(addresses)
    script.alert(
        "impossible_travel", entry, [make.user(victim, entry), *addresses],
        kind="attack", event="travel", mfa="none", user=victim.name,
    )  # fmt: skip


def slow_finger(script: Script) -> None:
    """A colleague on a journey: the phone is in the bag, so the first prompt runs out."""
    estate, rng = script.estate, script.rng
    person, place = rng.choice(estate.staff), rng.choice(names.TRAVEL)
    address = f"192.0.2.{rng.randrange(1, 255)}"
    record = script.sign_in(
        person, script.at(1), address, place, names.AGENTS[0], mfa="failed", error=500121
    )
    _reword(record, UNANSWERED)
    _odd_sign_in(script, person, address, place, minutes=3, is_harmless=True)


def _attacked(script: Script) -> tuple[Person, str, Place]:
    rng = script.rng
    return rng.choice(script.estate.staff), bad_ip(script), rng.choice(names.AWAY)


def _odd_sign_in(
    script: Script,
    person: Person,
    address: str,
    place: Place,
    *,
    minutes: float,
    mfa: str = "fresh",
    is_harmless: bool = False,
) -> Document:
    """A sign-in that Identity Protection finds unfamiliar, and its alert."""
    make, entry = script.make, script.at(minutes)
    record = script.sign_in(
        person, entry, address, place, names.AGENTS[1],
        mfa=mfa, risk="medium", risk_types=("unfamiliarFeatures",),
    )  # fmt: skip
    script.risk("unfamiliarFeatures", record, "medium")
    evidence = [make.user(person, entry), make.ip(address, entry, place)]
    if script.rng.random() < 0.7:
        evidence.append(make.logon_request(record["id"], entry))
    script.alert(
        "unfamiliar", entry, evidence, kind="benign" if is_harmless else "attack", event="entry",
        mfa=mfa, harmless=is_harmless,
    )  # fmt: skip
    return record


def _reword(record: Document, text: str) -> None:
    record["authenticationDetails"][1]["authenticationStepResultDetail"] = text
    record["status"]["additionalDetails"] = text
