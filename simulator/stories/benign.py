"""What is harmless or only noise: real MFA on a journey, tests, junk, things that repeat."""

from simulator.stories import names
from simulator.stories.evidence_cloud import azure
from simulator.stories.identity import bad_ip
from simulator.stories.script import Script


def business_trip(script: Script) -> None:
    """A colleague travels and really does MFA in that sign-in; two products wonder."""
    estate, make, rng = script.estate, script.make, script.rng
    person = rng.choice(estate.staff)
    place, address = rng.choice(names.TRAVEL), f"192.0.2.{rng.randrange(1, 255)}"
    device = estate.machine_of(person)
    entry = script.at(2)
    how = rng.choice(("fresh", "fido2"))
    record = script.sign_in(
        person,
        entry,
        address,
        place,
        names.AGENTS[0],
        mfa=how,
        risk="low",
        risk_types=("unfamiliarFeatures",),
        device_id=device.aad_id,
    )
    script.risk("unfamiliarFeatures", record, "low")
    evidence = [make.user(person, entry), make.ip(address, entry, place)]
    if rng.random() < 0.6:
        evidence.append(make.logon_request(record["id"], entry))
    script.alert(
        "unfamiliar",
        entry,
        evidence,
        kind="benign",
        event="trip",
        harmless=True,
        mfa=how,
        severity="low",
    )
    if rng.random() < 0.6:
        script.alert(
            "impossible_travel",
            entry,
            [
                make.user(person, entry),
                make.ip(address, entry, place),
                make.ip(estate.office_ips[0], entry, estate.place),
                make.cloud_app(20893, "Microsoft Exchange Online", entry),
            ],
            kind="benign",
            event="trip",
            incident="cloud",
            harmless=True,
            mfa=how,
            user=person.name,
        )


def new_phone(script: Script) -> None:
    """A sign-in from a new phone at home, with MFA."""
    estate, make, rng = script.estate, script.make, script.rng
    person, address = rng.choice(estate.staff), f"192.0.2.{rng.randrange(1, 255)}"
    entry = script.at(1)
    record = script.sign_in(
        person,
        entry,
        address,
        estate.place,
        names.AGENTS[3],
        mfa="fresh",
        app="Office 365 Exchange Online",
        risk="low",
        risk_types=("unfamiliarFeatures",),
    )
    script.alert(
        "unfamiliar",
        entry,
        [
            make.user(person, entry),
            make.ip(address, entry, estate.place),
            make.logon_request(record["id"], entry),
        ],
        kind="benign",
        event="phone",
        harmless=True,
        mfa="fresh",
        severity="low",
    )


def travel_without_proof(script: Script) -> None:
    """Looks like a journey, but nobody did MFA: a human must look."""
    estate, make, rng = script.estate, script.make, script.rng
    person, place = rng.choice(estate.staff), rng.choice(names.TRAVEL)
    address, entry = bad_ip(script), script.at(3)
    record = script.sign_in(
        person,
        entry,
        address,
        place,
        names.AGENTS[2],
        mfa=rng.choice(("none", "claim")),
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
        mfa="none",
    )


def tor_blocked(script: Script) -> None:
    """A try through Tor that Conditional Access stopped."""
    estate, make, rng = script.estate, script.make, script.rng
    person, address = rng.choice(estate.staff), bad_ip(script)
    tried = script.at(1)
    place = rng.choice(names.AWAY)
    record = script.sign_in(
        person, tried, address, place, names.ODD_AGENT, mfa="failed", error=53003, risk="medium"
    )
    script.alert(
        "anonymous_ip",
        tried,
        [
            make.user(person, tried, roles=["attacked"]),
            make.ip(address, tried, place),
            make.logon_request(record["id"], tried),
        ],
        kind="attack",
        event="tor",
        mfa="failed",
    )


def junk(script: Script) -> None:
    """Unwanted software and blocked downloads: many small alerts on machines."""
    estate, make, rng = script.estate, script.make, script.rng
    for turn in range(rng.randrange(2, 5)):
        owner = rng.choice(estate.staff)
        machine, found = estate.machine_of(owner), script.at(turn * 20)
        name = rng.choice(
            ("PUABundler:Win32/FusionCore", "PUA:Win32/Softcnapp", "PUADlManager:Win32/InstallCore")
        )
        script.alert(
            "pua",
            found,
            [
                make.device(machine, found, owner),
                make.file(
                    "setup_free_pdf.exe",
                    f"C:\\Users\\{owner.sam}\\Downloads",
                    found,
                    machine,
                    remediationStatus="remediated",
                ),
            ],
            kind="noise",
            event=f"pua-{turn}",
            incident=f"pua-{turn}",
            alone=True,
            extra=name,
            host=machine.host,
        )


def repeated_detection(script: Script) -> None:
    """One thing reported again and again: re-deliveries and updates of one alert."""
    estate, make, rng = script.estate, script.make, script.rng
    owner = rng.choice(estate.staff)
    machine, seen = estate.machine_of(owner), script.at(0)
    first = script.alert(
        "malware_prevented",
        seen,
        [
            make.device(machine, seen, owner),
            make.file("eicar.com", "C:\\Temp", seen, machine, remediationStatus="prevented"),
        ],
        kind="noise",
        event="eicar",
        extra="EICAR_Test_File",
    )
    for turn in range(1, 5):
        # Nothing but the date moves: the same alert is delivered again.
        script.change(first, script.at(turn * 17))
    script.change_and_back(
        first,
        script.at(92),
        investigationState="successfullyRemediated",
        status="resolved",
        classification="informationalExpectedActivity",
        determination="securityTesting",
    )


def ssh_noise(script: Script) -> None:
    """The internet knocks at an open port."""
    estate, make, rng = script.estate, script.make, script.rng
    knocked = script.at(0)
    server = estate.servers[4]
    script.alert(
        "ssh_brute_force",
        knocked,
        [
            azure(make, knocked, "Microsoft.Compute/virtualMachines", server.host),
            *(make.ip(bad_ip(script), knocked) for _ in range(4)),
        ],
        kind="noise",
        event="ssh",
        severity="low",
        late_min=rng.choice((0, 180)),
        late_s=150,
    )


def sentinel_only(script: Script) -> None:
    """An analytics rule without any evidence, as Sentinel sometimes sends."""
    happened = script.at(0)
    script.alert("sentinel_signin", happened, [], kind="noise", event="rule")


def everyday(script: Script) -> None:
    """No alert: people sign in as on every day."""
    estate, rng = script.estate, script.rng
    for person in rng.sample(estate.people, 12):
        moment = script.at(rng.randrange(0, 90))
        how = rng.choice(("claim", "claim", "fresh", "none"))
        script.sign_in(
            person,
            moment,
            rng.choice(estate.office_ips),
            estate.place,
            rng.choice(names.AGENTS),
            mfa=how,
            device_id=estate.machine_of(person).aad_id,
            interactive=rng.random() < 0.7,
        )
