"""Tells whether an alert that came again says anything new."""

import hashlib

from alerts.records import AlertRecord, EntityRecord


def fingerprint(record: AlertRecord, key: bytes = b"") -> bytes:
    """16 bytes over what we keep of an alert, the same for any order of evidence and lists.

    Left out, because our own write-back moves them or we don't keep them: last update, assignment,
    comments, custom details, texts and links. Names enter only under `key` (the tenant's, up to 64
    bytes), since a bare hash would let one test guesses; without it only kinds, roles and verdicts.
    """
    mac = hashlib.blake2b(digest_size=16, key=key[:64])
    facts = (
        record.provider_id,
        record.source,
        record.severity,
        record.status,
        record.classification,
        record.determination,
        record.service_source,
        record.detection_source,
        record.product,
        record.detector_id,
        record.incident_id,
        *(str(at) for at in (record.created_at, record.first_activity_at, record.resolved_at)),
        str(record.last_activity_at),
        "\0".join(sorted(record.categories)),
        "\0".join(sorted(record.techniques)),
        record.title if key else "",
        *sorted(_entity(entity, with_names=bool(key)) for entity in record.entities),
    )
    mac.update("\1".join(facts).encode("utf-8", "replace"))
    return mac.digest()


def _entity(entity: EntityRecord, *, with_names: bool) -> str:
    names = sorted(entity.identity) + sorted(entity.search) if with_names else ()
    parts = (
        entity.kind,
        entity.verdict,
        entity.remediation,
        str(entity.ties),
        *sorted(entity.roles),
    )
    return "\0".join((*parts, *names))
