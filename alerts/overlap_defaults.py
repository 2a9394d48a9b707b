"""Our classes of equivalent detections; a provider or a tenant can edit each (see `overlap`).

Titles are those that Microsoft publishes; `riskEventType` strings are listed beside the titles of
Entra ID Protection, because analytics rules of Sentinel often carry them.
https://learn.microsoft.com/entra/id-protection/concept-identity-protection-risks
https://learn.microsoft.com/defender-cloud-apps/investigate-anomaly-alerts
https://learn.microsoft.com/defender-for-identity/alerts-overview
"""

from alerts.overlap import Detections, OverlapClass

_IDP = ("azureAdIdentityProtection",)
_MDCA = ("microsoftDefenderForCloudApps", "cloudAppSecurity", "microsoftAppGovernance")
_MDI = ("microsoftDefenderForIdentity",)
_MDE = ("microsoftDefenderForEndpoint",)
_MDO = ("microsoftDefenderForOffice365",)
_MDC = ("microsoftDefenderForCloud",)
_XDR = ("microsoft365Defender", "microsoftThreatIntelligence")
_SENTINEL = ("microsoftSentinel",)
_DATA = ("dataLossPrevention", "microsoftInsiderRiskManagement")


def _class(
    name: str,
    label: str,
    window_min: int,
    ties: str,
    *members: tuple[tuple[str, ...], tuple[str, ...]],
    same_place: bool = False,
) -> OverlapClass:
    groups = tuple(Detections(sources, names) for sources, names in members)
    return OverlapClass(name, label, window_min, tuple(ties.split()), groups, same_place)


_ALL = (
    _class(
        "odd_sign_in", "Odd sign-in", 120, "user",
        (_IDP, (
            "Unfamiliar sign-in properties*", "unfamiliarFeatures", "Atypical travel",
            "unlikelyTravel", "Impossible travel*", "impossibleTravel", "New country", "newCountry",
            "Anonymous IP address*", "anonymizedIPAddress", "riskyIPAddress",
            "Malicious IP address*", "maliciousIPAddress", "suspiciousIPAddress",
            "Activity from anonymous IP address*",
            "Microsoft Entra threat intelligence*", "investigationsThreatIntelligence",
            "Verified threat actor IP", "suspiciousBrowser", "Suspicious browser",
        )),
        (_MDCA, (
            "Impossible travel*", "Activity from infrequent country*",
            "Activity from * IP address*", "Activity performed by terminated user*",
            "Risky sign-in*", "Unusual ISP*", "Suspicious sign-in*",
            "Log on from a risky IP address", "Activity from Tor*",
        )),
        (_SENTINEL, (
            "Suspicious sign-in*", "Sign-in from *", "Sign-ins from *", "Anomalous sign-in*",
            "Unfamiliar sign-in*", "Successful logon from *", "Risky sign-in*",
            "unfamiliarFeatures", "unlikelyTravel", "anonymizedIPAddress", "Impossible travel*",
        )),
        (_XDR, ("Risky sign-in*", "Suspicious sign-in*", "Sign-in from *")),
        same_place=True,
    ),
    _class(
        "stolen_token", "Stolen session or token", 120, "user",
        (_IDP, (
            "Anomalous Token*", "anomalousToken", "Token issuer anomaly", "tokenIssuerAnomaly",
            "Attacker in the Middle", "attackerinTheMiddle",
            "Possible attempt to access Primary Refresh Token*", "attemptedPRTAccess",
        )),
        (_MDCA, ("*stolen session*", "*session cookie*", "Anomalous token*")),
        (_XDR, ("*stolen session*", "*session cookie*", "*AiTM *", "*adversary-in-the-middle*")),
        (_SENTINEL, ("*stolen session*", "*session cookie*", "anomalousToken", "*AiTM *")),
        (_MDE, ("*primary refresh token*", "*stolen session*")),
        same_place=True,
    ),
    _class(
        "password_guessing", "Guessed passwords", 180, "user",
        (_IDP, ("Password spray", "passwordSpray")),
        (_MDCA, ("Multiple failed login attempts*", "*password spray*", "*brute force*")),
        (_SENTINEL, ("*password spray*", "*brute force*", "Multiple failed *")),
        (_XDR, ("*password spray*",)),
        (_MDI, ("*password spray*",)),
        same_place=True,
    ),
    _class(
        "ad_brute_force", "Brute force in Active Directory", 120, "user device",
        (_MDI, ("Suspected brute-force attack*", "Suspected brute force attack*")),
        (_MDE, ("*brute force*", "*brute-force*")),
        (_SENTINEL, ("*brute force*", "*brute-force*", "Multiple failed *")),
        (_MDC, ("*brute force*",)),
    ),
    _class(
        "leaked_credentials", "Leaked credentials", 1440, "user",
        (_IDP, ("Leaked credentials", "leakedCredentials")),
        (_MDCA, ("Leaked credentials*",)),
        (_MDI, ("Leaked credentials*",)),
        (_SENTINEL, ("Leaked credentials*", "leakedCredentials")),
        (_XDR, ("Leaked credentials*",)),
    ),
    _class(
        "mailbox_rule", "Rules that hide or forward mail", 120, "user mailbox",
        (_MDCA, (
            "Suspicious inbox manipulation rule*", "Suspicious inbox forwarding*",
            "Suspicious email deletion activity*",
        )),
        (_MDO, (
            "Creation of forwarding/redirect rule*", "Suspicious email forwarding activity*",
            "Suspicious inbox rule*",
        )),
        (_IDP, (
            "Suspicious inbox manipulation rules", "mcasSuspiciousInboxManipulationRules",
            "Suspicious inbox forwarding", "suspiciousInboxForwarding",
        )),
        (_SENTINEL, ("*inbox rule*", "*inbox manipulation*", "*mail forwarding*")),
        (_XDR, ("*inbox rule*", "*inbox manipulation*")),
    ),
    _class(
        "malicious_click", "Click on a malicious link", 60, "user",
        (_MDO, ("A potentially malicious URL click*", "A user clicked through *", "*URL click*")),
        (_MDE, (
            "Connection to a phishing site*", "*blocked by SmartScreen*", "*phishing page*",
            "*malicious URL*",
        )),
        (_SENTINEL, ("*URL click*", "*malicious URL*", "*phishing link*")),
        (_XDR, ("*clicked *", "*phishing link*")),
    ),
    _class(
        "phishing_mail", "Phishing mail", 240, "mail user mailbox",
        (_MDO, (
            "Email messages containing *", "Email reported by user *", "Phish delivered *",
            "Messages have been delayed*",
        )),
        (_SENTINEL, ("*phishing mail*", "*phishing email*", "*phish delivered*")),
        (_XDR, ("*phishing mail*", "*phishing email*")),
    ),
    _class(
        "oauth_app", "Consent to a suspicious app", 240, "oauth_app service_principal user",
        (_MDCA, (
            "Suspicious OAuth app*", "Malicious OAuth app consent*", "Misleading OAuth app*",
            "Misleading publisher name*", "Unusual * OAuth app*", "*OAuth app*",
        )),
        (_SENTINEL, ("*OAuth *consent*", "Suspicious application consent*", "Consent to *")),
        (_IDP, ("Suspicious application", "Malicious application", "suspiciousAPITraffic")),
        (_XDR, ("*OAuth app*", "*malicious application*")),
    ),
    _class(
        "mass_download", "Many files taken at once", 240, "user",
        (_MDCA, ("Mass download*", "Unusual file download*", "Multiple file downloads*")),
        (_DATA, ("*data leak*", "Data theft*", "*mass download*")),
        (_SENTINEL, ("*mass download*", "Mass cloud resource *", "Unusual * download*")),
        (_XDR, ("*mass download*",)),
    ),
    _class(
        "credential_dump", "Credentials read from memory", 60, "device",
        (_MDE, (
            "Sensitive credential memory read*", "Mimikatz*", "*lsass*", "*credential dump*",
            "*credential theft tool*",
        )),
        (_MDI, ("*lsass*", "*credential dump*", "Malicious request of Data Protection API*")),
        (_MDC, ("*lsass*", "*credential dump*", "*Mimikatz*")),
        (_SENTINEL, ("*lsass*", "*credential dump*", "*Mimikatz*")),
        (_XDR, ("*credential dump*", "*Mimikatz*", "*lsass*")),
    ),
    _class(
        "dcsync", "Replication of the directory", 60, "user device",
        (_MDI, ("Suspected DCSync attack*",)),
        (_MDE, ("*DCSync*",)),
        (_SENTINEL, ("*DCSync*", "Non Domain Controller Active Directory Replication*")),
        (_XDR, ("*DCSync*",)),
    ),
    _class(
        "kerberos", "Kerberos tickets forged or asked for", 120, "user device",
        (_MDI, (
            "Suspected Golden Ticket*", "Suspected Kerberos*", "*Kerberoasting*",
            "*AS-REP Roasting*", "Suspected identity theft*", "*overpass-the-hash*",
        )),
        (_MDE, ("*Kerberoast*", "*Golden Ticket*", "*pass-the-ticket*", "*Rubeus*")),
        (_SENTINEL, ("*Kerberoast*", "*Golden Ticket*", "*pass-the-ticket*")),
        (_XDR, ("*Kerberoast*", "*Golden Ticket*")),
    ),
    _class(
        "directory_recon", "Reconnaissance of the directory", 120, "user device",
        (_MDI, ("*reconnaissance*", "*enumeration*")),
        (_MDE, ("*reconnaissance*", "*enumeration*", "*BloodHound*", "*SharpHound*")),
        (_SENTINEL, ("*reconnaissance*", "*enumeration*", "*BloodHound*")),
    ),
    _class(
        "privileged_group", "Somebody was made privileged", 120, "user",
        (_MDI, ("Suspicious additions to sensitive groups*",)),
        (_SENTINEL, ("*added to * group*", "*privileged role*", "*built in admins*")),
        (_MDCA, ("*administrative activity*", "*privileged role*")),
        (_IDP, ("*privileged role*",)),
    ),
    _class(
        "ransomware", "Ransomware", 60, "device user",
        (_MDE, ("*ransomware*", "Shadow copies deletion*")),
        (_MDC, ("*ransomware*",)),
        (_MDCA, ("Ransomware activity*",)),
        (_SENTINEL, ("*ransomware*",)),
        (_XDR, ("*ransomware*",)),
    ),
    _class(
        "crypto_mining", "Mining of digital coins", 240, "device cloud_resource",
        (_MDC, ("*currency mining*", "*coin miner*", "*crypto*mining*")),
        (_MDE, ("*coin miner*", "*coinminer*", "*crypto*mining*", "*currency mining*")),
        (_SENTINEL, ("*coin miner*", "*crypto*mining*", "*currency mining*")),
    ),
    _class(
        "bad_connection", "Connection to a known bad address", 60, "device",
        (_MDE, (
            "Connection to a custom network indicator*", "*command and control*", "*C2 server*",
            "Network connection to *",
        )),
        (_XDR, ("Traffic to a nation-state*", "*nation-state*", "*command and control*")),
        (_MDC, ("*command and control*", "Communication with suspicious *")),
        (_SENTINEL, ("*command and control*", "TI map *", "*C2 server*")),
    ),
    _class(
        "malware", "Malware on a machine", 60, "device",
        (_MDE, ("*malware was *", "*malware detected*", "* was prevented", "* was detected")),
        (_MDC, ("*malware*",)),
        (_SENTINEL, ("*malware*",)),
    ),
    _class(
        "port_brute_force", "Brute force at an open port", 120, "cloud_resource device",
        (_MDC, ("*SSH brute force*", "*RDP brute force*", "*brute force attack*")),
        (_MDE, ("*brute force*", "*brute-force*")),
        (_SENTINEL, ("*brute force*", "*brute-force*")),
    ),
)  # fmt: skip

DEFAULTS: dict[str, OverlapClass] = {kind.name: kind for kind in _ALL}
