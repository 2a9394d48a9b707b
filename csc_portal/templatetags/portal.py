"""Words, icons and times, the same on every page."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alerts.models import Case
from alerts.products import SOURCES
from tenants.models import PILLARS, SEVERITIES, Grant
from tenants.pseudonyms import label

register = template.Library()

_DETECTORS = {"cloudAppSecurity": "Cloud App Security"}
"""Named by rules as if they were sources; no case has them as one."""
PILLAR_ICONS = {
    "identity": "user",
    "device": "device-laptop",
    "app": "apps",
    "data": "database",
    "infrastructure": "server",
}
_STEPS = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=1), timedelta(hours=1), "h"),
    (timedelta(minutes=1), timedelta(minutes=1), "min"),
    (timedelta(0), timedelta(seconds=1), "s"),
)


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """An icon of the sprite, for the eye only: the words beside it say the same."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {classes}" if classes else "", static("vendor/icons.svg"), name,
    )  # fmt: skip


@register.filter
def severity_name(rank: int) -> str:
    return SEVERITIES[rank] if 0 <= rank < len(SEVERITIES) else "unknown"


@register.filter
def status_name(status: int) -> str:
    return str(Case.Status(status).label) if status in Case.Status.values else "Unknown"


@register.filter
def status_key(status: int) -> str:
    return status_name(status).lower().replace(" ", "_")


@register.filter
def verdict_name(verdict: str) -> str:
    return str(Case.Verdict(verdict).label) if verdict in Case.Verdict.values else verdict


@register.filter
def ending_name(closed_by: str) -> str:
    """How the portal closed a case by itself."""
    known = closed_by in Case.ClosedBy.values
    return str(Case.ClosedBy(closed_by).label) if known else closed_by


@register.filter
def source_name(source: str) -> str:
    return SOURCES.get(source) or _DETECTORS.get(source, source)


def pillar_list(bits: int) -> list[dict[str, object]]:
    """Every pillar in the order of the chain, with its icon and whether the bits hold it."""
    return [
        {"name": name, "icon": PILLAR_ICONS[name], "is_on": bool(bits & 1 << bit)}
        for bit, name in enumerate(PILLARS)
    ]


@register.filter
def pillar_icon(name: str) -> str:
    return PILLAR_ICONS.get(name, "help-circle")


@register.filter
def pseudonym(entity: tuple[str, uuid.UUID]) -> str:
    """("user", UUID) -> "User K7Q-93F"."""
    return _labelled(entity[0], entity[1])


@register.filter
def is_web(url: str) -> bool:
    """Only such addresses become links: a ticket system could answer with any text."""
    return url.startswith(("https://", "http://"))


@register.filter
def ago(at: datetime | None) -> str:
    """ "5 min", "3 h", "2 d"; "now" for what lies ahead by a clock's error."""
    if at is None:
        return "never"
    passed = timezone.now() - at
    if passed < timedelta(seconds=1):
        return "now"
    for least, unit, sign in _STEPS:
        if passed >= least:
            return f"{passed // unit} {sign}"
    return "now"


@register.filter
def since(at: datetime | None) -> str:
    """ "5 min ago", for a sentence."""
    text = ago(at)
    return text if text in {"never", "now"} else f"{text} ago"


@register.simple_tag
def when(at: datetime | None, *, says_ago: bool = False) -> SafeString:
    """A time as people say it; exact, in the user's zone, when the pointer rests on it.

    frame.js keeps it right. `says_ago`: within a sentence, "5 min ago".
    """
    if at is None:
        return format_html('<span class="text-secondary">{}</span>', "never")
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{} {}"{}>{}</time>',
        at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        local.strftime("%Y-%m-%d %H:%M:%S"),
        local.tzname(),
        SafeString(" data-ago") if says_ago else "",
        since(at) if says_ago else ago(at),
    )


@register.filter
def of(mapping: Mapping[object, object], key: object) -> object:
    """The mapping's value, "" without one. Tenants show their name."""
    value = mapping.get(key, "")
    return getattr(value, "name", value)


@register.filter
def entity_label(entity: object) -> str:
    """Of anything with a kind and a pseudonym."""
    return _labelled(getattr(entity, "kind", ""), getattr(entity, "pseudonym", uuid.UUID(int=0)))


OUR_WORDS = frozenset({"kind", "method", "factor", "before", "by", "what"})
"""Facts whose values the portal chose, not people."""
ACRONYMS = {
    "Ip": "IP",
    "Url": "URL",
    "Nic": "NIC",
    "Ai": "AI",
    "Ad": "AD",
    "Iot": "IoT",
    "Oauth": "OAuth",
    "Sas": "SAS",
}


def _labelled(kind: str, pseudonym: uuid.UUID) -> str:
    first, _, rest = label(kind, pseudonym).partition(" ")
    return f"{ACRONYMS.get(first, first)} {rest}"


@register.filter
def spaced(text: str) -> str:
    """ "InitialAccess" -> "Initial access"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).capitalize()


@register.filter
def listed(names: Iterable[str] | str) -> str:
    """["cloud_resource", "ip"] or "cloud_resource,ip" -> "cloud resource, IP"."""
    found = names.split(",") if isinstance(names, str) else names
    texts = (str(name).strip().replace("_", " ") for name in found)
    return ", ".join(
        " ".join(ACRONYMS.get(part.capitalize(), part) for part in text.split()) for text in texts
    )


@register.filter
def words(text: str) -> str:
    """ "names_shown" -> "Names shown"."""
    return str(text).replace("_", " ").capitalize()


@register.filter
def fact_value(value: object, name: str) -> str:
    """A fact of the audit log for people. Only words that are ours are changed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if name == "role" and value in Grant.Role.values:
        return str(Grant.Role(value).label)
    return str(value).replace("_", " ") if name in OUR_WORDS else str(value)


@register.filter
def total(numbers: Iterable[int]) -> int:
    return sum(numbers)


@register.filter
def took(poll: object) -> str:
    """How long a read lasted, in seconds."""
    started, finished = getattr(poll, "started_at", None), getattr(poll, "finished_at", None)
    return f"{(finished - started).total_seconds():.1f} s" if started and finished else "—"


@register.filter
def dressed(field: BoundField) -> SafeString:
    """A form's input in the look of its kind, tied to its hint and errors."""
    kind = getattr(field.field.widget, "input_type", "")
    look = {"checkbox": "form-check-input", "select": "form-select"}.get(kind, "form-control")
    attributes = {"class": look + (" is-invalid" if field.errors else "")}
    if field.errors:
        described = f"{field.auto_id}_error"
        attributes |= {"aria-invalid": "true", "aria-describedby": described}
    elif field.help_text:
        attributes["aria-describedby"] = f"{field.auto_id}_helptext"
    return field.as_widget(attrs=attributes)
