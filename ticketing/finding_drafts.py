"""What the ticket of a finding says. Pure; all text from outside is escaped by `drafts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from ticketing.adapters.base import TicketDraft
from ticketing.drafts import (
    LONGEST_SUBJECT,
    SEVERITIES,
    bounded,
    is_https,
    link,
    one_line,
    subject_line,
    table,
    time_text,
)

PRIORITIES = {2: 1, 3: 2, 4: 3}
"""Severity -> the ticket's priority, 1 low to 4 urgent: a finding is no attack, so never urgent."""


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """A finding. `lines`: (what, details) of the things it is about; they may hold names."""

    kind: str
    tenant: str
    severity: int
    summary: str
    opened_at: datetime
    size: int
    lines: Sequence[tuple[str, str]] = ()
    advice: str = ""
    problem: str = ""


def draft_finding(finding: FindingFacts, reference: str, portal_url: str) -> TicketDraft:
    """The one ticket of a finding, grouped: not one for each thing."""
    word = SEVERITIES[finding.severity].lower()
    return TicketDraft(
        reference=reference,
        subject=subject_line(
            f"{finding.kind}: {finding.summary}", LONGEST_SUBJECT - len(reference) - 3
        ),
        html=_html([], finding, portal_url),
        priority=PRIORITIES.get(finding.severity, 1),
        tags=("csc-portal", "csc-finding", f"severity-{word}"),
    )


def draft_finding_note(finding: FindingFacts, portal_url: str) -> str:
    """The note for a finding that has become larger or worse."""
    return _html(["<p>This finding has grown. It says now:</p>"], finding, portal_url)


def _html(start: list[str], finding: FindingFacts, portal_url: str) -> str:
    rows = [
        ("Finding", finding.kind),
        ("Customer", finding.tenant),
        ("Severity", SEVERITIES[finding.severity]),
        ("Summary", finding.summary),
        ("Since", time_text(finding.opened_at)),
    ]
    parts = [*start, table(rows)]
    if finding.advice:
        parts.append(f"<p>{escape(finding.advice)}</p>")
    if is_https(portal_url):
        parts.append(f"<p>{link(portal_url, 'Open the finding in the portal')}</p>")
    if finding.lines:
        parts.append(f"<h3>What it is about</h3>{table(finding.lines)}")
    if finding.size > len(finding.lines) > 0:
        parts.append(f"<p>{len(finding.lines)} of {finding.size:,} are listed here.</p>")
    if finding.problem:
        parts.append(f"<p>Not all names could be read: {escape(one_line(finding.problem))}</p>")
    parts.append("<p>This ticket is resolved by itself when the finding is over.</p>")
    return bounded(parts)
