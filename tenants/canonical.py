"""One spelling for each thing, so that one thing has one pseudonym.

Every function takes text as a source wrote it and returns its canonical form, or "" if nothing
that identifies is left. All are idempotent. `canonical_key` does the same for namespaced keys such
as "upn:Anna@Contoso.com", which is the form in which entities carry their identity.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

_SURROGATES = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_GUID = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
_SID = re.compile(r"S-1-\d{1,15}(?:-\d{1,15}){0,15}")
_MAC = re.compile(r"[0-9a-f]{12}")
_MAC_SEPARATORS = re.compile(r"[\s:.\-]")
_PORT = re.compile(r":\d{1,5}$")
_BARE_HOST = re.compile(r"\\\\[?.]\\")
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\")
_NOTHING = frozenset(
    {"", "-", "null", "none", "n/a", "na", "unknown", "undefined", "0", "(null)", "nan"}
)
_ZERO_GUID = "00000000-0000-0000-0000-000000000000"
# Letters and symbols that show nothing and aren't in Unicode's format category.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f")


def is_invisible(char: str) -> bool:
    """True for zero-width, control and formatting characters, fillers, variation selectors."""
    return (
        (unicodedata.category(char) in ("Cf", "Cc") and not char.isspace())
        or char in _BLANKS
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )


def clean(text: str) -> str:
    """Trim, apply NFKC, drop control and invisible characters, mend lone surrogates."""
    if text.isascii():
        return text.strip() if text.isprintable() else _CONTROL.sub("", text).strip()
    text = unicodedata.normalize("NFKC", _SURROGATES.sub("\ufffd", text))
    kept = (char for char in text if char.isprintable() or not is_invisible(char))
    return _CONTROL.sub("", "".join(kept)).strip()


def _given(text: str) -> str:
    """Cleaned text in lower case, "" for the usual ways to write nothing."""
    text = clean(text).casefold()
    return "" if text in _NOTHING or text == _ZERO_GUID else text


def canonical_id(text: str) -> str:
    """An opaque id: lower case; GUIDs in their usual form; the zero GUID is nothing."""
    text = _given(text)
    if len(text) >= 32 and (match := _GUID.fullmatch(text.strip("{}() "))):
        text = "-".join(match.groups())
    return text if text.strip("0-{}") else ""


def canonical_guid(text: str) -> str:
    """A GUID with or without braces and hyphens; "" for anything else and for the zero GUID."""
    match = _GUID.fullmatch(clean(text).casefold().strip("{}() "))
    guid = "-".join(match.groups()) if match else ""
    return "" if guid == _ZERO_GUID else guid


def canonical_sid(text: str) -> str:
    """A Windows security identifier, in lower case; "" for anything else and the null SID."""
    text = clean(text).upper()
    return text.casefold() if _SID.fullmatch(text) and text != "S-1-0-0" else ""


def _ascii_domain(text: str) -> str:
    """A domain in its ASCII (punycode) form; labels that have none stay as they are."""
    if text.isascii():
        return text
    return ".".join(map(_ascii_label, text.split(".")))


def _ascii_label(label: str) -> str:
    try:
        return label.encode("idna").decode("ascii")
    except UnicodeError:
        return label


def canonical_address(text: str) -> str:
    """A mail address or user principal name: lower case, domain in ASCII, no display part."""
    text = _given(text)
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1].strip()
    text = text.removeprefix("mailto:").removeprefix("smtp:").strip("<>\"' ")
    local, at, domain = text.rpartition("@")
    return f"{local}@{_ascii_domain(domain.rstrip('.'))}" if at else text


def canonical_domain(text: str) -> str:
    """A DNS name: lower case, ASCII, no dot at the end, no wildcard label."""
    text = _given(text).replace("[.]", ".").strip(".").removeprefix("*.")
    return "" if text in _NOTHING else _ascii_domain(text)


def canonical_host(text: str) -> str:
    """A host name as given (short or full): lower case, no `\\\\`, no `$` or dot at the end."""
    text = _given(text)
    if "\\" in text:
        text = _BARE_HOST.sub("", text).lstrip("\\")
    text = text.replace("[.]", ".").rstrip("$. ").lstrip(".").removeprefix("*.")
    if text in _NOTHING or text == "localhost" or "@" in text:
        return ""
    return text if text.isascii() else _ascii_domain(text)


def short_host(text: str) -> str:
    """The first label of a host name; an IP address has none."""
    host = canonical_host(text)
    if host and (host[0].isdigit() or ":" in host) and canonical_ip(host):
        return ""
    return _given(host.partition(".")[0])


def _parsed_ip(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def _without_leading_zeros(text: str) -> str:
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return text
    return ".".join(part.lstrip("0") or "0" for part in parts)


@lru_cache(maxsize=4096)
def canonical_ip(text: str) -> str:
    """An IPv4 or IPv6 address without brackets, port and zone; mapped IPv4 becomes IPv4."""
    text = clean(text).replace("[.]", ".").casefold()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    text = text.partition("%")[0].partition("/")[0]
    return (
        _parsed_ip(text)
        or (text.count(":") == 1 and _parsed_ip(_PORT.sub("", text)))
        or _parsed_ip(_without_leading_zeros(text))
    )


def canonical_arm(text: str) -> str:
    """An Azure resource id: lower case, one slash in front, none at the end."""
    text = _given(text)
    if "://" in text:
        text = urlsplit_or_empty(text)[2]
    parts = [part for part in text.split("/") if part]
    return "/" + "/".join(parts) if parts else ""


def urlsplit_or_empty(text: str) -> tuple[str, str, str, str, str]:
    """`urlsplit` that answers empty parts where the text is no URL."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ("", "", "", "", "")
    return (parts.scheme, parts.netloc, parts.path, parts.query, parts.fragment)


def canonical_url(text: str) -> str:
    """A URL: scheme and host in lower case, no default port, "/" as the empty path."""
    text = clean(text).replace("[.]", ".").replace("[:]", ":")
    if text[:4].casefold() == "hxxp":
        text = "http" + text[4:]
    scheme, place, path, query, fragment = urlsplit_or_empty(text)
    if not place:
        return _given(text) and text
    user, at, host = place.rpartition("@")
    host = host.casefold()
    if (scheme.casefold(), host.rpartition(":")[2]) in (("http", "80"), ("https", "443")):
        host = host.rpartition(":")[0]
    url = f"{scheme.casefold()}://{user}{at}{_ascii_domain(host.rstrip('.'))}{path or '/'}"
    return url + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")


def canonical_hash(text: str) -> str:
    """A file hash in lower case hexadecimal digits."""
    text = _given(text).removeprefix("0x")
    return text.replace(" ", "") if text.isascii() else text


def canonical_mac(text: str) -> str:
    """A MAC address as aa:bb:cc:dd:ee:ff."""
    text = _given(text)
    digits = _MAC_SEPARATORS.sub("", text)
    if not _MAC.fullmatch(digits):
        return text
    return "" if digits == "0" * 12 else ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def canonical_path(text: str) -> str:
    """A file or registry path: Windows paths in lower case with backslashes, others kept."""
    text = clean(text).strip("\"'")
    text = _BARE_HOST.sub("", text, count=1)
    if _WINDOWS_PATH.match(text) or "\\" in text:
        head = "\\\\" if text.startswith("\\\\") else ""
        parts = [part for part in text.replace("/", "\\").casefold().split("\\") if part]
        return head + "\\".join(parts) if parts else ""
    return text.rstrip("/") or text


def canonical_account(text: str) -> str:
    """DOMAIN\\user in lower case; the domain's NetBIOS and DNS names stay different things."""
    domain, slash, name = _given(text).replace("/", "\\").rpartition("\\")
    return f"{domain.strip('. ')}{slash}{name.strip()}" if name.strip() else ""


def canonical_name(text: str) -> str:
    """A display name: lower case, single spaces."""
    return _SPACES.sub(" ", _given(text))


def canonical_message_id(text: str) -> str:
    """An Internet message id without its angle brackets."""
    return _given(text).strip("<> ")


BY_NAMESPACE: dict[str, Callable[[str], str]] = {
    "upn": canonical_address,
    "mail": canonical_address,
    "sid": canonical_sid,
    "ad": canonical_account,
    "account": canonical_account,
    "dns": canonical_host,
    "host": short_host,
    "domain": canonical_domain,
    "ip": canonical_ip,
    "url": canonical_url,
    "arm": canonical_arm,
    "mac": canonical_mac,
    "sha256": canonical_hash,
    "sha1": canonical_hash,
    "md5": canonical_hash,
    "path": canonical_path,
    "registry": canonical_path,
    "imid": canonical_message_id,
    "name": canonical_name,
}
# Namespaces whose values are opaque ids or composed by whoever made the key.
_ID_NAMESPACES = frozenset({"oid", "adguid", "mde", "aad", "app", "sp", "group", "nmid", "request"})


def canonical_key(kind: str, value: str) -> str:
    """A namespaced key in canonical form.

    "upn:Anna@Contoso.com" becomes "upn:anna@contoso.com". A value without a known namespace gets
    the one that its kind and shape imply: ("ip", "[::1]") becomes "ip:::1". Composed keys
    ("process:...", "k8s:...") are returned cleaned.
    """
    namespace, colon, rest = value.partition(":")
    if colon and namespace in BY_NAMESPACE:
        return f"{namespace}:{BY_NAMESPACE[namespace](rest) or clean(rest)}"
    if colon and namespace in _ID_NAMESPACES:
        return f"{namespace}:{canonical_id(rest) or clean(rest)}"
    for guess in _GUESSES.get(kind, ()):
        if key := guess(value):
            return key
    return clean(value)


def _with(namespace: str, rule: Callable[[str], str], sign: str = "") -> Callable[[str], str]:
    """A guess: the namespaced key if the text holds `sign` and the rule accepts it, else ""."""

    def guess(text: str) -> str:
        value = rule(text) if sign in text else ""
        return f"{namespace}:{value}" if value else ""

    return guess


_GUESSES: dict[str, tuple[Callable[[str], str], ...]] = {
    "user": (
        _with("oid", canonical_guid),
        _with("sid", canonical_sid),
        _with("upn", canonical_address, "@"),
        _with("ad", canonical_account, "\\"),
        _with("name", canonical_name),
    ),
    "mailbox": (_with("mail", canonical_address),),
    "device": (
        _with("aad", canonical_guid),
        _with("dns", canonical_host, "."),
        _with("host", short_host),
    ),
    "ip": (_with("ip", canonical_ip),),
    "url": (_with("url", canonical_url),),
    "domain": (_with("domain", canonical_domain),),
    "cloud_resource": (_with("arm", canonical_arm, "/"),),
}


def search_keys(text: str) -> tuple[tuple[str, str], ...]:
    """(kind, key) pairs under which a person or device typed by an analyst may be stored."""
    text = clean(text)[:500]
    if not text:
        return ()
    pairs: list[tuple[str, str]] = []
    for kind, namespaces in _SEARCHED.items():
        for namespace, sign in namespaces:
            rule = BY_NAMESPACE.get(namespace, canonical_id)
            if sign in text and (value := rule(text)):
                pairs.append((kind, f"{namespace}:{value}"))
    return tuple(dict.fromkeys(pairs))


_SEARCHED: dict[str, tuple[tuple[str, str], ...]] = {
    "user": (("upn", "@"), ("oid", "-"), ("sid", "-"), ("ad", "\\"), ("account", ""), ("name", "")),
    "mailbox": (("mail", "@"), ("name", "")),
    "device": (("dns", "."), ("host", ""), ("aad", "-"), ("mde", "")),
    "ip": (("ip", ""),),
    "cloud_resource": (("arm", "/"), ("name", "")),
    "oauth_app": (("app", "-"), ("name", "")),
    "service_principal": (("sp", "-"), ("app", "-"), ("name", "")),
}
