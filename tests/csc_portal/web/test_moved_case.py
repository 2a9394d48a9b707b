"""The address of a merged case leads to the one that goes on, for those who may see it."""

from __future__ import annotations

from alerts import regroup
from alerts.models import Case
from tenants.scope import scope


def test_an_old_address_leads_on(world, sign_in):
    tenant, gone = world.tenants["qa"], world.cases["qa"]
    with scope(tenant):
        other = Case.objects.exclude(pk=gone.pk).order_by("pk").first()
        seen = {case.pk: case.version for case in Case.objects.filter(pk__in=[gone.pk, other.pk])}
        regroup.merge(tenant.pk, seen, into=other.pk, actor_id=1)
    answer = sign_in("analyst", tenant).get(f"/cases/{gone.public_id}/")
    assert (answer.status_code, answer["Location"]) == (302, f"/cases/{other.public_id}/")
    stranger = sign_in("analyst", world.tenants["qatest"])
    assert stranger.get(f"/cases/{gone.public_id}/").status_code == 404
