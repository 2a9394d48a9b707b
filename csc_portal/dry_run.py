"""What a rule would have done: to the cases of the last 30 days, with the facts known of them now.

Nothing is changed. Cases are read in pages of a few statements each, the newest first, up to a
limit a tenant; each is judged as if it had just come, by the rule alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts import policy
from alerts.dossier import Dossier
from alerts.dossiers import CaseState, read_cases
from alerts.judge import CLOSED, SNOOZED, SUPPRESSED, Settings, judge
from alerts.policy_fields import facts_of
from alerts.rows import run
from tenants.models import Tenant
from tenants.scope import scope

DAYS = 30
PAGE = 500
MOST_CASES = 5_000
"""Of one tenant: some seconds. What is older then is not looked at, and the result says so."""
SHOWN = 50
REAL = "truePositive"
HARMLESS = frozenset({"falsePositive", "informationalExpectedActivity"})

RECENT = """
SELECT id FROM alerts_case WHERE status < 3 AND opened_at >= %s AND id < %s
ORDER BY id DESC LIMIT %s
"""
_ENDS = frozenset({CLOSED, SUPPRESSED, SNOOZED})


@dataclass(frozen=True, slots=True)
class Case:
    """A case that the rule means. `verdict`: what people said of it, or "" """

    tenant_id: int
    case_id: int
    public_id: uuid.UUID
    verdict: str
    closed_by: str
    reasons: tuple[str, ...]


@dataclass(slots=True)
class DryRun:
    """`held`: cases for which the conditions hold; `ended`: of these, those that the rule would
    have closed, suppressed or snoozed; the rest people had in hand, or it is not that kind of rule.

    `real`, `harmless`, `unjudged`: the ended ones by the verdict of people. `called_real` are the
    mistakes that the rule would have made, and `examples` some of the others. `is_cut`: there were
    more cases than are looked at.
    """

    looked_at: int = 0
    held: int = 0
    ended: int = 0
    real: int = 0
    harmless: int = 0
    unjudged: int = 0
    called_real: list[Case] = field(default_factory=list)
    examples: list[Case] = field(default_factory=list)
    by_tenant: dict[int, int] = field(default_factory=dict)
    is_cut: bool = False


def dry_run(definition: object, tenants: Iterable[Tenant], now: datetime) -> DryRun:
    """Over these tenants, for which the caller has checked the user's grants. Raises BadRule."""
    read = policy.read_definition(definition)
    rule = policy.Rule(uuid.UUID(int=0), 1, "Dry run", "Dry run", read)
    found = DryRun()
    for tenant in tenants:
        with scope(tenant):
            _look_at(tenant.pk, rule, now, now - timedelta(days=DAYS), found)
    return found


def _look_at(
    tenant_id: int, rule: policy.Rule, now: datetime, since: datetime, found: DryRun
) -> None:
    below, looked_at = 2**62, 0
    while looked_at < MOST_CASES:
        ids = [case for (case,) in run(RECENT, [since, below, PAGE])]
        for state in read_cases(ids, with_entities=True):
            _count(tenant_id, state, rule, now, found)
        looked_at += len(ids)
        if len(ids) < PAGE:
            break
        below = ids[-1]
    else:
        found.is_cut = True
    found.looked_at += looked_at


def _count(
    tenant_id: int, state: CaseState, rule: policy.Rule, now: datetime, found: DryRun
) -> None:
    # A verdict of people is what the rule is measured by, so it must not count as a touch here.
    dossier = _as_if_new(state.dossier)
    facts = facts_of(dossier)
    if not rule.definition.when.holds(facts):
        return
    found.held += 1
    judged = judge(dossier, Settings(rules=(rule,), with_proof=False), now)
    if judged is None or judged.basis != "rule" or judged.outcome not in _ENDS:
        return
    found.ended += 1
    found.by_tenant[tenant_id] = found.by_tenant.get(tenant_id, 0) + 1
    case = Case(
        tenant_id,
        dossier.case_id,
        state.public_id,
        state.verdict,
        state.dossier.closed_by,
        tuple(reason.words for reason in judged.reasons),
    )
    if state.dossier.closed_by or not state.verdict:
        found.unjudged += 1
    elif state.verdict == REAL:
        found.real += 1
        found.called_real.append(case)
        return
    else:
        found.harmless += state.verdict in HARMLESS
    if len(found.examples) < SHOWN:
        found.examples.append(case)


def _as_if_new(dossier: Dossier) -> Dossier:
    return replace(
        dossier,
        was_touched=False,
        was_reopened=False,
        has_ticket=False,
        closed_by="",
        snoozed_until=None,
        held_growth=0,
    )
