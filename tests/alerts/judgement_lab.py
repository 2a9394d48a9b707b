"""Cases with facts as enrichment stores them, without Microsoft."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alerts import decide as shell
from alerts.decide import Decided
from alerts.ingest import store_page
from alerts.judge import Settings
from alerts.models import Alert, AlertFact, Case
from alerts.prepare import prepare_page
from alerts.rejudge import judge_again
from alerts.suppress import suppressions_now
from enrichment.facts import AlertFacts, Known, MatchedBy, Mfa, SignInFacts, UserRisk
from enrichment.stored import to_json
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tests.alerts.documents import DAY

NOW = datetime.now(UTC)
FINE = SignInFacts(
    at=DAY,
    request=uuid.UUID(int=7),
    matched_by=MatchedBy.REQUEST,
    error_code=0,
    mfa=Mfa.PERFORMED,
    method="app",
    is_interactive=True,
    address=uuid.UUID(int=8),
    country="CH",
    risk="low",
)
PROVEN = AlertFacts(
    alert_id=0,
    user=uuid.UUID(int=9),
    user_count=1,
    sign_in=FINE,
    sign_in_known=Known.YES,
    risk=UserRisk("low", "atRisk", ("unfamiliarFeatures",)),
    risk_known=Known.YES,
    audits_known=Known.YES,
)
"""Facts that prove an alert harmless."""


def take(tenant: Tenant, pseudonymiser: Pseudonymiser, *documents: dict[str, object]) -> list[Case]:
    """Store the documents; their cases, oldest first. Inside the scope."""
    store_page(tenant.pk, prepare_page(documents, pseudonymiser), pseudonymiser.version)
    keys = [str(one["id"]) for one in documents]
    return list(Case.objects.filter(alerts__provider_id__in=keys).distinct().order_by("pk"))


def know(key: str, facts: AlertFacts = PROVEN) -> None:
    """Facts of an alert, by its provider id."""
    alert = Alert.objects.get(provider_id=key)
    AlertFact.objects.update_or_create(
        alert=alert, defaults={"facts": to_json(replace(facts, alert_id=alert.pk))}
    )
    judge_again([alert.case_id])


def decide(tenant: Tenant, now: datetime) -> Decided:
    """Without rules, so that it can be done inside the scope."""
    settings = Settings(tenant.auto_close, {}, (), suppressions_now(now))
    return shell.decide(tenant, now, settings)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)
