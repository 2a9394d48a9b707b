"""From evidence to entities: walks a document's evidence and merges what is one thing.

Bounded for hostile documents: at most MOST_ENTITIES entities, MOST_OBJECTS objects looked at and
DEEPEST levels. What lies beyond is said in `unread`; its texts still count as sensitive.
"""

import re

from alerts.normalise.enums import REMEDIATIONS, ROLES, VERDICTS
from alerts.normalise.fields import LONGEST_SHOWN, enum_value, shown
from alerts.normalise.keys import Document
from alerts.normalise.nesting import STRING_FIELD, TYPE_BY_FIELD, TYPE_BY_SIGN
from alerts.normalise.shapes import SHAPES, Rule, Shape
from alerts.records import EntityRecord, Kind
from tenants.canonical import canonical_name
from tenants.documents import objects, raw, strings, text

MOST_ENTITIES = 500
MOST_OBJECTS = 3000
DEEPEST = 6
_MOST_DETAILS = 60
_LONGEST_NAME = 300

_MAIN_DEVICE = frozenset({"primarydevice", "main device", "primary device"})

# Strongest first; merged records sort their keys by it.
_STRENGTH = (
    "oid", "mde", "sp", "app", "aad", "upn", "mail", "sid", "dns", "ad", "adguid", "arm",
    "sha256", "sha1", "md5", "nmid", "imid",
)  # fmt: skip
_RANKS = {namespace: rank for rank, namespace in enumerate(_STRENGTH)}
_NOT_PEOPLE = frozenset({
    "system", "local system", "localsystem", "local service", "localservice", "network service",
    "networkservice", "anonymous logon", "root", "daemon", "nobody", "www-data", "iusr", "guest",
    "defaultaccount", "wdagutilityaccount", "trustedinstaller", "everyone", "creator owner",
})  # fmt: skip
_NOT_PEOPLES_DOMAINS = frozenset(
    {"nt authority", "nt service", "iis apppool", "window manager", "font driver host", "builtin"}
)
_PEOPLES_SIDS = ("sid:s-1-5-21-", "sid:s-1-12-1-")
_TYPE_NAME = re.compile(r"#?microsoft\.graph\.[a-z.]{0,30}[A-Za-z][A-Za-z0-9]{2,59}")
_WEAK = ("account:", "name:", "host:", "raw:")
_SKIPPED = frozenset(
    {
        "@odata.type",
        "createdDateTime",
        "verdict",
        "remediationStatus",
        "roles",
        "resourceAccessEvents",
    }
)


class _Draft:
    """An entity in the making."""

    __slots__ = (
        "details", "identity", "kind", "name", "remediation", "roles", "search", "ties", "verdict",
    )  # fmt: skip

    def __init__(self, kind: Kind, identity: list[str], search: list[str]) -> None:
        self.kind = kind
        self.identity = identity
        self.search = search
        self.name = ""
        self.details: dict[str, str] = {}
        self.roles: list[str] = []
        self.verdict = ""
        self.remediation = ""
        self.ties = False

    def absorb(self, other: "_Draft") -> None:
        """Take over what another draft of the same thing knows."""
        keys = dict.fromkeys(self.identity + other.identity)
        self.identity = sorted(keys, key=lambda key: _RANKS.get(key.partition(":")[0], 99))
        self.search = [
            key for key in dict.fromkeys(self.search + other.search) if key not in self.identity
        ]
        self.name = self.name or other.name
        for label, value in other.details.items():
            self.details.setdefault(label, value)
        self.roles += [role for role in other.roles if role not in self.roles]
        self.verdict = _worse(self.verdict, other.verdict)
        self.remediation = self.remediation or other.remediation
        self.ties = self.ties or other.ties

    def record(self) -> EntityRecord:
        return EntityRecord(
            kind=self.kind,
            identity=tuple(self.identity),
            search=tuple(self.search),
            name=self.name,
            details=tuple(self.details.items()),
            roles=tuple(self.roles),
            verdict=self.verdict,
            remediation=self.remediation,
            ties=self.ties,
        )


_BADNESS = {"malicious": 4, "suspicious": 3, "unknown": 2, "noThreatsFound": 1, "": 0}


def _worse(one: str, other: str) -> str:
    return max(one, other, key=_BADNESS.__getitem__)


class Entities:
    """Collects the entities of one alert. `add` each piece of evidence, then read `records`."""

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []
        self._by_key: dict[str, _Draft] = {}
        self._objects = 0
        self._latest: dict[str, tuple[Document, _Draft]] = {}
        self.unread: dict[str, None] = {}

    def add(
        self,
        document: Document,
        expected: str = "",
        role: str = "",
        depth: int = 0,
    ) -> None:
        """Read one object. `expected` is its type if it doesn't say so itself."""
        self._objects += 1
        if self._objects > MOST_OBJECTS or len(self._drafts) >= MOST_ENTITIES:
            self.unread["more entities than are read"] = None
            return
        if depth > DEEPEST:
            self.unread["evidence nested too deep"] = None
            return
        if depth and (latest := self._latest.get(expected)) and latest[0] == document:
            _take_role(latest[1], role)  # one account or image in many processes
            return
        named = document.get("@odata.type")
        name = _short_type(named) if type(named) is str else ""
        shape = SHAPES.get(name) or SHAPES.get(expected or _type_by_sign(document))
        if shape and shape.subject:
            self._add_subject(document, shape, role, depth)
            return
        if not shape:
            known = type(named) is str and _TYPE_NAME.fullmatch(named)
            self.unread[name if known else "evidence of unknown type"] = None
        draft = _draft(document, shape) if shape else _unknown(document)
        if draft is not None:
            _describe(draft, document, role)
            draft = self._merge(draft)
            if depth:
                self._latest[expected] = (document, draft)
        details = self._look_inside(document, depth)
        if draft is not None:
            draft.details = details | draft.details
        if shape:
            self._add_named(document, shape, depth)

    def _add_subject(self, document: Document, shape: Shape, role: str, depth: int) -> None:
        """Evidence that only wraps the thing: its object takes the wrapper's role and verdict."""
        subjects = objects(document.get(shape.subject))
        outer = {key: value for key, value in document.items() if key != shape.subject}
        for subject in subjects or [outer]:
            self.add(outer | subject | {"@odata.type": shape.subject}, shape.subject, role, depth)

    def _look_inside(self, document: Document, depth: int) -> dict[str, str]:
        """Read the objects within an object; returns its own fields as details."""
        details: dict[str, str] = {}
        for field, value in document.items():
            if value is None or field in _SKIPPED:
                continue
            if type(value) is str:
                plain = value.isprintable() and value.isascii() and len(value) <= LONGEST_SHOWN
                seen = value if plain else shown(value)
            elif (type(value) is dict or type(value) is list) and (
                not value or self._nested(field, value, depth)
            ):
                continue
            else:
                seen = shown(value)
            if seen:
                details[field] = seen
            if len(details) >= _MOST_DETAILS:
                break
        return details

    def _nested(self, field: str, value: object, depth: int) -> bool:
        """Read typed objects below a field. False if there are only plain values."""
        expected = TYPE_BY_FIELD.get(field, "")
        role = "contextual" if field in ("loggedOnUsers", "parentProcessImageFile") else ""
        role = "sender" if field in ("p1Sender", "p2Sender") else role
        found = False
        for inner in objects(value):
            if expected or "@odata.type" in inner:
                self.add(inner, expected, role, depth + 1)
                found = True
            elif depth < DEEPEST and self._objects < MOST_OBJECTS:
                self._objects += 1
                for name, deeper in inner.items():
                    if type(deeper) is dict or type(deeper) is list:
                        self._nested(name, deeper, depth + 1)
        return found

    def _add_named(self, document: Document, shape: Shape, depth: int) -> None:
        """Things that the object names by a bare string: addresses, recipients, URLs."""
        for fields, expected, role in shape.also:
            value = next((found for field in fields if (found := document.get(field))), None)
            for named in strings(value) if value else ():
                self.add({STRING_FIELD.get(expected, "value"): named}, expected, role, depth + 1)

    def _merge(self, draft: _Draft) -> _Draft:
        """Store a draft, or add it to the drafts that share a key; returns where it is now."""
        keys = [f"{draft.kind}\0{key}" for key in draft.identity]
        known = [found for key in keys if (found := self._by_key.get(key))]
        if not known:
            self._drafts.append(draft)
            target = draft
        else:
            target = known[0]
            target.absorb(draft)
            for other in known[1:]:
                if other is not target and other in self._drafts:
                    self._drafts.remove(other)
                    target.absorb(other)
                    keys += [f"{other.kind}\0{key}" for key in other.identity]
        for key in keys:
            self._by_key[key] = target
        return target

    def records(self) -> tuple[EntityRecord, ...]:
        """The entities, in the order in which the document named them first."""
        self._merge_short_names()
        return tuple(draft.record() for draft in self._drafts)

    def _merge_short_names(self) -> None:
        """A device known by its short name only is the one device that has this short name."""
        weak = [
            draft
            for draft in self._drafts
            if draft.kind is Kind.DEVICE and draft.identity[0].startswith("host:")
        ]
        for draft in weak:
            same = [
                other
                for other in self._drafts
                if other.kind is Kind.DEVICE
                and other is not draft
                and draft.identity[0] in other.search
            ]
            if len(same) == 1:
                name = draft.identity.pop(0)
                draft.search = [name]
                same[0].absorb(draft)
                self._drafts.remove(draft)


def _short_type(name: str) -> str:
    """ "#microsoft.graph.security.userEvidence" -> "userEvidence"."""
    short = name.rpartition(".")[2]
    return short if short in SHAPES else _TYPE_IN_LOWER_CASE.get(short.casefold(), short)


_TYPE_IN_LOWER_CASE = {name.casefold(): name for name in SHAPES}


def _type_by_sign(document: Document) -> str:
    if "@odata.type" in document:
        return ""
    return next((name for sign, name in TYPE_BY_SIGN if sign in document), "")


def _keys(document: Document, rules: tuple[Rule, ...]) -> list[str]:
    keys = []
    for namespace, field, rule in rules:
        value = document.get(field)
        if value and (found := rule(raw(value))):
            keys.append(namespace + found)
    return keys


def _draft(document: Document, shape: Shape) -> _Draft | None:
    """The entity that an object of a known shape is; None if it says nothing."""
    identity = _keys(document, shape.identity)
    search = _keys(document, shape.search)
    composed = shape.compose(document) if shape.compose else []
    for key in composed:
        (search if identity and key.startswith(_WEAK) else identity).append(key)
    name = ""
    for field in shape.names:
        if name := text(document.get(field)):
            break
    if not identity:
        identity = search or _raw_key(document)
        search = []
    if not identity:
        return None
    identity = list(dict.fromkeys(identity))
    search = [key for key in dict.fromkeys(search) if key not in identity]
    draft = _Draft(shape.kind, identity, search)
    draft.name = (name or _fallback_name(document, shape, draft.identity))[:_LONGEST_NAME]
    draft.ties = shape.ties and _may_tie(draft)
    return draft


def _fallback_name(document: Document, shape: Shape, identity: list[str]) -> str:
    for field in shape.labels:
        value = document.get(field)
        if value and (found := text(value)):
            return found
    return identity[0].partition(":")[2]


def _raw_key(document: Document) -> list[str]:
    """A key for a thing without any known key: its first text in the order of field names."""
    for field in sorted(document):
        value = document[field]
        if field not in _SKIPPED and type(value) is str and (found := canonical_name(value)):
            return [f"raw:{field}={found}"]
    return []


def _unknown(document: Document) -> _Draft | None:
    keys = _raw_key(document)
    if not keys:
        return None
    draft = _Draft(Kind.UNKNOWN, keys, [])
    draft.name = keys[0].partition("=")[2][:_LONGEST_NAME]
    return draft


def _take_role(draft: _Draft, role: str) -> None:
    if role and role not in draft.roles:
        draft.roles.append(role)


def _describe(draft: _Draft, document: Document, role: str) -> None:
    """Role, verdict and remediation. Values outside Microsoft's enums become "unknown"."""
    roles = [role] if role else []
    if listed := document.get("roles"):
        roles += [found for given in strings(listed) if (found := enum_value(given, ROLES, ""))]
    if (listed := document.get("detailedRoles")) and any(
        given.casefold() in _MAIN_DEVICE for given in strings(listed)
    ):
        roles.append("primary")
    if roles:
        draft.roles = list(dict.fromkeys(roles))
    if given := document.get("verdict"):
        draft.verdict = enum_value(given, VERDICTS)
    if given := document.get("remediationStatus"):
        draft.remediation = enum_value(given, REMEDIATIONS)


def _may_tie(draft: _Draft) -> bool:
    """False for what is no person or has no key that is one thing's own."""
    if draft.identity[0].startswith(_WEAK):
        return False
    return draft.kind is not Kind.USER or _is_person(draft)


def _is_person(draft: _Draft) -> bool:
    for key in draft.identity:
        namespace, _, value = key.partition(":")
        if namespace == "sid" and not key.startswith(_PEOPLES_SIDS):
            return False
        if namespace in ("ad", "account", "upn"):
            domain, _, account = value.rpartition("\\")
            account = account.partition("@")[0]
            if account in _NOT_PEOPLE or domain in _NOT_PEOPLES_DOMAINS or account.endswith("$"):
                return False
    return True
