"""Words and values that may stay in stored text although some evidence holds them too.

`WORDS` are the words that titles of security alerts are made of, in lower case, without given
names and surnames as far as possible. `PRODUCTS` stay even as a whole name ("Microsoft Teams").
`VALUES` are values of Microsoft's own that are stored as they are.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PRODUCTS = _words("""
    365 aad active amazon android apps aws azure chrome cloud copilot corporation defender
    directory docker dynamics edge endpoint entra exchange firefox for gcp github google
    identity intune ios kubernetes linux m365 macos microsoft o365 office onedrive online
    outlook platform power protection purview sentinel server sharepoint teams windows windows10
    windows11 xdr
""")

WORDS = PRODUCTS | _words("""
    a abnormal about abuse access accessed account accounts across action actions activities
    activity actor add added addition address addresses admin administration administrative
    administrator administrators after agent ai alert alerts all allowed alternate amount an and
    anomalous anomaly anonymizer anonymous another antimalware antivirus anydesk api apis app
    application applications are arp as asn asr assigned assignment assignments associated at
    attack attacker attacks attempt attempted attempts attribute audit authenticate
    authenticated authentication authorization auto automated autorun backdoor backup based bash
    bat beacon beaconing been before behavior behaviour being benign between binding bit
    bitsadmin blob blocked bloodhound bot botnet bound browser brute bruteforce bucket bulk
    burst business by bypass c2 call calls campaign cancelled card case certificate certutil
    change changed changes channel chat clear cleared clicked client closed cluster cmd cobalt
    code coin collection com command commands common communication compliance compliant
    compromise compromised computer computers conditional config configuration configured
    connect connected connecting connection connections consent consented consumer contact
    contained container containers content control controlled controller could countries country
    created creation credential credentialaccess credentials credit critical cron crypto
    cryptocurrency cryptominer cscript curl currency custom customer daemonset dark darkweb
    dashboard data database dcsync default defense delegated delegation delete deleted deletion
    delivered delivery denial denied deployed deployment destination detected detection
    determined device devices digital disable disabled discovered discovery disk distributed dll
    dlp dns document documents docx domain domains dormant double download downloaded dump
    dumped dumping edr eicar elevate elevated elevation email emails emotet enabled encoded
    encrypted encryption endpoints engine enrolled enrollment enumerated enumeration environment
    error escalation evasion event events excessive exe execute executed execution exfiltrate
    exfiltration explicit exploit exploitation explorer exposed extension external extraction
    failed failure failures false federated federation file files filter filters firewall first
    flow folder following force forest forged forward forwarding fraud frequency from ftp
    function gateway generated generic geo global golden granted grants group groups guest
    hacktool has hash hashes have hidden high hijack hijacking honeytoken host hosted hosting
    hosts hour htm html http https hunting identified illicit image impacket impact
    impersonation impossible in inactive inbound inbox incident incidents increase increased
    indicator indicators infected info information infrastructure ingress initial injected
    injection insider install installation installed installutil instance integrity intelligence
    internal internet into investigated investigation invitation invited involving ioc ip ips is
    iso isp issue issued item items its jailbroken jar job joined js junk kdc kekeo
    kerberoasting kerberos key keylogger keys keyvault known krbtgt label labels large lateral
    ldap leak leaked legacy level library license like link links list lnk loaded local
    localhost location locations locked log logged login logins logon logons logs loss low
    lsadump lsass machine machines macro mail mailbox mailboxes mails malicious malware managed
    management manager manipulated manipulation many mass match matched matches medium meeting
    member membership memory message messages metadata metasploit meterpreter method mfa
    mimikatz miner mining misuse mobile modification modified module monitoring mount mounted
    moved movement msbuild mshta msi multi multiple name named namespace net netsh network new
    ngrok no node nodes noncompliant none not novel nsg ntds ntlm null number oauth obfuscated
    object observed of off oidc older on one only open opened operation operations or org
    organization other otp out outbound over overpass owner package page pass password passwords
    path pattern payload pdf per permission permissions persistence phish phishing php pivot pod
    poisoning policies policy port portal ports possible post potential potentially
    potentiallyunwanted powershell preauthentication presence prevented primary principal
    principals privilege privileged privileges probable probing procdump process processes
    product program proxy ps1 psexec public pull purge push pwsh quarantined query ransom
    ransomware rare rbac rclone rdp reactivated read recon reconnaissance record records
    recovered redirect redirected region registered registration registry regsvr32 related relay
    remediated remote removal removed replication report reported reports repository request
    requests reset resolved resource resources response restore result retention reuse reverse
    risk risky role roles root rootkit ropc rubeus rule rules run rundll32 running sam same saml
    sample scan scanned scanning scheduled schema schtasks score script scripts secret secrets
    secretsdump security sensitive sent servers service services session sessions set setting
    settings several severity share shared sharing sharphound shell should sid sign signature
    signed signin signins signup silver sinkhole site sites skeleton smb smbexec snapshot soc
    software source spam spawned spearphishing specific spike spoof spoofed spoofing spray
    spraying spread sql ssh ssl stage staged stale started state status stolen storage stored
    stream strike subdomain subscription successful successfully sudo suspected suspended
    suspicious svc svchost sweep sync system systems tactic tag takeover task tasks teamviewer
    technique tenant test than that the theft their then this thread threat threats through
    ticket time tip title tls tmp to token tokens tool tools tor traffic training transfer
    traveler trojan true trust trusted tunnel tunneling two type types typical unauthorized
    uncommon unfamiliar unknown unmanaged unsanctioned untrusted unusual unusually unwanted
    update updated upload uploaded uploads url urls usage usb use used user users using value
    vault vbs verified via victim video violation virtual virus vm vms volume vpn vulnerability
    vulnerable was weak web web3 webhook webshell were wget when where which while winrm with
    within without wmi wmic worm write written wscript www www2 xlsx xss yes zap zero zip zone
""")

_SOURCES = """
    unknown microsoftDefenderForEndpoint microsoftDefenderForIdentity
    microsoftDefenderForCloudApps microsoftDefenderForOffice365 microsoft365Defender
    azureAdIdentityProtection microsoftAppGovernance dataLossPrevention unknownFutureValue
    microsoftDefenderForCloud microsoftSentinel microsoftInsiderRiskManagement
    microsoftThreatIntelligence microsoftSecurityForAI antivirus smartScreen customTi
    automatedInvestigation microsoftThreatExperts customDetection cloudAppSecurity manual
    microsoftDataLossPrevention appGovernancePolicy appGovernanceDetection microsoftDefenderForIoT
    microsoftDefenderForServers microsoftDefenderForStorage microsoftDefenderForDNS
    microsoftDefenderForDatabases microsoftDefenderForContainers microsoftDefenderForNetwork
    microsoftDefenderForAppService microsoftDefenderForKeyVault
    microsoftDefenderForResourceManager microsoftDefenderForApiManagement nrtAlerts
    scheduledAlerts microsoftDefenderThreatIntelligenceAnalytics builtInMl
    microsoftDefenderForAIServices securityCopilot
"""
_CATEGORIES = """
    None SuspiciousActivity Malware Ransomware UnwantedSoftware Exploit Phishing InitialAccess
    Execution Persistence PrivilegeEscalation DefenseEvasion CredentialAccess Discovery
    LateralMovement Collection CommandAndControl Exfiltration Impact Reconnaissance
    ResourceDevelopment ThreatManagement DataLossPrevention General MailFlow Others
    WeaponizationDelivery Installation Backdoor Spam CredentialPhishing Virus Trojan Worm
"""
_STATES = """
    new inProgress resolved falsePositive truePositive informationalExpectedActivity apt malware
    securityPersonnel securityTesting unwantedSoftware other multiStagedAttack compromisedAccount
    phishing maliciousUserActivity notMalicious notEnoughDataToValidate confirmedActivity
    lineOfBusinessApplication suspicious malicious noThreatsFound contextual scanned source
    destination created added compromised edited attacked attacker commandAndControl loaded
    policyViolator recipient sender submitter primary
"""
_NAMES = (
    "Microsoft Defender for Endpoint",
    "Microsoft Defender for Identity",
    "Microsoft Defender for Cloud Apps",
    "Microsoft Defender for Office 365",
    "Microsoft Defender for Cloud",
    "Microsoft Defender for IoT",
    "Microsoft Defender XDR",
    "Microsoft 365 Defender",
    "Microsoft Entra ID Protection",
    "Azure AD Identity Protection",
    "Microsoft Entra Identity Protection",
    "Microsoft Sentinel",
    "App Governance",
    "Microsoft App Governance",
    "Microsoft Data Loss Prevention",
    "Microsoft Purview Data Loss Prevention",
    "Microsoft Insider Risk Management",
    "Microsoft Purview Insider Risk Management",
    "Microsoft Threat Intelligence",
    "Microsoft Security for AI",
    "more entities than are read",
    "evidence nested too deep",
    "evidence of unknown type",
)
VALUES = frozenset((*f"{_SOURCES} {_CATEGORIES} {_STATES}".split(), *_NAMES))
