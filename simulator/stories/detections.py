"""The detections that stories use: product, title, category, techniques, texts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """A provider as alerts_v2 names it. `latency_min`: from the activity to the alert."""

    service_source: str
    detection_source: str
    name: str
    prefix: str
    latency_min: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Detection:
    product: Product
    title: str  # may hold {host}, {user}, {app}, {extra}
    severity: str
    category: str
    techniques: tuple[str, ...]
    description: str
    source: str = ""  # detectionSource where it is not the product's own
    actor: str | None = None
    threat: str | None = None
    family: str | None = None


MDE = Product(
    "microsoftDefenderForEndpoint",
    "microsoftDefenderForEndpoint",
    "Microsoft Defender for Endpoint",
    "da",
    (2, 8),
)
MDI = Product(
    "microsoftDefenderForIdentity",
    "microsoftDefenderForIdentity",
    "Microsoft Defender for Identity",
    "aa",
    (3, 12),
)
MDO = Product(
    "microsoftDefenderForOffice365",
    "microsoftDefenderForOffice365",
    "Microsoft Defender for Office 365",
    "fa",
    (3, 20),
)
MDCA = Product(
    "microsoftDefenderForCloudApps",
    "cloudAppSecurity",
    "Microsoft Defender for Cloud Apps",
    "ca",
    (8, 35),
)
IDP = Product(
    "azureAdIdentityProtection",
    "azureAdIdentityProtection",
    "AAD Identity Protection",
    "ad",
    (1, 6),
)
MDC = Product(
    "microsoftDefenderForCloud",
    "microsoftDefenderForServers",
    "Microsoft Defender for Cloud",
    "dc",
    (4, 15),
)
SENTINEL = Product("microsoftSentinel", "scheduledAlerts", "Microsoft Sentinel", "sn", (5, 15))
DLP = Product(
    "dataLossPrevention",
    "microsoftDataLossPrevention",
    "Microsoft Data Loss Prevention",
    "dl",
    (2, 10),
)
XDR = Product(
    "microsoft365Defender", "microsoft365Defender", "Microsoft Defender XDR", "ra", (5, 15)
)
GOVERNANCE = Product(
    "microsoftAppGovernance", "appGovernanceDetection", "Microsoft App Governance", "ma", (10, 30)
)
IRM = Product(
    "microsoftInsiderRiskManagement",
    "microsoftInsiderRiskManagement",
    "Microsoft Purview Insider Risk Management",
    "ir",
    (20, 60),
)
TI = Product(
    "microsoftThreatIntelligence",
    "microsoftThreatIntelligence",
    "Microsoft Threat Intelligence",
    "ti",
    (5, 20),
)
AI = Product(
    "microsoftSecurityForAI",
    "microsoftDefenderForAIServices",
    "Microsoft Security for AI",
    "ai",
    (3, 10),
)

STEPS = (
    "1. Validate the alert: look at the timeline of the user and the device.\n"
    "2. Scope the incident: find related entities.\n\t•\tReview sign-ins and mailbox changes.\n"
    "3. Contain: reset credentials, revoke sessions, isolate devices where needed."
)

DETECTIONS: dict[str, Detection] = {
    "password_spray": Detection(IDP, "Password spray", "high", "CredentialAccess", ("T1110.003",), "Multiple usernames are attacked with common passwords in a unified brute-force manner; one attempt was successful."),
    "unfamiliar": Detection(IDP, "Unfamiliar sign-in properties", "medium", "InitialAccess", ("T1078", "T1078.004"), "The following properties of this sign-in are unfamiliar for the given user: ASN, Browser, Device, IP, Location, EASId, TenantIPsubnet"),
    "atypical_travel": Detection(IDP, "Atypical travel", "medium", "InitialAccess", ("T1078.004",), "Sign-in from an atypical location based on the user's recent sign-ins."),
    "anonymous_ip": Detection(IDP, "Anonymous IP address", "medium", "InitialAccess", ("T1078", "T1090"), "Sign-in from an anonymous IP address (e.g. Tor browser, anonymizer VPNs)"),
    "leaked": Detection(IDP, "Leaked credentials", "high", "CredentialAccess", ("T1589.001",), "This risk event type indicates that the user's valid credentials have been leaked."),
    "anomalous_token": Detection(IDP, "Anomalous Token", "medium", "DefenseEvasion", ("T1550.001",), "There are abnormal characteristics in the token such as token lifetime and played from unfamiliar location."),
    "impossible_travel": Detection(MDCA, "Impossible travel activity", "medium", "InitialAccess", ("T1078",), "The user {user} was involved in an impossible travel incident. The user performed failed and successful sign-ins from two countries within minutes."),
    "infrequent_country": Detection(MDCA, "Activity from infrequent country", "medium", "DefenseEvasion", ("T1078",), "The user {user} performed an activity. No activity was performed in this country in the past 180 days."),
    "inbox_rule": Detection(MDCA, "Suspicious inbox manipulation rule", "high", "Persistence", ("T1564.008", "T1137.005"), "A suspicious inbox rule was set on the inbox of {user}. This may indicate that the account is compromised, and that the mailbox is being used to hide messages."),
    "inbox_forwarding": Detection(MDO, "Creation of forwarding/redirect rule", "informational", "Exfiltration", ("T1114.003",), "MailRedirect. This alert is triggered when someone gets access to read another user's email."),
    "mass_download": Detection(MDCA, "Mass download", "medium", "Exfiltration", ("T1530", "T1567"), "The user {user} downloaded 1,204 unique files over a short period of time."),
    "ransomware_activity": Detection(MDCA, "Ransomware activity", "high", "Impact", ("T1486",), "The user {user} manipulated multiple files in a way that suggests ransomware."),
    "unusual_deletion": Detection(MDCA, "Unusual file deletion activity (by user)", "medium", "Impact", ("T1485",), "{user} deleted an unusual number of unique files."),
    "brute_force_ad": Detection(MDI, "Suspected brute-force attack (Kerberos, NTLM)", "medium", "CredentialAccess", ("T1110", "T1110.001"), "An actor on {host} generated a suspicious number of failed authentication attempts on several accounts."),
    "dcsync": Detection(MDI, "Suspected DCSync attack (replication of directory services)", "high", "CredentialAccess", ("T1003.006",), "{user} on {host} sent 1 replication request to DC01."),
    "golden_ticket": Detection(MDI, "Suspected Golden Ticket usage (nonexistent account)", "high", "Persistence", ("T1558.001",), "Kerberos tickets of a nonexistent account were used on {host}."),
    "recon_ldap": Detection(MDI, "Security principal reconnaissance (LDAP)", "medium", "Discovery", ("T1087.002",), "An actor on {host} sent suspicious LDAP queries to DC01."),
    "sensitive_group": Detection(MDI, "Suspicious additions to sensitive groups", "medium", "Persistence", ("T1098",), "{user} added 1 member to the group Domain Admins."),
    "kerberoast": Detection(MDI, "Suspected Kerberos SPN exposure", "high", "CredentialAccess", ("T1558.003",), "An actor on {host} requested tickets for several service accounts."),
    "mimikatz": Detection(MDE, "Mimikatz credential theft tool", "high", "CredentialAccess", ("T1003.001",), "The Mimikatz hacktool was detected on this device.", "antivirus", family="Mimikatz", threat="HackTool:Win32/Mimikatz!pz"),
    "encoded_powershell": Detection(MDE, "Suspicious PowerShell command line on {host}", "medium", "Execution", ("T1059.001", "T1027"), "A suspicious PowerShell activity was observed on the machine."),
    "lsass_dump": Detection(MDE, "Sensitive credential memory read", "high", "CredentialAccess", ("T1003.001",), "A process accessed the memory of lsass.exe on {host}."),
    "ransomware": Detection(MDE, "Ransomware behavior detected in the file system", "high", "Ransomware", ("T1486",), "Files were renamed with an uncommon extension on {host}.", family="Akira", threat="Ransom:Win64/Akira"),
    "shadow_copies": Detection(MDE, "Shadow copies deletion", "high", "Impact", ("T1490",), "An attacker may delete shadow copies to keep the victim from recovering files."),
    "wmi_consumer": Detection(MDE, "A WMI event filter was bound to a suspicious event consumer", "medium", "Persistence", ("T1546.003",), "An event consumer represents the action to take upon the firing of an event."),
    "hidden_file": Detection(MDE, "Suspicious execution of hidden file", "low", "DefenseEvasion", ("T1564.001",), "A hidden file has been launched. This activity could indicate a compromised host."),
    "malware_prevented": Detection(MDE, "'{extra}' malware was prevented", "informational", "Malware", (), "Malware and unwanted software are undesirable applications that perform annoying, disruptive, or harmful actions.", "antivirus"),
    "pua": Detection(MDE, "'{extra}' unwanted software was detected on {host}", "low", "UnwantedSoftware", (), "Potentially unwanted applications can be a nuisance.", "antivirus"),
    "c2": Detection(MDE, "Connection to a custom network indicator", "high", "CommandAndControl", ("T1071.001",), "An endpoint has connected to a URL or domain in your list of custom indicators.", "customTi"),
    "smartscreen": Detection(MDE, "Connection to a phishing site blocked by SmartScreen", "low", "InitialAccess", ("T1566.002",), "The user was kept from opening a known phishing page.", "smartScreen"),
    "office_child": Detection(MDE, "Suspicious behavior by Microsoft Word was observed", "medium", "Execution", ("T1566.001", "T1204.002"), "Microsoft Word started a process that it rarely starts."),
    "url_click": Detection(MDO, "A potentially malicious URL click was detected", "high", "InitialAccess", ("T1566.002",), "We have detected that one of your users has recently clicked on a link that was found to be malicious."),
    "phish_delivered": Detection(MDO, "Email messages containing malicious URL removed after delivery", "informational", "InitialAccess", ("T1566.002",), "Emails with malicious URL that were delivered and later removed."),
    "user_reported": Detection(MDO, "Email reported by user as malware or phish", "low", "InitialAccess", ("T1566",), "This alert fires when any email message is reported as malware or phish by users."),
    "teams_phish": Detection(MDO, "Teams message containing a malicious URL was delivered", "high", "InitialAccess", ("T1566.003",), "A user was sent a malicious link in a chat from outside."),
    "oauth_consent": Detection(GOVERNANCE, "Suspicious OAuth app with Graph calls to read e-mail: {app}", "high", "Collection", ("T1528", "T1114.002"), "The app {app} was consented to by {user} and read an unusual number of mails."),
    "app_credential": Detection(SENTINEL, "New access credential added to Application or Service Principal", "medium", "Persistence", ("T1098.001",), "An admin or app owner account added a credential to an app that already had one."),
    "sentinel_signin": Detection(SENTINEL, "Suspicious sign-in activity involving one user", "medium", "InitialAccess", ("T1078",), "Multiple failed sign-in attempts followed by a successful sign-in from an unusual location."),
    "sentinel_mfa": Detection(SENTINEL, "Authentication method changed after risky sign-in involving one user", "high", "Persistence", ("T1556.006",), "A new authentication method was registered shortly after a risky sign-in.", "nrtAlerts"),
    "ssh_brute_force": Detection(MDC, "Failed SSH brute force attack", "medium", "CredentialAccess", ("T1110",), "Failed brute force attacks were detected from the following attackers."),
    "crypto_miner": Detection(MDC, "Digital currency mining related behavior detected", "high", "Execution", ("T1496",), "Analysis of host data on {host} detected the execution of a process normally associated with digital currency mining."),
    "storage_anonymous": Detection(MDC, "Unauthenticated access to a storage blob container", "medium", "Collection", ("T1530",), "This storage account was accessed without authentication, which is a change in the common access pattern.", "microsoftDefenderForStorage"),
    "sas_abuse": Detection(MDC, "Unusual SAS token was used to access an Azure storage account from a public IP address", "low", "Exfiltration", ("T1078", "T1530"), "An overly permissive SAS token was used.", "microsoftDefenderForStorage"),
    "privileged_container": Detection(MDC, "Privileged container detected", "medium", "PrivilegeEscalation", ("T1610",), "A privileged container was started in the cluster.", "microsoftDefenderForContainers"),
    "k8s_secret": Detection(MDC, "Suspicious access to Kubernetes secret", "high", "CredentialAccess", ("T1552.007",), "A workload read a secret that it never read before.", "microsoftDefenderForContainers"),
    "keyvault_access": Detection(MDC, "Access from a suspicious IP address to a key vault", "medium", "CredentialAccess", ("T1555",), "A key vault was accessed by an address known for attacks.", "microsoftDefenderForKeyVault"),
    "sql_injection": Detection(MDC, "Potential SQL injection", "high", "InitialAccess", ("T1190",), "An application generated a faulty SQL statement: ' OR 1=1; --", "microsoftDefenderForDatabases"),
    "plc_stop": Detection(MDC, "PLC stop command sent", "high", "Impact", ("T0816",), "The source device sent a stop command to a destination controller.", "microsoftDefenderForIoT"),
    "dns_tunnel": Detection(MDC, "Network intrusion detection signature activation", "medium", "Exfiltration", ("T1048",), "Possible data exfiltration by DNS tunnel.", "microsoftDefenderForDNS"),
    "aws_login": Detection(SENTINEL, "Unusual AWS console activity", "medium", "Persistence", ("T1078.004",), "An instance role was used from outside of the cloud.", "builtInMl"),
    "gcp_key": Detection(MDC, "Service account key used from unusual location", "medium", "InitialAccess", ("T1078.004",), "A service account key was used from a new place.", "microsoftDefenderForServers"),
    "dlp_card": Detection(DLP, "DLP policy match for document '{extra}' in OneDrive", "medium", "Exfiltration", ("T1567.002",), "A document with credit card numbers was shared outside of the organisation."),
    "dlp_mail": Detection(DLP, "DLP policy match for email with subject '{extra}'", "low", "Exfiltration", ("T1048",), "A mail with bank account numbers was sent to an outside recipient."),
    "irm_leaver": Detection(IRM, "Data theft by departing user", "medium", "Exfiltration", ("T1052",), "A leaving employee copied many files to a private place."),
    "ti_match": Detection(TI, "Traffic to a nation-state controlled address", "high", "CommandAndControl", ("T1071",), "An address of a known actor was contacted.", actor="Midnight Blizzard"),
    "ai_jailbreak": Detection(AI, "A jailbreak attempt on your AI agent was blocked by Prompt Shields", "medium", "DefenseEvasion", ("T1562",), "A user tried to make the agent ignore its instructions."),
    "github_secret": Detection(SENTINEL, "Secret exposed in a public GitHub repository", "high", "CredentialAccess", ("T1552.001",), "A push made a credential public.", "nrtAlerts"),
    "disruption": Detection(XDR, "Possible human-operated malicious activity on {host}", "high", "SuspiciousActivity", ("T1570",), "Behaviour seen on {host} looks like hands on keyboard."),
    "custom": Detection(MDE, "{extra}", "medium", "SuspiciousActivity", ("T1204",), "A custom detection rule matched.", "customDetection"),
}  # fmt: skip
