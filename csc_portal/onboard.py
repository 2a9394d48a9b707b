"""Onboarding as commands, form and demo all do it: check first, then make it at once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from alerts.blind_spots import note_abilities
from clients.errors import ApiError, NotFound
from clients.microsoft.security import Ability, probe
from csc_portal.backing import PASSWORD_SECRET
from csc_portal.consent import NOT_CONSENTED
from csc_portal.standing import note_credential
from tenants.audit import record
from tenants.directories import PSEUDONYM_KEY, graph_of, pseudonymiser_for
from tenants.factors import SIGN_IN_KEY
from tenants.models import Onboarding, Tenant, TicketConnection
from tenants.onboarding import NewTenant, OnboardingError, check_free, create_tenant
from tenants.secrets import SECRET_KEY_NAME, vault
from ticketing.adapters import registry
from ticketing.connections import connect
from ticketing.endings import read_endings
from ticketing.mapping import read_mapping

REQUIRED_SOURCE = "alerts"


@dataclass(frozen=True, slots=True)
class NewTicketing:
    """The customer's ticket system, as an admin gives it."""

    system: str
    url: str
    secret_name: str
    requester_email: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    mapping: Mapping[str, object] = field(default_factory=dict)


def onboard(
    new: NewTenant, ticketing: NewTicketing | None, *, enable: bool, actor: str
) -> tuple[Tenant, list[str]]:
    """Check directory, credential and ticket system, then make the tenant; (tenant, warnings).

    Without `enable` a missing consent or permission is only a warning: the customer's admin may
    still have to give it. Raises OnboardingError or ApiError; then nothing was made or changed.
    """
    check_free(new)
    warnings, abilities = _check_directory(new, enable=enable)
    connection = _connection(ticketing) if ticketing else None
    if connection is not None:
        _check_ticketing(connection, None)
    with transaction.atomic():
        tenant = create_tenant(new)
        note_abilities(tenant, [(a.source, a.error) for a in abilities], timezone.now())
        if connection is not None:
            _save_connection(tenant, connection)
        if enable:
            Tenant.objects.filter(pk=tenant.pk).update(
                state=Tenant.State.ACTIVE, next_poll_at=timezone.now(), failures=0, last_error=""
            )
            tenant.state = Tenant.State.ACTIVE
        record(actor, "tenant_onboarded", tenant, facts={"enabled": enable})
    note_credential(tenant)
    return tenant, warnings


def connect_ticketing(tenant: Tenant, ticketing: NewTicketing, actor: str) -> TicketConnection:
    """Check the ticket system, then make it the tenant's. Raises OnboardingError or ApiError."""
    connection = _connection(ticketing)
    _check_ticketing(connection, tenant)
    with transaction.atomic():
        saved = _save_connection(tenant, connection)
        record(actor, "ticketing_connected", tenant, facts={"system": connection.system})
    return saved


def _check_directory(new: NewTenant, *, enable: bool) -> tuple[list[str], list[Ability]]:
    """Problems that may be mended later, and what can be read; raises for other problems."""
    try:
        vault().get(new.credential_secret)
    except NotFound as err:
        raise OnboardingError(str(err)) from err
    # The pseudonym key is needed before the first alert can be stored.
    pseudonymiser_for(Tenant(public_id=uuid.uuid4()))
    graph = graph_of(str(new.directory_id), str(new.client_id), new.credential_secret)
    graph.forget_token()  # one that another credential got would prove nothing
    try:
        abilities = probe(graph)
    except ApiError as err:
        if err.code == NOT_CONSENTED and not enable:
            return [str(err)], []
        raise
    problems = {a.source: a for a in abilities if not a.is_there}
    required = problems.get(REQUIRED_SOURCE)
    if enable and required is not None and required.error is not None:
        raise required.error
    warnings = [f"{a.source}: {a.error} ({a.permission})" for a in problems.values()]
    return warnings, abilities


def _connection(ticketing: NewTicketing) -> TicketConnection:
    if ticketing.system not in registry:
        known = ", ".join(sorted(registry))
        raise OnboardingError(f"No ticket system '{ticketing.system}'. Known: {known}.")
    options = dict(ticketing.options)
    if ticketing.requester_email:
        options["requester_email"] = ticketing.requester_email
    return TicketConnection(
        system=ticketing.system,
        url=ticketing.url,
        secret_name=ticketing.secret_name,
        options=options,
        mapping=read_mapping(ticketing.mapping),
    )


def _check_ticketing(connection: TicketConnection, tenant: Tenant | None) -> None:
    _check_whose_secret(connection, tenant)
    try:
        vault().get(connection.secret_name)
    except NotFound as err:
        raise OnboardingError(str(err)) from err
    read_endings(connection.options)
    connect(connection).check()


def _check_whose_secret(connection: TicketConnection, tenant: Tenant | None) -> None:
    """A secret is sent to the address beside it: whoever may change one tenant could have the
    portal's own keys, or another customer's, sent to a server of theirs. Raises OnboardingError.
    """
    name = connection.secret_name  # the vault takes capital and small letters for the same
    own = {SECRET_KEY_NAME, PSEUDONYM_KEY, SIGN_IN_KEY, PASSWORD_SECRET,
           settings.OIDC_CLIENT_SECRET_NAME.lower()}  # fmt: skip
    same: dict[str, str] = {"credential_secret__iexact": name}
    if (
        name.lower() in own
        or Tenant.objects.filter(**same).exists()
        or Onboarding.objects.filter(**same).exists()
    ):
        raise OnboardingError(
            f"The secret '{name}' is the portal's own. A ticket system needs one of its own."
        )
    others = TicketConnection.objects.filter(secret_name__iexact=name).exclude(tenant=tenant)
    if any(_leads_to(other) != _leads_to(connection) for other in others):
        raise OnboardingError(
            f"The secret '{name}' belongs to another tenant's ticket system, at another address "
            "or with another way to sign in. Store this one under a name of its own."
        )


def _leads_to(connection: TicketConnection) -> tuple[str, object]:
    """Where the secret is sent."""
    parts = urlsplit(connection.url.lower())
    return f"{parts.scheme}://{parts.netloc}", connection.options.get("auth")


def _save_connection(tenant: Tenant, connection: TicketConnection) -> TicketConnection:
    saved, _ = TicketConnection.objects.update_or_create(
        tenant=tenant,
        defaults={
            "system": connection.system,
            "url": connection.url,
            "secret_name": connection.secret_name,
            "options": connection.options,
            "mapping": connection.mapping,
            "is_enabled": True,
        },
    )
    return saved
