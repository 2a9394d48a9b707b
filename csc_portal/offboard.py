"""The end of a customer: reading stops, push is revoked, and on demand all is forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from csc_portal.lake_run import lake_store
from csc_portal.push import end_push
from csc_portal.turns import LAKE, turn
from lake.retention import erase as erase_lake
from lake.store import BadLakeUrl
from tenants.audit import record
from tenants.models import Tenant
from tenants.onboarding import OnboardingError, erase_tenant

ATTEMPTS, APART_S = 20, 0.25
"""How long a window that is being written is waited for."""


def off_board(tenant: Tenant, actor: str) -> str:
    """Stop reading and being pushed. What is stored stays. What went wrong with push, or ""."""
    with transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(
            state=Tenant.State.OFFBOARDED, next_poll_at=None, next_delivery_at=None
        )
        record(actor, "tenant_offboarded", tenant)
    # Whoever is not read any more should not be pushed either. What stays behind expires.
    return end_push(tenant)


def erase(tenant: Tenant, actor: str) -> None:
    """Everything that is stored of it, for good. Raises OnboardingError if its lake can't go.

    The lake goes first: without the tenant's row nobody would know that its folder is there.
    """
    public_id = tenant.public_id
    with _lake_turn(tenant):
        try:
            erase_lake(lake_store(), str(public_id))
        except (OSError, BadLakeUrl) as err:
            raise OnboardingError("The lake can't be reached. Nothing was erased.") from err
        erase_tenant(tenant)
    # The tenant's row is gone, so the entry names none: only that one was erased.
    record(actor, "tenant_erased", subject=f"tenant {public_id}")


@contextmanager
def _lake_turn(tenant: Tenant) -> Iterator[None]:
    """So that no window is written while it is erased, nor after."""
    for _ in range(ATTEMPTS):
        with turn(tenant.pk, LAKE) as is_ours:
            if is_ours:
                yield
                return
        time.sleep(APART_S)
    raise OnboardingError("Its lake is being written just now. Try again in some minutes.")
