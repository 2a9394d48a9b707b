"""How far the first read of a tenant is, for a bar that moves."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.models import Alert, Case
from tenants.models import Onboarding, Tenant
from tenants.scope import scope
from ticketing.models import Delivery, Ticket


@dataclass(frozen=True, slots=True)
class FirstRead:
    """`expected`: alerts at Microsoft when it began; None if it did not say."""

    tenant: Tenant
    alerts: int
    cases: int
    tickets: int
    waiting: int
    expected: int | None

    @property
    def is_read(self) -> bool:
        return self.tenant.polled_at is not None

    @property
    def is_done(self) -> bool:
        return self.is_read and not self.waiting

    @property
    def percent(self) -> int | None:
        """Reading counts for nine tenths, sending for the rest; None while nobody can tell."""
        if self.is_done:
            return 100
        if self.is_read:
            return 90 + 10 * self.tickets // (self.tickets + self.waiting)
        if not self.expected:
            return None
        return min(90, 90 * self.alerts // self.expected)

    @property
    def words(self) -> str:
        if self.tenant.is_failing:
            return "Reading fails; it is tried again by itself."
        if self.is_done:
            return "The first read is complete."
        if self.is_read:
            return "Everything is read; tickets are being opened."
        if self.alerts:
            return "Alerts are being read."
        return "A worker will begin in a moment."


def first_read(onboarding: Onboarding, tenant: Tenant) -> FirstRead:
    """Four counts in the tenant's scope."""
    with scope(tenant):
        return FirstRead(
            tenant,
            alerts=Alert.objects.count(),
            cases=Case.objects.count(),
            tickets=Ticket.objects.count(),
            waiting=Delivery.objects.filter(
                state__in=[Delivery.State.PENDING, Delivery.State.SENDING]
            ).count(),
            expected=onboarding.expected,
        )
