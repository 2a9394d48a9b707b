"""Weaknesses of a directory's devices, and what the public lists say of the same ones."""

import gzip
import hashlib
import json
from datetime import timedelta
from email.utils import format_datetime
from random import Random

from simulator import moments
from simulator.directory import Directory
from simulator.store import Document

# (id, vendor, product, severity, CVSS, CISA lists it: "" no, "yes", "ransomware", EPSS)
KNOWN: tuple[tuple[str, str, str, str, float, str, float], ...] = (
    ("CVE-2025-53770", "microsoft", "sharepoint_server", "Critical", 9.8, "ransomware", 0.897),
    ("CVE-2023-4863", "google", "chrome", "High", 8.8, "yes", 0.936),
    ("CVE-2023-38831", "rarlab", "winrar", "High", 7.8, "yes", 0.934),
    ("CVE-2021-44228", "apache", "log4j", "Critical", 10.0, "ransomware", 0.944),
    ("CVE-2024-4577", "php", "php", "Critical", 9.8, "ransomware", 0.943),
    ("CVE-2020-1472", "microsoft", "windows_server_2019", "Critical", 10.0, "ransomware", 0.944),
    ("CVE-2024-38063", "microsoft", "windows_11", "Critical", 9.8, "", 0.865),
    ("CVE-2024-6387", "openbsd", "openssh", "High", 8.1, "", 0.417),
    ("CVE-2024-3094", "tukaani", "xz", "Critical", 10.0, "", 0.853),
    ("CVE-2024-30085", "microsoft", "windows_10", "High", 7.8, "", 0.712),
    ("CVE-2024-43556", "microsoft", "windows_10", "High", 7.8, "", 0.009),
    ("CVE-2024-9680", "mozilla", "firefox", "Critical", 9.8, "yes", 0.309),
    ("CVE-2023-7024", "google", "chrome", "High", 8.8, "yes", 0.007),
    ("CVE-2019-0608", "microsoft", "internet_explorer", "Medium", 4.3, "", 0.021),
    ("TVM-2020-0002", "oracle", "jre", "Medium", 5.3, "", 0.0),
)
NEWS = (
    ("Ransomware gangs use &lt;b&gt;SharePoint&lt;/b&gt; flaw CVE-2025-53770", 1),
    ("Chrome update closes a hole that is used in attacks", 2),
    ("WinRAR: attackers hide malware in archives (CVE-2023-38831)", 5),
    ("Patch Tuesday: what to install first on Windows 11", 7),
    ("A router botnet grows", 9),
)
KEV_FILE, EPSS_FILE, NEWS_FILE = "known_exploited_vulnerabilities.json", "epss.csv.gz", "news.xml"


def fill_weaknesses(directory: Directory, seed: int) -> None:
    """Most of what is known is somewhere on some devices; some of it nowhere, as at Microsoft."""
    rng = Random(f"weak-{seed}-{directory.slug}")
    for cve, vendor, product, severity, cvss, listed, _ in KNOWN:
        exposed = rng.choice((0, 1, 3, 8, 14)) if listed else rng.choice((0, 2, 6, 21))
        row = weakness(cve, severity, cvss, exposed, bool(listed))
        directory.weaknesses.put(cve, row)
        for number in range(exposed):
            one = device_row(cve, vendor, product, f"{directory.guid}-{number}", severity)
            directory.device_weaknesses.put(one["id"], one)


def weakness(cve: str, severity: str, cvss: float, exposed: int, is_used: bool) -> Document:
    year = cve.split("-")[1]
    return {
        "id": cve,
        "name": cve,
        "description": f"Summary: {cve} lets an attacker run code. " * 6,
        "severity": severity,
        "cvssV3": cvss,
        "cvssVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H",
        "exposedMachines": exposed,
        "publishedOn": f"{year}-10-08T00:00:00Z",
        "updatedOn": f"{year}-12-16T16:20:00Z",
        "publicExploit": is_used,
        "exploitVerified": is_used,
        "exploitInKit": False,
        "exploitTypes": ["Remote"] if is_used else [],
        "exploitUris": [],
        "CveSupportability": "supported",
    }


def device_row(cve: str, vendor: str, product: str, device: str, severity: str) -> Document:
    machine = hashlib.sha1(device.encode(), usedforsecurity=False).hexdigest()
    return {
        "id": f"{machine}-_-{cve}-_-{vendor}-_-{product}-_-1.0-_-",
        "cveId": cve,
        "machineId": machine,
        "fixingKbId": None,
        "productName": product,
        "productVendor": vendor,
        "productVersion": "1.0",
        "severity": severity,
    }


def public_feeds() -> dict[str, tuple[bytes, str]]:
    """File -> (bytes, content type), as their publishers have them."""
    return {
        KEV_FILE: (_kev(), "application/json"),
        EPSS_FILE: (_epss(), "application/gzip"),
        NEWS_FILE: (_news(), "application/rss+xml; charset=utf-8"),
    }


def _kev() -> bytes:
    today = moments.now()
    rows = [
        {
            "cveID": cve,
            "vendorProject": vendor.title(),
            "product": product.replace("_", " ").title(),
            "vulnerabilityName": f"{vendor.title()} {product.replace('_', ' ').title()} flaw",
            "dateAdded": f"{today - timedelta(days=20):%Y-%m-%d}",
            "shortDescription": "It can be used to run code.",
            "requiredAction": "Apply mitigations per vendor instructions.",
            "dueDate": f"{today + timedelta(days=1):%Y-%m-%d}",
            "knownRansomwareCampaignUse": "Known" if listed == "ransomware" else "Unknown",
            "notes": f"https://nvd.nist.gov/vuln/detail/{cve}",
            "cwes": ["CWE-94"],
        }
        for cve, vendor, product, _, _, listed, _ in KNOWN
        if listed
    ]
    catalogue = {
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": f"{today:%Y.%m.%d}",
        "dateReleased": moments.stamp(today),
        "count": len(rows),
        "vulnerabilities": rows,
    }
    return json.dumps(catalogue).encode()


def _epss() -> bytes:
    day = moments.now()
    lines = [f"#model_version:v2025.03.14,score_date:{day:%Y-%m-%d}T12:55:00Z"]
    lines += ["cve,epss,percentile"]
    rows = sorted((cve, epss) for cve, *_, epss in KNOWN if cve.startswith("CVE-"))
    lines += [f"{cve},{epss:.5f},{min(0.99999, 0.3 + epss * 0.7):.5f}" for cve, epss in rows]
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def _news() -> bytes:
    items = "".join(
        f"<item><title>{title}</title><link>/stories/{number}</link>"
        f"<guid isPermaLink='false'>story-{number}</guid>"
        f"<description>What is known, and what to do.</description>"
        f"<pubDate>{format_datetime(moments.now() - timedelta(days=days))}</pubDate></item>"
        for number, (title, days) in enumerate(NEWS)
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>"
        f"<title>Patch news</title><link>https://news.example/</link>{items}</channel></rss>"
    ).encode()
