"""Onboarding in steps. What the steps do is what `csc_portal.onboard` does for a command at once.

    1 directory -> 2 consent -> 3 permissions -> 4 tickets -> 5 assets -> 6 first read

The state stands in `tenants.models.Onboarding`, so that it can be left and resumed by anybody who
may onboard. Nothing is made of a customer before its consent is proven; then the tenant is there,
not being read, until the last step.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from alerts.blind_spots import check_sources
from alerts.ledger import BEGINNING
from clients.errors import ApiError, NotFound, Rejected
from clients.microsoft.discovery import find_directory
from clients.microsoft.security import count_alerts
from csc_portal.consent import Proof, Standing, prove
from csc_portal.onboard import onboard
from csc_portal.standing import note_credential
from tenants.audit import record
from tenants.directories import cloud, graph_for
from tenants.models import Onboarding, Tenant, User
from tenants.onboarding import NewTenant, OnboardingError, check_free
from tenants.secrets import vault

Step = Onboarding.Step
SECRET_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")


class WrongField(ValueError):
    """What was typed into one field of the form can't be used; the text says what to do."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Typed:
    """The first step, as an admin types it. `directory` is an id or a domain."""

    name: str
    slug: str
    directory: str
    client_id: uuid.UUID
    credential_secret: str


def slug_from(name: str) -> str:
    """A short name made of a long one: "Müller & Co. AG" -> "muller-co-ag"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return re.sub(r"^[^a-z]+", "", words)[:40].rstrip("-")


def start(typed: Typed, user: User) -> Onboarding:
    """The first step: everything is checked that can be without consent. Raises WrongField.

    The same directory again goes on where it was left.
    """
    new = checked(typed)
    fields = {
        "name": new.name.strip(),
        "slug": new.slug,
        "client_id": new.client_id,
        "credential_secret": new.credential_secret,
    }
    try:
        with transaction.atomic():
            onboarding, is_new = Onboarding.objects.get_or_create(
                directory_id=new.directory_id,
                finished_at=None,
                defaults={**fields, "started_by": user},
            )
            if is_new:
                subject = f"onboarding {onboarding.public_id}"
                record(user.username, "onboarding_begun", subject=subject)
    except IntegrityError as err:
        raise WrongField("directory", "Somebody else has just begun with it.") from err
    if not is_new and onboarding.tenant_id is None:
        change(onboarding, **fields)
    return onboarding


def checked(typed: Typed) -> NewTenant:
    """What can be known without consent: names, directory, secret. Raises WrongField."""
    directory = _directory(typed.directory)
    slug = typed.slug or slug_from(typed.name)
    new = NewTenant(slug, typed.name, directory, typed.client_id, typed.credential_secret)
    known = Tenant.objects.filter(directory_id=directory).first()
    if known is not None and known.state != Tenant.State.ONBOARDING:
        raise WrongField("directory", f"This directory is already onboarded as '{known.slug}'.")
    try:
        check_free(new)
    except OnboardingError as err:
        raise WrongField(
            "directory" if "directory is already" in str(err) else "slug", str(err)
        ) from err
    _check_secret(new.credential_secret)
    return new


def _directory(typed: str) -> uuid.UUID:
    try:
        return find_directory(cloud().login, typed)
    except Rejected as err:
        text = str(err)
        if err.code == "AADSTS90002":
            text = f"Entra ID knows no directory of this id or domain. Check it. ({err.code})"
        raise WrongField("directory", text) from err
    except ApiError as err:
        raise WrongField("directory", f"It could not be checked: {err}") from err


def _check_secret(name: str) -> None:
    if not SECRET_NAME.fullmatch(name):
        raise WrongField(
            "credential_secret", "A secret's name has letters, digits and hyphens. No value here."
        )
    try:
        vault().forget(name)
        vault().get(name)
    except NotFound as err:
        raise WrongField("credential_secret", str(err)) from err
    except ApiError as err:
        raise WrongField("credential_secret", f"It could not be read: {err}") from err


def change(onboarding: Onboarding, **fields: object) -> None:
    Onboarding.objects.filter(pk=onboarding.pk).update(**fields, changed_at=timezone.now())
    for name, value in fields.items():
        setattr(onboarding, name, value)


def reach(onboarding: Onboarding, step: int) -> None:
    """The step may be opened from now on; one never goes back."""
    if onboarding.finished_at is None and onboarding.reached < step:
        change(onboarding, reached=step)


def check_consent(onboarding: Onboarding, user: User) -> Proof:
    """Ask for a token; with one the tenant is made, if there is none. Raises ApiError."""
    now = timezone.now()
    proof = prove(onboarding, now)
    if proof.standing != Standing.PROVEN:
        return proof
    if onboarding.tenant_id is None:
        tenant, _ = onboard(_new(onboarding), None, enable=False, actor=user.username)
        change(onboarding, tenant=tenant)
    tenant = onboarding.tenant
    with transaction.atomic():
        change(onboarding, consented_at=now)
        record(user.username, "consent_proven", tenant)
    reach(onboarding, Step.PERMISSIONS)
    if tenant is not None:
        note_credential(tenant)
    return proof


def check_permissions(tenant: Tenant) -> None:
    """Probe with a new token, since an old one does not know what was granted since."""
    graph = graph_for(tenant)
    graph.forget_token()
    check_sources(tenant, graph, timezone.now())


def begin_first_read(onboarding: Onboarding, user: User) -> None:
    """The last step: from now on workers read the tenant, whoever looks on."""
    tenant = onboarding.tenant
    if tenant is None:
        raise OnboardingError("The consent has to be proven first.")
    now = timezone.now()
    with transaction.atomic():
        changed = Tenant.objects.filter(pk=tenant.pk, state=Tenant.State.ONBOARDING).update(
            state=Tenant.State.ACTIVE, next_poll_at=now, failures=0, last_error=""
        )
        if changed:
            record(user.username, "tenant_onboarded", tenant, facts={"enabled": True})
    change(onboarding, finished_at=onboarding.finished_at or now, expected=_expected(tenant))


def _expected(tenant: Tenant) -> int | None:
    """How many alerts there are to read, if Microsoft says; only for the progress bar."""
    try:
        return count_alerts(graph_for(tenant), BEGINNING, timezone.now())
    except ApiError:
        return None


@transaction.atomic
def discard(onboarding: Onboarding, user: User) -> None:
    """Forget an onboarding that has made no tenant yet."""
    deleted, _ = Onboarding.objects.filter(pk=onboarding.pk, tenant=None).delete()
    if deleted:
        record(user.username, "onboarding_dropped", subject=f"onboarding {onboarding.public_id}")


def consent_of(tenant: Tenant, user: User) -> Onboarding:
    """For another consent of a tenant; one that a command onboarded has no row yet."""
    found, _ = Onboarding.objects.get_or_create(
        tenant=tenant,
        defaults={
            "started_by": user,
            "name": tenant.name,
            "slug": tenant.slug,
            "directory_id": tenant.directory_id,
            "client_id": tenant.client_id,
            "credential_secret": tenant.credential_secret,
            "reached": Step.FIRST_READ,
            "finished_at": timezone.now(),
        },
    )
    return found


def _new(onboarding: Onboarding) -> NewTenant:
    return NewTenant(
        onboarding.slug,
        onboarding.name,
        onboarding.directory_id,
        onboarding.client_id,
        onboarding.credential_secret,
    )
