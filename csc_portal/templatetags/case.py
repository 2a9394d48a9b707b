"""What the pages of a case and of an entity say: reasons with their entities, steps, facts."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.template.defaultfilters import date as date_filter
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alerts.reasons import sentence
from csc_portal import case_timeline, case_words
from csc_portal.case_timeline import Step
from csc_portal.templatetags.portal import source_name
from tenants.pseudonyms import label

register = template.Library()

_MARK = re.compile("\x02([^\x02]*)\x02")
STEP_ICONS = {
    "alert": "alert-triangle",
    "facts": "search",
    "opened": "inbox",
    "joined": "git-merge",
    "overlap": "copy",
    "merged": "git-merge",
    "split": "git-branch",
    "split_off": "git-branch",
    "unmerged": "git-branch",
    "kept_apart": "git-branch",
    "allowed_again": "git-merge",
    "ticket": "ticket",
    "ticket_note": "note",
    "ticket_asked": "ticket",
    "ticket_updated": "ticket",
    "ticket_gone": "circle-x",
    "not_sent": "alert-triangle",
    "assigned": "user-check",
    "started": "player-play",
    "resolved": "circle-check",
    "auto_closed": "shield-check",
    "would_close": "shield",
    "suppressed": "eye-off",
    "reopened": "refresh",
    "judged": "shield-check",
    "snoozed": "zzz",
    "woken": "bell",
    "commented": "message",
    "watch_hit": "eye",
    "told_microsoft": "send",
    "write_back": "send",
    "decision_raised": "users",
    "decision_waiting": "clock",
}


@register.filter
def step_icon(kind: str) -> str:
    if kind.endswith(("_in_microsoft", "_in_ticket")):
        kind = kind.partition("_in_")[0]
    return STEP_ICONS.get(kind, "info-circle")


@register.filter
def step_detail(step: Step) -> str:
    return case_timeline.detail_of(step, source_name)


@register.filter
def why(alert: Any) -> SafeString:
    """Why an alert joined its case; what it shares can get its name by 'Show names'."""
    facts = alert.join_facts or {"by": alert.joined_by or "unknown"}
    marked = sentence(facts, source_name, lambda kind, one: f"\x02{kind}|{one}\x02")
    return format_html_join("", "{}", ((_part(*part),) for part in _parts(marked)))


def _parts(text: str) -> list[tuple[bool, str]]:
    """(whether it is an entity, text)."""
    return [(place % 2 == 1, part) for place, part in enumerate(_MARK.split(text)) if part]


def _part(is_entity: bool, text: str) -> SafeString | str:
    if not is_entity:
        return text
    kind, _, pseudonym = text.partition("|")
    return format_html(
        '<span class="entity" data-pseudonym="{}">{}</span>', pseudonym,
        label(kind, uuid.UUID(pseudonym)),
    )  # fmt: skip


@register.filter
def known_word(state: str) -> str:
    return case_words.KNOWN.get(state, state)


@register.filter
def mfa_word(state: str) -> str:
    return case_words.MFA.get(state, state)


@register.filter
def method_word(method: str) -> str:
    return case_words.method_name(method)


@register.filter
def matched_word(by: str) -> str:
    return case_words.MATCHED.get(by, by)


@register.filter
def basis_word(basis: str) -> str:
    return case_words.BASES.get(basis, basis)


@register.filter
def told_word(state: str) -> str:
    return case_words.TOLD.get(state, state)


@register.filter
def operation(word: str) -> str:
    return case_words.operation_name(word)


@register.filter
def verdict_line(case: Any) -> str:
    return case_words.verdict_line(case.verdict, case.determination, case.verdict_reason)


@register.filter
def known_facts(decision: Any) -> list[tuple[str, str]]:
    """What the decision knew, in words; what was not known is said, too."""
    known = decision.facts.get("known")
    return case_words.facts_in_words(known) if isinstance(known, Mapping) else []


@register.filter
def request_label(request: object) -> str:
    """A sign-in by the pseudonym of its request id."""
    try:
        found = uuid.UUID(str(request))
    except ValueError:
        return "a sign-in without an id"
    return label("sign-in", found)


@register.filter
def moment(text: object) -> str:
    """A stored time, in the user's zone."""
    at = text if isinstance(text, datetime) else _parsed(str(text))
    return date_filter(timezone.localtime(at), "Y-m-d H:i:s T") if at else "—"


def _parsed(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return at if at is not None and timezone.is_aware(at) else None
