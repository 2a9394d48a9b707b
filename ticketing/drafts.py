"""What a ticket says: the whole content of a case, by pillar, as small and clean HTML.

The ticket is the one place that gets names, so nothing is left out but for size. All text is
hostile: it is cleaned and escaped, links go to Microsoft's own sites (and the portal) only, and the
subject can't be a formula.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from alerts.chain import pillar_of
from alerts.priority import ticket_priority
from alerts.records import AlertRecord, EntityRecord, Kind, Pillar
from tenants.canonical import clean
from ticketing.adapters.base import TicketDraft

LONGEST_SUBJECT = 255
LARGEST_HTML = 60_000  # characters; what follows is said to be cut
_ROOM_FOR_END = 1_000
_LONGEST_TEXT = 6_000
_LONGEST_DETAIL = 500
_MOST_LINES = 40  # of a text

SEVERITIES = ("Unknown", "Informational", "Low", "Medium", "High")
_HEADINGS = {
    Pillar.IDENTITY: "Identity",
    Pillar.DEVICE: "Devices",
    Pillar.APP: "Apps",
    Pillar.DATA: "Data",
    Pillar.INFRASTRUCTURE: "Infrastructure",
}
_MICROSOFT = (
    ".microsoft.com", ".azure.com", ".office.com", ".cloudappsecurity.com", ".windowsazure.com",
    ".microsoft.us", ".azure.us", ".azure.cn", ".microsoftonline.cn",
)  # fmt: skip
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SPACES = re.compile(r"\s+")
_UNSAFE_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a ticket says of its case. `severity`: 0 unknown to 4 high; `priority`: 0 to 100."""

    number: int
    tenant: str
    title: str
    severity: int
    priority: int
    category: str
    alert_count: int
    first_activity_at: datetime | None
    last_activity_at: datetime | None


def draft_ticket(
    case: CaseFacts, alerts: Sequence[AlertRecord], reference: str, portal_url: str
) -> TicketDraft:
    """The ticket that opens a case. `alerts` may be fewer than the case has, or none."""
    title = next((alert.title for alert in alerts if alert.title), case.title)
    severity = _severity(case).lower()
    return TicketDraft(
        reference=reference,
        subject=subject_line(title, LONGEST_SUBJECT - len(reference) - 3),
        html=_html([], case, alerts, portal_url),
        priority=ticket_priority(case.priority),
        tags=("csc-portal", f"severity-{severity}"),
    )


def draft_note(case: CaseFacts, alerts: Sequence[AlertRecord], portal_url: str) -> str:
    """The note for alerts that joined a case after its ticket was opened."""
    count = f"{len(alerts)} further alert{'' if len(alerts) == 1 else 's'}"
    return _html([f"<p>This case has grown by {count}.</p>"], case, alerts, portal_url)


def draft_merge_note(reference: str, url: str) -> str:
    """The note that ends a ticket whose case was merged into another's."""
    if not reference:
        return "<p>This case was merged into another one.</p>"
    shown = escape(one_line(reference))
    where = link(url, shown) if is_https(url) else shown
    return f"<p>This case was merged into another one, which goes on in ticket {where}.</p>"


def subject_line(text: str, length: int) -> str:
    """One line that no spreadsheet takes for a formula."""
    text = one_line(text).lstrip("=+-@\t ") or "Security alert"
    return text if len(text) <= length else text[: length - 1].rstrip() + "\u2026"


def one_line(text: str) -> str:
    return _SPACES.sub(" ", clean(text)).strip()


def _severity(case: CaseFacts) -> str:
    return SEVERITIES[case.severity] if 0 <= case.severity < len(SEVERITIES) else "Unknown"


def _html(start: list[str], case: CaseFacts, alerts: Sequence[AlertRecord], portal_url: str) -> str:
    """Everything; if that is too much, entities without details; then what fits."""
    start = [*start, *_summary(case, portal_url)]
    parts = [*start, *_body(case, alerts, _entity)]
    if sum(map(len, parts)) > LARGEST_HTML - _ROOM_FOR_END:
        note = "<p>Details of entities were left out for their size.</p>"
        parts = [*start, note, *_body(case, alerts, _short_entity)]
    return bounded(parts)


def bounded(parts: Iterable[str]) -> str:
    """The parts that fit, and a sentence on what was cut."""
    kept: list[str] = []
    size = 0
    cut = 0
    for part in parts:
        if cut or size + len(part) > LARGEST_HTML - _ROOM_FOR_END:
            cut += 1
            continue
        kept.append(part)
        size += len(part)
    if cut:
        kept.append(
            f"<p>This text was cut for its size: {cut} section{'' if cut == 1 else 's'} left out."
            " The portal and Microsoft's pages show everything.</p>"
        )
    return "".join(kept)


def _summary(case: CaseFacts, portal_url: str) -> Iterator[str]:
    rows = [
        ("Case", f"{case.number}"),
        ("Customer", case.tenant),
        ("Severity", _severity(case)),
        ("Category", case.category),
        ("Alerts", f"{case.alert_count}"),
        ("First activity", time_text(case.first_activity_at)),
        ("Last activity", time_text(case.last_activity_at)),
    ]
    yield table(rows)
    if is_https(portal_url):
        yield f"<p>{link(portal_url, 'Open the case in the portal')}</p>"


def _body(
    case: CaseFacts, alerts: Sequence[AlertRecord], entity_html: Callable[[EntityRecord], str]
) -> Iterator[str]:
    """Alerts first, then what they name by pillar, then the long texts, which are cut first."""
    if not alerts:
        yield (
            "<p>The alerts' content could not be read from Microsoft when this was written. "
            "The portal shows it as soon as it can.</p>"
        )
        return
    yield "<h3>Alerts</h3>"
    for alert in alerts:
        yield _alert(alert)
    if case.alert_count > len(alerts):
        yield f"<p>{len(alerts)} of {case.alert_count} alerts are listed here.</p>"
    for pillar, heading in _HEADINGS.items():
        entities = list(_entities(alerts, pillar))
        if entities:
            yield f"<h3>{heading}</h3>"
            yield from map(entity_html, entities)
    yield from _texts("Description", (alert.description for alert in alerts))
    yield from _texts("Recommended actions", (alert.recommended_actions for alert in alerts))


def _alert(alert: AlertRecord) -> str:
    links = " ".join(
        link(url, label)
        for url, label in ((alert.alert_url, "Alert"), (alert.incident_url, "Incident"))
        if _is_microsofts(url)
    )
    rows = [
        ("Severity", alert.severity.capitalize()),
        ("Product", alert.product or alert.service_source),
        ("Category", ", ".join(alert.categories)),
        ("Techniques", ", ".join(alert.techniques)),
        ("Status", alert.status),
        ("Classification", _unless_unknown(alert.classification)),
        ("Determination", _unless_unknown(alert.determination)),
        ("Assigned to", alert.assigned_to),
        ("First activity", time_text(alert.first_activity_at)),
        ("Last activity", time_text(alert.last_activity_at)),
        ("Raised", time_text(alert.created_at)),
        ("Alert id", alert.provider_id),
        ("Not understood", ", ".join(alert.unread)),
    ]
    title = f"<p><b>{escape(one_line(alert.title)[:_LONGEST_DETAIL]) or 'Without a title'}</b></p>"
    return title + table(rows) + (f"<p>Microsoft: {links}</p>" if links else "")


def _unless_unknown(text: str) -> str:
    return "" if text == "unknown" else text


def _entities(alerts: Sequence[AlertRecord], pillar: Pillar) -> Iterator[EntityRecord]:
    """What the alerts name on one pillar, each thing once, by kind and name."""
    seen: set[tuple[Kind, str]] = set()
    found = []
    for entity in (entity for alert in alerts for entity in alert.entities):
        key = (entity.kind, entity.identity[0])
        if pillar_of(entity.kind) is pillar and key not in seen:
            seen.add(key)
            found.append(entity)
    yield from sorted(found, key=lambda entity: (not entity.ties, entity.kind, entity.name))


def _short_entity(entity: EntityRecord) -> str:
    verdict = _unless_unknown(entity.verdict)
    return f"<p>{_named(entity)}{escape(f' ({_label(verdict)})' if verdict else '')}</p>"


def _named(entity: EntityRecord) -> str:
    kind = entity.kind.replace("_", " ").capitalize()
    return f"{kind}: {escape(one_line(entity.name)[:_LONGEST_DETAIL])}"


def _entity(entity: EntityRecord) -> str:
    rows = [
        ("Role", ", ".join(map(_label, entity.roles))),
        ("Verdict", _label(_unless_unknown(entity.verdict))),
        ("Remediation", _label(_unless_unknown(entity.remediation))),
        *((_label(field), value) for field, value in entity.details),
    ]
    return f"<p><b>{_named(entity)}</b></p>{table(rows)}"


def _label(name: str) -> str:
    """ "processCommandLine" -> "Process command line"; words in capitals stay."""
    words = _HUMP.sub(" ", one_line(name)[:80]).split(" ")
    text = " ".join(word if word.isupper() else word.lower() for word in words)
    return text[:1].upper() + text[1:]


def table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td>{escape(one_line(label))}</td><td>{escape(shown)}</td></tr>"
        for label, value in rows
        if (shown := one_line(value[: _LONGEST_DETAIL + 1]))
    )
    return f"<table>{cells}</table>" if cells else ""


def _texts(heading: str, texts: Iterable[str]) -> Iterator[str]:
    """A heading and each different text as paragraphs."""
    different = list(dict.fromkeys(text for text in texts if text.strip()))
    if different:
        yield f"<h3>{heading}</h3>"
    for text in different:
        lines = _UNSAFE_LINES.sub("", unicodedata.normalize("NFC", text[:_LONGEST_TEXT])).split(
            "\n"
        )
        shown = [escape(line.strip()) for line in lines if line.strip()]
        yield f"<p>{'<br>'.join(shown[:_MOST_LINES])}</p>"
        if len(text) > _LONGEST_TEXT or len(shown) > _MOST_LINES:
            yield "<p>The rest of this text was left out.</p>"


def time_text(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def is_https(url: str) -> bool:
    return url.startswith("https://") and not _SPACES.search(url)


def _is_microsofts(url: str) -> bool:
    """An https address on a site of Microsoft's."""
    if not is_https(url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return f".{host}".endswith(_MICROSOFT) and "@" not in parts.netloc and "\\" not in url


def link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}" rel="noopener noreferrer">{text}</a>'
