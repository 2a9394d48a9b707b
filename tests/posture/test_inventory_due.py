"""When Azure is read whole again, and that each tenant is started once."""

from __future__ import annotations

import pytest
from django.utils import timezone

from csc_portal import inventory
from csc_portal.inventory import is_full_due, start_inventories
from tenants.models import Tenant
from tests.posture.lab import Azure, read, set_rule, states

YES = {"monitored": "true"}


def test_who_is_due(azure: Azure, customer: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    Tenant.objects.exclude(pk=customer.pk).update(state="paused")
    asked: list[tuple] = []
    monkeypatch.setattr(
        inventory.inventory_tenant, "apply_async", lambda args, queue: asked.append(args)
    )
    start_inventories()
    start_inventories()
    assert asked == [(customer.pk, True)]


def test_a_change_of_the_rule_while_reading_is_not_lost(azure: Azure, customer: Tenant) -> None:
    azure.subscription()
    read(customer)
    inventory.read_soon(customer)
    assert Tenant.objects.get(pk=customer.pk).next_inventory_at is None
    assert is_full_due(Tenant.objects.get(pk=customer.pk), timezone.now())


def test_a_rule_that_nothing_was_judged_by_yet_needs_a_full_read(
    azure: Azure, customer: Tenant
) -> None:
    """The read that was to follow its change may be lost, or fail."""
    azure.subscription()
    azure.resource("vm", YES)
    set_rule(customer)
    read(customer)
    assert not is_full_due(Tenant.objects.get(pk=customer.pk), timezone.now())
    set_rule(customer, tags=[["watched", []]])
    assert is_full_due(Tenant.objects.get(pk=customer.pk), timezone.now())
    read(customer, is_full=False)
    assert states(customer) == {"virtualmachines": ("unwatched", "missing")}
