"""Identity keys that take more than one field of a document."""

from collections.abc import Callable, Mapping

from tenants.canonical import (
    canonical_account,
    canonical_address,
    canonical_arm,
    canonical_hash,
    canonical_host,
    canonical_id,
    canonical_ip,
    canonical_name,
    canonical_path,
)
from tenants.documents import objects, raw, text

Document = Mapping[str, object]
_HOST_FIELDS = ("deviceDnsName", "fqdn", "hostName", "deviceName", "netBiosName")
_HASHES = ("sha256", "sha1", "md5")


def account_keys(document: Document) -> list[str]:
    """DOMAIN\\user if both are known, else the bare account name."""
    account = text(document.get("accountName")).replace("/", "\\")
    domain = text(document.get("domainName"))
    if "\\" not in account and "@" not in account and account and domain:
        account = f"{domain}\\{account}"
    if "@" in account:
        return [f"upn:{canonical_address(account)}"]
    key = canonical_account(account)
    return [] if not key else [f"ad:{key}" if "\\" in key else f"account:{key}"]


def device_keys(document: Document) -> list[str]:
    """The full DNS name if it is known, else the host name."""
    short = ""
    for field in _HOST_FIELDS:
        if host := canonical_host(raw(document.get(field))):
            if "." in host and not canonical_ip(host):
                return [f"dns:{host}"]
            short = short or host
    domain = canonical_host(raw(document.get("dnsDomain")))
    if short and "." in domain:
        return [f"dns:{short}.{domain}"]
    return [f"host:{short}"] if short else []


def process_keys(document: Document) -> list[str]:
    parts = (document.get("mdeDeviceId"), document.get("processId"))
    started = text(document.get("processCreationDateTime") or document.get("createdDateTime"))
    found = [canonical_id(raw(part)) for part in parts]
    return [f"process:{found[0]}|{found[1]}|{started}"] if found[1] else []


def file_keys(document: Document) -> list[str]:
    """Path and name together, only used when no hash is known."""
    if any(text(document.get(kind)) for kind in ("sha256", "sha1", "md5", "sha256Ac")):
        return []
    keys = []
    for digest in objects(document.get("fileHash")) + objects(document.get("fileHashes")):
        kind = text(digest.get("hashType") or digest.get("algorithm")).casefold()
        value = canonical_hash(raw(digest.get("hashValue") or digest.get("value")))
        if kind in _HASHES and value:
            keys.append(f"{kind}:{value}")
    folder = text(document.get("filePath") or document.get("path"))
    name = text(document.get("fileName") or document.get("name"))
    if folder and name and not folder.casefold().endswith(name.casefold()):
        folder = f"{folder}{'/' if folder.startswith('/') else chr(92)}{name}"
    path = canonical_path(folder or name)
    return keys or ([f"path:{path}"] if path else [])


def hash_keys(document: Document) -> list[str]:
    kind = text(document.get("algorithm")).casefold()
    value = canonical_hash(raw(document.get("value")))
    return [f"{kind if kind in _HASHES else 'hash'}:{value}"] if value else []


def registry_keys(document: Document) -> list[str]:
    hive = text(document.get("registryHive") or document.get("hive"))
    key = text(document.get("registryKey") or document.get("key"))
    path = canonical_path(f"{hive}\\{key}") if key else ""
    value = text(document.get("registryValueName") or document.get("valueName")).casefold()
    return [f"registry:{path}" + (f"\\{value}" if value else "")] if path else []


def rule_keys(document: Document) -> list[str]:
    mailbox = canonical_address(raw(document.get("mailboxPrimaryAddress")))
    rule = canonical_id(raw(document.get("configurationId")))
    return [f"rule:{mailbox}|{rule}"] if rule else []


def amazon_keys(document: Document) -> list[str]:
    account = canonical_id(raw(document.get("amazonAccountId")))
    resource = canonical_id(raw(document.get("amazonResourceId")))
    return [f"aws:{account}/{resource}"] if resource else []


def resource_keys(document: Document) -> list[str]:
    resource = text(document.get("resource"))
    if resource.casefold().lstrip("/").startswith("subscriptions/"):
        return [f"arm:{canonical_arm(resource)}"]
    return [f"resource:{name}"] if (name := canonical_name(resource)) else []


def _address_of(value: object) -> str:
    for found in objects(value):
        return canonical_ip(raw(found.get("ipAddress")))
    return canonical_ip(raw(value))


def connection_keys(document: Document) -> list[str]:
    source, target = (
        _address_of(document.get(f"{end}Address")) for end in ("source", "destination")
    )
    ports = [text(document.get(f"{end}Port")) for end in ("source", "destination")]
    protocol = text(document.get("protocol")).casefold()[:20]
    if not (source or target):
        return []
    return [f"connection:{protocol}|{source}|{ports[0]}|{target}|{ports[1]}"]


def _name_in(value: object) -> str:
    for found in objects(value):
        return canonical_name(raw(found.get("name")))
    return ""


def kubernetes_keys(sort: str) -> Callable[[Document], list[str]]:
    def compose(document: Document) -> list[str]:
        name = canonical_name(raw(document.get("name")))
        space = objects(document.get("namespace"))
        cluster = _name_in(space[0].get("cluster")) if space else _name_in(document.get("cluster"))
        return [f"k8s:{cluster}/{_name_in(space)}/{sort}/{name}"] if name else []

    return compose
