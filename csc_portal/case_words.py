"""What a case's page says in words: steps of its timeline, facts of sign-ins, answers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from alerts.dossier import SEVERITIES
from alerts.policy_fields import FIELDS
from alerts.reasons import sentence
from alerts.verdicts import DETERMINATIONS, FALSE_POSITIVE_REASONS, SEVERITY_REASONS, VERDICTS

Facts = Mapping[str, Any]
Product = Callable[[str], str]

KNOWN: Mapping[str, str] = {
    "yes": "Known",
    "pending": "Waiting: the logs lag",
    "unknown": "Not found, and not to be expected any more",
    "not_asked": "Not needed for this alert",
    "no_licence": "Not licensed at the customer",
    "no_permission": "No permission",
    "failed": "Microsoft did not answer; asked again",
}
MFA: Mapping[str, str] = {
    "performed": "Performed in this sign-in",
    "claim": "Satisfied by a claim in the token: no proof",
    "not_required": "Not required",
    "denied": "Denied by the user",
    "unanswered": "Not answered",
    "unknown": "Not known",
}
METHODS: Mapping[str, str] = {
    "fido2": "passkey or security key",
    "hello": "Windows Hello for Business",
    "platform": "platform credential",
    "certificate": "certificate",
    "app": "notification in the Authenticator app",
    "code": "one-time code",
    "text": "text message",
    "call": "phone call",
}
MATCHED: Mapping[str, str] = {
    "request_id": "by its request id",
    "correlation_id": "by its correlation id",
    "user_address_time": "by user, address and time",
}
BASES: Mapping[str, str] = {
    "proof": "the proof of MFA",
    "rule": "a rule",
    "suppression": "a suppression",
    "evidence": "new evidence",
    "default": "no rule applied",
}
TOLD: Mapping[str, str] = {
    "pending": "Microsoft is being told",
    "sent": "Microsoft was told",
    "agreed": "Microsoft says the same",
    "overruled": "Microsoft's side was changed there and was taken",
    "failed": "Microsoft refused it",
    "off": "Microsoft is not told: switched off for this tenant",
}
ALSO: Mapping[str, str] = {
    "resolved_in_microsoft": "Resolved, because Microsoft resolved all its alerts",
    "reopened_in_microsoft": "Opened again, because it was opened at Microsoft",
    "resolved_in_ticket": "Resolved, because its ticket was closed",
    "reopened_in_ticket": "Opened again, because its ticket was",
    "ticket_closed_unjudged": "The ticket was closed without a verdict, so the case stays open",
    "ticket_assigned": "Somebody took the ticket",
    "ticket_unassigned": "The ticket was given back",
    "ticket_asked": "A ticket was asked for at once",
    "started": "Set to in progress",
    "woken": "Back from the snooze",
    "would_close": "Would have been closed by the portal (dry run)",
    "auto_closed": "Closed by the portal",
    "suppressed": "Closed as suppressed",
}


def method_name(word: str) -> str:
    return METHODS.get(word, word.replace("_", " "))


def operation_name(word: str) -> str:
    """ "mfa_method_added" -> "MFA method added"."""
    text = word.replace("_", " ").replace("mfa", "MFA")
    return text[:1].upper() + text[1:]


def facts_in_words(known: Mapping[str, object]) -> list[tuple[str, str]]:
    """(what, value) of the facts that a decision read; those that say nothing are left out."""
    found = []
    for name, value in known.items():
        field = FIELDS.get(name)
        if field is None or value in (False, 0, [], ""):
            continue
        words = field.words
        found.append((words[:1].upper() + words[1:], _value(name, value)))
    return found


def _value(name: str, value: object) -> str:
    if value is None:
        return "not known"
    if value is True:
        return "yes"
    if isinstance(value, list):
        makers = {"mfa": lambda one: MFA.get(one, one).lower(), "methods": method_name,
                  "audits": operation_name}  # fmt: skip
        maker = makers.get(name, str)
        return ", ".join(str(maker(str(one))) for one in value)
    if name == "severity" and value in range(5):
        return SEVERITIES[int(str(value))]
    return str(value)


def verdict_line(verdict: str, determination: str = "", reason: str = "") -> str:
    """ "False positive · Not malicious · A trusted network, VPN or proxy"."""
    parts = [
        VERDICTS.get(verdict, verdict),
        DETERMINATIONS.get(verdict, {}).get(determination, determination),
        FALSE_POSITIVE_REASONS.get(reason, reason),
    ]
    return " · ".join(part for part in parts if part)


def step_text(kind: str, facts: Facts) -> str:
    """One line of the timeline."""
    maker = _TEXTS.get(kind)
    if maker is not None:
        return maker(facts)
    return ALSO.get(kind) or operation_name(kind)


def step_detail(kind: str, facts: Facts, product: Product = str) -> str:
    """What stands below it, or ""."""
    because = facts.get("because")
    if kind in ("joined", "merged") and isinstance(because, Mapping) and because.get("by"):
        return sentence(because, product)
    if kind == "reopened":
        return _why_reopened(facts)
    if kind in ("snoozed", "severity"):
        reason = str(facts.get("reason") or "")
        return SEVERITY_REASONS.get(reason, reason)
    reasons = facts.get("reasons")
    if isinstance(reasons, list):
        return " ".join(str(one[1]) for one in reasons[:3] if len(one) > 1)
    return ""


def _why_reopened(facts: Facts) -> str:
    by, because = facts.get("by"), facts.get("because")
    if by == "watch":
        return "A risky directory change followed."
    if by == "evidence" and isinstance(because, int):
        return f"Case #{because} about the same person was raised."
    return ""


def _counted(facts: Facts, name: str = "alerts") -> str:
    value = facts.get(name, 1)
    number = len(value) if isinstance(value, list) else value
    return f"{number} alert" if number == 1 else f"{number} alerts"


def _judged(facts: Facts) -> str:
    after = facts.get("after", {})
    return verdict_line(
        after.get("verdict", ""), after.get("determination", ""), after.get("verdict_reason", "")
    )


def _until(facts: Facts) -> str:
    try:
        at = datetime.fromisoformat(str(facts.get("until", ""))).astimezone(UTC)
    except ValueError:
        return "Snoozed"
    return f"Snoozed until {at:%Y-%m-%d %H:%M} UTC"


def _severity(facts: Facts) -> str:
    rank = facts.get("after", {}).get("severity", 0)
    return f"Severity set to {SEVERITIES[rank] if rank in range(5) else 'unknown'}"


def _commented(facts: Facts) -> str:
    places = {"ticket": "in the ticket", "microsoft": "at Microsoft"}
    where = [places.get(one, str(one)) for one in facts.get("where", [])]
    return f"Commented {' and '.join(where)}"


def _hit(facts: Facts) -> str:
    names = [operation_name(str(one)) for one in facts.get("operations", [])]
    return f"The watch found: {', '.join(names)}"


_TEXTS: Mapping[str, Callable[[Facts], str]] = {
    "opened": lambda f: f"Case opened with {_counted(f)}",
    "joined": lambda f: f"{_counted(f)} joined",
    "overlap": lambda f: f"{_counted(f)} found to report what another one does",
    "merged": lambda f: f"Case #{f.get('case', '')} was merged into this one",
    "unmerged": lambda f: f"Parted from case #{f.get('case', '')} again, {_counted(f)}",
    "split": lambda f: f"{_counted(f)} split off into case #{f.get('case', '')}",
    "split_off": lambda f: f"Split off from case #{f.get('case', '')} with {_counted(f)}",
    "continues": lambda f: f"Continues case #{f.get('case', '')}, which is full",
    "kept_apart": lambda f: "Two alerts are never tied again",
    "allowed_again": lambda f: "A pair kept apart may be tied again",
    "ticket": lambda f: f"Ticket {f.get('ticket', '')} opened",
    "ticket_note": lambda f: f"Note added to ticket {f.get('ticket', '')}",
    "ticket_updated": lambda f: f"Ticket {f.get('ticket', '')} set to {f.get('state', '')}",
    "ticket_gone": lambda f: f"Ticket {f.get('ticket', '')} was deleted there",
    "ticket_noted": lambda f: f"People wrote {f.get('count', '')} notes in the ticket",
    "assigned": lambda f: (
        "Assigned" if f.get("after", {}).get("assignee_id") else "Assignment taken away"
    ),
    "resolved": lambda f: f"Resolved: {_judged(f)}".rstrip(": "),
    "reopened": lambda f: "Opened again",
    "judged": lambda f: f"Verdict: {_judged(f) or 'none'}",
    "judged_in_microsoft": lambda f: f"Verdict as at Microsoft: {_judged(f) or 'none'}",
    "overruled_in_microsoft": lambda f: f"{_counted(f)} changed at Microsoft meanwhile: theirs won",
    "told_microsoft": lambda f: "Microsoft was told",
    "severity": _severity,
    "snoozed": _until,
    "commented": _commented,
    "watch_hit": _hit,
}
