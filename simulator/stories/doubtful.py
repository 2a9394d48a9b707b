"""Accounts whose sign-in passed MFA and that a human must see all the same."""

from simulator.stories import names
from simulator.stories.identity import bad_ip
from simulator.stories.script import Script


def vip_leak(script: Script) -> None:
    """Credentials of a leader leaked; the sign-in that follows passes MFA: still for a human."""
    estate, make, rng = script.estate, script.make, script.rng
    person = rng.choice(estate.vips)
    leaked = script.at(1)
    script.alert(
        "leaked",
        leaked,
        [make.user(person, leaked, roles=["attacked"])],
        kind="attack",
        event="leak",
    )
    place = rng.choice(names.TRAVEL)
    address, entry = f"192.0.2.{rng.randrange(1, 255)}", script.at(33)
    record = script.sign_in(
        person,
        entry,
        address,
        place,
        names.AGENTS[2],
        mfa="fresh",
        risk="medium",
        risk_types=("unlikelyTravel",),
    )
    script.alert(
        "atypical_travel",
        entry,
        [
            make.user(person, entry),
            make.ip(address, entry, place),
            make.logon_request(record["id"], entry),
        ],
        kind="attack",
        event="travel",
        mfa="fresh",
    )


def mfa_then_persistence(script: Script) -> None:
    """MFA was really done (fatigue), then a method and a role are added: not to be closed."""
    estate, make, rng = script.estate, script.make, script.rng
    victim = rng.choice(estate.staff)
    address, place = bad_ip(script), rng.choice(names.AWAY)
    for turn in range(5):
        script.sign_in(
            victim, script.at(turn), address, place, names.AGENTS[1], mfa="failed", error=500121
        )
    entry = script.at(7)
    record = script.sign_in(
        victim,
        entry,
        address,
        place,
        names.AGENTS[1],
        mfa="fresh",
        risk="medium",
        risk_types=("unfamiliarFeatures",),
    )
    script.alert(
        "unfamiliar",
        entry,
        [
            make.user(victim, entry),
            make.ip(address, entry, place),
            make.logon_request(record["id"], entry),
        ],
        kind="attack",
        event="entry",
        mfa="fresh",
    )
    script.audit(
        "User registered security info",
        "UserManagement",
        script.at(11),
        victim,
        address=address,
        target=victim,
    )
    script.audit(
        "Add member to role",
        "RoleManagement",
        script.at(30),
        victim,
        address=address,
        target=victim,
        operation="Assign",
        changed=(
            ("Role.DisplayName", "null", '"Application Administrator"'),
            ("Role.TemplateId", "null", '"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"'),
        ),
    )
