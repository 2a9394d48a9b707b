"""An uploaded list of people, devices, data or apps: from the file's bytes to keys of entities.

The file is hostile or at least made with Excel: any encoding, any separator, quotes, formulas.
Problems are sentences with line numbers; they never repeat what the line says.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tenants.canonical import (
    canonical_account,
    canonical_address,
    canonical_arm,
    canonical_guid,
    canonical_host,
    canonical_ip,
    canonical_name,
    canonical_path,
    canonical_sid,
    canonical_url,
    clean,
)

MOST_BYTES = 2_000_000
MOST_LINES = 20_000
MOST_PROBLEMS = 50
LONGEST_CELL = 500

Holds = Literal["people", "devices", "data", "apps"]
Key = tuple[str, str]
"""(kind of entity, canonical namespaced key)"""

_HEADERS = frozenset((
    "upn", "userprincipalname", "user", "username", "useraddress", "email", "emailaddress",
    "mail", "address", "primarymail", "objectid", "id", "userid", "azureaduserid",
    "entraobjectid", "sid", "account", "accountname", "samaccountname", "person", "device",
    "deviceid", "devicename", "azureaddeviceid", "mdedeviceid", "host", "hostname", "computer",
    "computername", "dnsname", "fqdn", "machine", "name", "resource", "resourceid", "mailbox",
    "url", "path", "file", "hash", "sha256", "app", "appid", "application", "applicationid",
    "clientid", "displayname", "member",
))  # fmt: skip
_ADDRESS = re.compile(r"[^\s@,;<>()\"']+@[^\s@,;<>()\"']+\.[^\s@,;<>()\"']+")
_FORCED_TEXT = re.compile(r'="([^"]*)"')
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,62})(?:\.[a-z0-9_\-]{1,63}){0,8}")
_HEX = re.compile(r"[0-9a-f]+")
_WORDS = re.compile(r".*[^\W\d_].*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: all keys are of one and the same thing. Personal, for memory only."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """`problems`: sentences, the first MOST_PROBLEMS; `problem_count`: all of them."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    problem_count: int = 0
    repeated: int = 0


class NoList(ValueError):
    """The file as a whole can't be taken; the text says why and what to do."""


def parse_list(data: bytes, holds: Holds) -> Parsed:
    """What the file lists. Raises NoList."""
    if len(data) > MOST_BYTES:
        raise NoList(f"The file is larger than {MOST_BYTES // 1_000_000} MB. Split the list.")
    read, wanted = _READERS[holds]
    entries: dict[tuple[Key, ...], Entry] = {}
    problems: list[str] = []
    repeated = 0
    columns: list[int] | None = None
    for place, (line, cells) in enumerate(_rows(_text(data))):
        if line > MOST_LINES:
            raise NoList(f"The list has more than {MOST_LINES:,} lines. Split it.")
        if place == 0 and (columns := _named_columns(cells)) is not None:
            continue
        try:
            keys = _keys(_picked(cells, columns, holds), read)
        except _Formula:
            problems.append(f"Line {line}: the cell holds a formula. Save the list as values only.")
            continue
        if not keys:
            problems.append(f"Line {line}: there is no {wanted} in it.")
        elif keys in entries:
            repeated += 1
        else:
            entries[keys] = Entry(keys)
    return Parsed(tuple(entries.values()), tuple(problems[:MOST_PROBLEMS]), len(problems), repeated)


# --- from bytes to cells --------------------------------------------------------------------------


def _text(data: bytes) -> str:
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise NoList("This is an Excel workbook. Save it as CSV and upload that.")
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")
    ):  # fmt: skip
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\x00" in data:
        raise NoList("This is no text file. Save the list as CSV (UTF-8) and upload that.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")  # what Excel writes in Western Europe


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each line that has something."""
    first, _, rest = text.partition("\n")
    skipped = 0
    separator = ""
    if first.strip().casefold().startswith("sep=") and len(first.strip()) == 5:
        separator, text, skipped = first.strip()[4], rest, 1
    sample = text[:20_000]
    separator = separator or max(",;\t|", key=sample.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            cells = [_plain(cell) for cell in row]
            if any(cells):
                yield reader.line_num + skipped, cells
    except csv.Error as err:
        line = reader.line_num + skipped
        raise NoList(f"The file can't be read from line {line} on. Check its quotes.") from err


def _plain(cell: str) -> str:
    """Trimmed; text that was forced to be text in Excel without what forces it."""
    text = clean(cell[: LONGEST_CELL + 1])
    forced = _FORCED_TEXT.fullmatch(text)
    return (forced.group(1) if forced else text).removeprefix("'").strip()


def _named_columns(cells: Sequence[str]) -> list[int] | None:
    """Places of the columns whose heading we know; None if this is no heading."""
    names = [re.sub(r"[^a-z0-9]", "", cell.casefold()) for cell in cells]
    if any("@" in cell or canonical_guid(cell) for cell in cells):
        return None
    return [place for place, name in enumerate(names) if name in _HEADERS] or None


def _picked(cells: list[str], columns: list[int] | None, holds: Holds) -> list[str]:
    """People are told by the shape of a cell; of other things any word could be one."""
    if columns is not None:
        return [cells[place] for place in columns if place < len(cells)]
    return cells if holds == "people" else cells[:1]


# --- from cells to keys ---------------------------------------------------------------------------


class _Formula(ValueError):
    pass


def _keys(cells: Sequence[str], read: Callable[[str], list[Key]]) -> tuple[Key, ...]:
    found: list[Key] = []
    for cell in cells:
        if cell[:1] in ("=", "+", "@") or (cell[:1] == "-" and "(" in cell):
            raise _Formula
        if cell and len(cell) <= LONGEST_CELL:
            found += read(cell)
    return tuple(dict.fromkeys(found))


def _person(cell: str) -> list[Key]:
    if guid := canonical_guid(cell):
        return [("user", f"oid:{guid}")]
    if sid := canonical_sid(cell):
        return [("user", f"sid:{sid}")]
    address = canonical_address(cell)
    if _ADDRESS.fullmatch(address):
        return [("user", f"upn:{address}"), ("mailbox", f"mail:{address}")]
    account = canonical_account(cell)
    domain, slash, name = account.partition("\\")
    is_account = slash and domain and name and " " not in domain and "\\" not in name
    return [("user", f"ad:{account}")] if is_account else []


def _device(cell: str) -> list[Key]:
    if guid := canonical_guid(cell):
        return [("device", f"aad:{guid}")]
    folded = cell.casefold()
    if len(folded) == 40 and _HEX.fullmatch(folded):
        return [("device", f"mde:{folded}")]
    host = canonical_host(cell)
    if canonical_ip(host) or not _HOST.fullmatch(host):
        return []
    return [("device", f"dns:{host}" if "." in host else f"host:{host}")]


def _data(cell: str) -> list[Key]:
    folded = cell.casefold()
    if folded.startswith(("http://", "https://")):
        url = canonical_url(cell)
        return [(kind, f"url:{url}") for kind in ("blob", "blob_container", "url")]
    if folded.lstrip("/").startswith("subscriptions/"):
        return [("cloud_resource", f"arm:{canonical_arm(cell)}")]
    if _HEX.fullmatch(folded) and len(folded) in (40, 64):
        return [("file", f"{'sha1' if len(folded) == 40 else 'sha256'}:{folded}")]
    address = canonical_address(cell)
    if _ADDRESS.fullmatch(address):
        return [("mailbox", f"mail:{address}"), ("user", f"upn:{address}")]
    has_folder = "\\" in cell or cell.startswith("/")
    return [("file", f"path:{canonical_path(cell)}")] if has_folder else []


def _app(cell: str) -> list[Key]:
    if guid := canonical_guid(cell):
        return [
            ("oauth_app", f"app:{guid}"),
            ("service_principal", f"app:{guid}"),
            ("service_principal", f"sp:{guid}"),
        ]
    if cell.isascii() and cell.isdigit():
        return [("cloud_app", f"saas:{cell}")]
    name = canonical_name(cell)
    if not _WORDS.fullmatch(name) or "@" in name:
        return []
    return [(kind, f"name:{name}") for kind in ("cloud_app", "oauth_app", "service_principal")]


_READERS: dict[str, tuple[Callable[[str], list[Key]], str]] = {
    "people": (_person, "address, object id, SID or DOMAIN\\account"),
    "devices": (_device, "host name or device id"),
    "data": (_data, "URL, resource id, mailbox, path or hash"),
    "apps": (_app, "application id or name"),
}


def member_keys(member: dict[str, object], holds: Holds) -> tuple[Key, ...]:
    """The keys of a member of an Entra group, if it is of the kind that the class holds."""
    kind = str(member.get("@odata.type", "")).rpartition(".")[2]
    guid = canonical_guid(str(member.get("id") or ""))
    if holds == "people" and kind == "user" and guid:
        upn = canonical_address(str(member.get("userPrincipalName") or ""))
        return (("user", f"oid:{guid}"), *(_person(upn) if upn else ()))
    if holds == "devices" and kind == "device":
        device = canonical_guid(str(member.get("deviceId") or ""))
        return (("device", f"aad:{device}"),) if device else ()
    if holds == "apps" and kind == "servicePrincipal" and guid:
        app = canonical_guid(str(member.get("appId") or ""))
        named = (("oauth_app", f"app:{app}"), ("service_principal", f"app:{app}")) if app else ()
        return (("service_principal", f"sp:{guid}"), *named)
    return ()
