"""From a raw document to the rows that may be stored: the last place that sees content.

Pure: no database, no clock, no network.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network

from alerts.chain import pillar_of, pillars
from alerts.fingerprint import fingerprint
from alerts.normalise import Unreadable, is_incident, normalise
from alerts.normalise.fields import provider_id
from alerts.records import AlertRecord, EntityRecord, Kind, Severity
from alerts.scrub import Cleaner
from tenants.pseudonyms import Pseudonymiser

UNFORESEEN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What code that meets a document nobody thought of may raise; it must not stop the page."""

SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}
INSIDE = "inside"
"""Role of an address that means something within one network only."""
_INSIDE = tuple(
    map(ip_network, (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
        "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128",
    ))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EntityRow:
    """An entity as pseudonyms. `identities` identify (strongest first), `names` only find."""

    kind: str
    identities: tuple[uuid.UUID, ...]
    older: tuple[uuid.UUID, ...]
    names: tuple[uuid.UUID, ...]
    ties: bool
    roles: str
    verdict: str
    pillar: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """Columns of `alerts.models.Alert`, and its entities."""

    columns: dict[str, object]
    entities: tuple[EntityRow, ...]
    updated_at: datetime
    incident_id: str
    activity_at: datetime

    @property
    def provider_id(self) -> str:
        return str(self.columns["provider_id"])

    @property
    def order(self) -> tuple[datetime, str]:
        """Of two rows of one alert the greater counts, as in `alerts.ingest`."""
        return (self.updated_at, str(self.columns["fingerprint"]))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document that can't be taken: by its id if that is harmless, else by a hash."""

    reference: str
    is_provider_id: bool
    field: str
    problem: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page, ready to be stored. `repeated` counts documents whose id came twice."""

    alerts: tuple[AlertRow, ...]
    rejected: tuple[Rejected, ...]
    records: dict[str, AlertRecord]
    repeated: int


def prepare_page(documents: Iterable[object], pseudonymiser: Pseudonymiser) -> Prepared:
    """Every document for itself; of two with one id the one counts that the database would keep."""
    newest: dict[str, tuple[AlertRecord, AlertRow]] = {}
    rejected = []
    repeated = 0
    for document in documents:
        try:
            record = normalise(document)
            row = prepare(record, pseudonymiser)
        except Unreadable as err:
            rejected.append(reject(document, err, pseudonymiser))
            continue
        except UNFORESEEN as err:
            unread = Unreadable("document", f"is of an unforeseen kind ({type(err).__name__})")
            rejected.append(reject(document, unread, pseudonymiser))
            continue
        earlier = newest.get(record.provider_id)
        repeated += earlier is not None
        if earlier is None or earlier[1].order <= row.order:
            newest[record.provider_id] = (record, row)
    rows = tuple(row for _, row in newest.values())
    records = {key: record for key, (record, _) in newest.items()}
    return Prepared(rows, tuple(rejected), records, repeated)


def prepare(record: AlertRecord, pseudonymiser: Pseudonymiser) -> AlertRow:
    """Scrubbed metadata and pseudonyms of one alert."""
    clean = Cleaner(record)
    activity_at = record.first_activity_at or record.created_at
    # The tenant's own key: names count in the fingerprint, and a bare hash could be guessed.
    fingerprint_key = pseudonymiser.pseudonym("fingerprint", "key").bytes
    columns = {
        "provider_id": record.provider_id,
        "api": record.source,
        "title": clean.title(),
        "category": next(filter(None, map(clean.token, record.categories)), ""),
        "techniques": list(record.techniques),
        "severity": SEVERITY_RANK[record.severity],
        "status": clean.token(record.status)[:20],
        "classification": clean.token(record.classification)[:40],
        "determination": clean.token(record.determination)[:40],
        "service_source": clean.token(record.service_source)[:60],
        "detection_source": clean.token(record.detection_source)[:60],
        "product": clean.token(record.product),
        "detector_id": clean.token(record.detector_id),
        "incident_id": record.incident_id,
        "pillars": int(pillars(record)),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "activity_at": activity_at,
        "last_activity_at": record.last_activity_at or activity_at,
        "fingerprint": uuid.UUID(bytes=fingerprint(record, fingerprint_key)),
    }
    entities = tuple(entity_row(entity, pseudonymiser, clean) for entity in record.entities)
    return AlertRow(columns, entities, record.updated_at, record.incident_id, activity_at)


def entity_row(entity: EntityRecord, pseudonymiser: Pseudonymiser, clean: Cleaner) -> EntityRow:
    kind = entity.kind.value
    versions = [pseudonymiser.all_versions(kind, key) for key in entity.identity]
    roles = [role for role in map(clean.token, entity.roles) if role]
    if entity.kind is Kind.IP and any(map(is_inside, entity.identity)):
        roles.insert(0, INSIDE)
    return EntityRow(
        kind=kind,
        identities=tuple(pseudonyms[0] for pseudonyms in versions),
        older=tuple(older for pseudonyms in versions for older in pseudonyms[1:]),
        names=tuple(pseudonymiser.pseudonym(kind, name) for name in entity.search),
        ties=entity.ties,
        roles=",".join(roles)[:120],
        verdict=clean.token(entity.verdict)[:40],
        pillar=int(pillar_of(entity.kind)),
    )


def is_inside(identity: str) -> bool:
    """Whether it is a private, shared (carrier's) or local address. Told now, while it is read."""
    try:
        address = ip_address(identity.partition(":")[2])
    except ValueError:
        return False
    return any(address in network for network in _INSIDE)


def reject(document: object, err: Unreadable, pseudonymiser: Pseudonymiser) -> Rejected:
    """What is kept of a document that can't be taken: its id, if that has the shape of one."""
    try:
        is_alert = isinstance(document, dict) and not is_incident(document)
        given = provider_id(document.get("id") if is_alert else None)  # type: ignore[attr-defined]
    except Unreadable:
        # Keyed, because a short document could be guessed from a bare hash.
        digest = pseudonymiser.pseudonym("document", _written_out(document))
        return Rejected(f"document:{digest}", False, err.field, err.problem)
    return Rejected(given, True, err.field, err.problem)


def _written_out(document: object) -> str:
    try:
        return repr(document)
    except RecursionError:  # one row stands for all of these
        return "nested without end"
