"""What looks personal whatever the evidence says: addresses, paths, accounts, ids."""

import re

from tenants.canonical import canonical_ip

# Signs without which none of the patterns can match.
SIGNS = re.compile(r"[@\\/:.\d%]|--")
PATTERN = re.compile(
    r"""
    (?P<link> \b(?:[a-z][a-z0-9+.\-]{1,14}|hxxps?)://\S+ | \bwww\.\S+ )
  | (?P<user> [^\s<>"'(),;:\[\]@]{1,64}@[^\s<>"'(),;\[\]]{1,255} | \bS-1-\d[\d\-]+ )
  | (?P<key> \bHK(?:EY_\w{1,30}|LM|CU|CR|U)[\\/]\S* )
  | (?P<path> (?:\b[a-z]:|\\\\[\w.\-]{1,64}|%\w{1,30}%|~)[\\/][^\s"'<>|*?]*
            | (?<![\w/])/(?:[\w.@+\-]{1,255}/)+[\w.@+\-]* )
  | (?P<account> [\w.\-]{1,64}\\[\w.$\-]{1,64} )
  | (?P<id> \{?\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b\}? )
  | (?P<mac> \b(?:[0-9a-f]{2}[:\-]){5}[0-9a-f]{2}\b )
  | (?P<ipv4> (?<![\w.])\d{1,3}(?:(?:\[\.\]|\.)\d{1,3}){3}(?::\d{1,5}|/\d{1,2})?(?!\w) )
  | (?P<ipv6> (?<![\w:])\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f.]{0,15}\]?(?:%\w{1,20})?(?![\w:]) )
  | (?P<hash> \b(?:0x)?(?=[a-f]*\d)[0-9a-f]{12,}\b )
  | (?P<number> \+\d[\d\ ()\-]{6,20}\d\b | \b\d{8,}\b )
  | (?P<host> (?<![\w.\-])(?:[\w\-]{1,63}(?:\[\.\]|\.)){1,10}(?:[^\W\d_]{2,63}|ps1)(?![\w\-]) )
  | (?P<domain> \bxn--[\w\-]+ )
  | (?P<encoded> \b(?=[a-z_\-]{0,60}\d)[\w\-]{32,} )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PLACEHOLDER_OF = {
    "account": "user",
    "mac": "address",
    "ipv4": "address",
    "ipv6": "address",
    "host": "domain",
}
_FILE_ENDINGS = frozenset({
    "exe", "dll", "sys", "ps1", "bat", "cmd", "vbs", "js", "jar", "iso", "lnk", "msi", "tmp",
    "html", "htm", "zip", "pdf", "doc", "docx", "xls", "xlsx",
})  # fmt: skip
_NOT_HOSTS = frozenset(
    {"asp.net", "vb.net", "ado.net", "node.js", "vue.js", "next.js", "log4j.jar"}
)


def replacement(match: re.Match[str]) -> str:
    """What stands for a match of PATTERN: a placeholder, or the match if it is harmless."""
    group = match.lastgroup or "value"
    found = match[0]
    if group == "ipv4" and not canonical_ip(found.replace("[.]", ".")):
        return found
    if group == "ipv6" and not canonical_ip(found):
        return found
    if group == "host":
        if found.casefold() in _NOT_HOSTS:
            return found
        if found.rpartition(".")[2].casefold() in _FILE_ENDINGS:
            group = "file"
    return placeholder(_PLACEHOLDER_OF.get(group, group))


def hide_patterns(text: str) -> str:
    """The text with a placeholder for each thing that looks personal."""
    return PATTERN.sub(replacement, text) if SIGNS.search(text) else text


def placeholder(name: str) -> str:
    """What a reader sees instead: the name in single angle quotes."""
    return f"\u2039{name}\u203a"
