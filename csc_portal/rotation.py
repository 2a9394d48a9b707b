"""Another credential for a tenant: proven first, then used from the next call on, by every process.

Workers read the tenant's row at the start of each task, so nothing is restarted.
"""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone

from alerts.blind_spots import check_sources
from clients.errors import ApiError
from clients.microsoft.security import ALERTS
from csc_portal.standing import note_credential
from tenants.audit import record
from tenants.directories import graph_for, graph_of
from tenants.models import Tenant
from tenants.secrets import vault


def rotate(tenant: Tenant, client_id: uuid.UUID, credential_secret: str, actor: str) -> None:
    """Switch to the credential. Raises ApiError if it reads no alerts; then nothing is changed."""
    vault().forget(credential_secret)
    vault().get(credential_secret)
    graph = graph_of(str(tenant.directory_id), str(client_id), credential_secret)
    graph.forget_token()  # one that another credential got would prove nothing
    graph.get(ALERTS, {"$top": "1"}, family="alerts")
    with transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(
            client_id=client_id, credential_secret=credential_secret
        )
        record(actor, "credential_rotated", tenant)
    tenant.client_id, tenant.credential_secret = client_id, credential_secret
    note_credential(tenant)
    _look_again(tenant)


def _look_again(tenant: Tenant) -> None:
    """Another app may hold other permissions. Reading goes on, whatever comes of this."""
    try:
        check_sources(tenant, graph_for(tenant), timezone.now())
    except ApiError:
        return
    Tenant.objects.filter(pk=tenant.pk, state=Tenant.State.ACTIVE).update(
        next_poll_at=timezone.now()
    )
