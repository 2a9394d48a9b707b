"""How far an attack has come, by the category of an alert (MITRE's tactics and Microsoft's own).

https://attack.mitre.org/tactics/enterprise/
"""

_PHASES: tuple[tuple[str, str], ...] = (
    ("entry", """
        Reconnaissance ResourceDevelopment WeaponizationDelivery InitialAccess Phishing
        CredentialPhishing CredentialAccess CredentialStealing Spam MailFlow
    """),
    ("foothold", """
        Execution Exploit Installation Malware Virus Trojan Worm Backdoor Persistence
        PrivilegeEscalation DefenseEvasion Stealth
    """),
    ("spread", "Discovery LateralMovement Collection CommandAndControl"),
    ("goal", "Exfiltration DataLossPrevention Impact Ransomware"),
)  # fmt: skip
_BY_CATEGORY = {
    category.casefold(): number
    for number, (_, categories) in enumerate(_PHASES, 1)
    for category in categories.split()
}


def phase_of(category: str) -> int:
    """1 entry, 2 foothold, 3 spread, 4 goal; 0 where the category does not tell."""
    return _BY_CATEGORY.get(category.casefold(), 0)


def step(earlier: int, later: int) -> int:
    """1 if the later alert is further along the attack, -1 if it falls back behind, else 0."""
    if not earlier or not later or earlier == later:
        return 0
    return 1 if later > earlier else -1
