"""Keys of programs: made, found again by what a request sends, and revoked.

A key looks like `csc_1a2b3c4d_<43 characters>`: the first part is shown on pages and kept readable,
of the whole only a hash is kept. An application of the provider's directory has a row like a key's,
without a secret: `csc_portal.api.tokens` finds it by a token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from alerts.rows import run
from csc_portal.access import Rights, rights_of
from csc_portal.api.scopes import Scope, rights_in
from tenants.audit import record
from tenants.models import ApiKey, Tenant, TenantGroup, User
from tenants.roles import Right

SHAPE = re.compile(r"(csc_[0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
LONGEST_DAYS = 365
NOTED_EVERY = timedelta(minutes=5)
MOST_KEYS = 100
"""Of one owner, living ones."""

_TENANTS = """
SELECT tenant_id FROM tenants_apikey_tenants WHERE apikey_id = %s
UNION
SELECT m.tenant_id FROM tenants_apikey_groups g
JOIN tenants_tenantgroup_tenants m ON m.tenantgroup_id = g.tenantgroup_id WHERE g.apikey_id = %s
"""


class BadKey(ValueError):
    """A key that can't be made; the message says why."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """`tenants` and `groups` empty: for all tenants of the owner. `application`: its id in the
    provider's directory, if tokens from there open it instead of a secret. `requests_a_day`: fewer
    than all keys may.
    """

    name: str
    scopes: Sequence[str]
    tenants: Sequence[Tenant] = ()
    groups: Sequence[TenantGroup] = ()
    days: int = LONGEST_DAYS
    application: uuid.UUID | None = None
    requests_a_day: int | None = None


@transaction.atomic
def create_key(owner: User, new: NewKey, *, actor: str, now: datetime) -> tuple[ApiKey, str]:
    """The row and the key itself, which nobody can read again; "" for an application, which has
    none. Raises BadKey.
    """
    _check(owner, new, now)
    prefix = f"{'app' if new.application else 'csc'}_{secrets.token_hex(4)}"
    whole = "" if new.application else f"{prefix}_{secrets.token_urlsafe(32)}"
    if new.application:
        _replace_ended(new.application, now)
    key = ApiKey.objects.create(
        prefix=prefix,
        digest=_digest(whole) if whole else b"",
        application=new.application,
        name=new.name.strip(),
        owner=owner,
        scopes=sorted(set(new.scopes)),
        is_for_all=not new.tenants and not new.groups,
        expires_at=now + timedelta(days=new.days),
        requests_a_day=new.requests_a_day,
    )
    key.tenants.set(new.tenants)
    key.groups.set(new.groups)
    facts = {
        "scopes": list(key.scopes),
        "tenants": [tenant.slug for tenant in new.tenants],
        "groups": [group.slug for group in new.groups],
        "days": new.days,
        "requests_a_day": new.requests_a_day,
        "owner": owner.pk,
        **({"application": str(new.application)} if new.application else {}),
    }
    record(actor, "api_key_made", subject=f"key {prefix}", facts=facts)
    return key, whole


def _replace_ended(application: uuid.UUID, now: datetime) -> None:
    """One living row an application; one that has ended makes room. Raises BadKey."""
    rows = ApiKey.objects.filter(application=application, revoked_at=None).select_for_update()
    for row in rows:
        if row.expires_at > now:
            raise BadKey(f"The application is known already, as {row.prefix}. Revoke that first.")
    rows.update(revoked_at=now)


def _check(owner: User, new: NewKey, now: datetime) -> None:
    if not new.name.strip() or len(new.name.strip()) > 60:
        raise BadKey("A key has a name of 1 to 60 characters.")
    known = {scope.value for scope in Scope}
    if not new.scopes or not set(new.scopes) <= known:
        raise BadKey(f"Choose scopes of: {', '.join(sorted(known))}.")
    if not 1 <= new.days <= LONGEST_DAYS:
        raise BadKey(f"A key lives 1 to {LONGEST_DAYS} days.")
    most = settings.API_REQUESTS_PER_DAY
    if new.requests_a_day is not None and not 1 <= new.requests_a_day <= most:
        raise BadKey(f"A key asks 1 to {most} times a day.")
    rights = rights_of(owner)
    having = set(rights.having(Right.USE_API))
    if lost := [tenant.slug for tenant in new.tenants if tenant.pk not in having]:
        raise BadKey(f"{owner.username} may not use the API for: {', '.join(lost)}.")
    if not having and Right.USE_API not in rights.everywhere and not owner.is_service:
        raise BadKey(f"{owner.username} may not use the API.")
    if living_keys(owner, now) >= MOST_KEYS:
        raise BadKey(f"{owner.username} has {MOST_KEYS} keys. Revoke some first.")


def living_keys(owner: User, now: datetime) -> int:
    return ApiKey.objects.filter(owner=owner, revoked_at=None, expires_at__gt=now).count()


def revoke_key(key: ApiKey, *, actor: str, now: datetime) -> bool:
    """From the next request on. False if it was revoked already."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            return False
        record(actor, "api_key_revoked", subject=f"key {key.prefix}")
    return True


def find_key(sent: str, now: datetime) -> ApiKey | None:
    """The living key that a request sent, with its owner. One query; none for another shape."""
    shape = SHAPE.fullmatch(sent)
    if not shape:
        return None
    key = ApiKey.objects.select_related("owner").filter(prefix=shape[1]).first()
    if key is None or not hmac.compare_digest(bytes(key.digest), _digest(sent)):
        return None
    return key if is_alive(key, now) else None


def find_application(application: uuid.UUID, now: datetime) -> ApiKey | None:
    """The living row of an application, with its owner. One query."""
    key = (
        ApiKey.objects.select_related("owner")
        .filter(application=application, revoked_at=None)
        .first()
    )
    return key if key is not None and is_alive(key, now) else None


def again(key: ApiKey, now: datetime) -> ApiKey | None:
    """The key as it is now, within what opened it; None if it opens nothing any more."""
    fresh = ApiKey.objects.select_related("owner").filter(pk=key.pk).first()
    if fresh is None or not is_alive(fresh, now) or key.expires_at <= now:
        return None
    fresh.narrowed_to = key.narrowed_to
    fresh.expires_at = min(fresh.expires_at, key.expires_at)
    return fresh


def scopes_of(key: ApiKey) -> list[str]:
    """In effect: those of the row, and with a token only those that it has too."""
    if key.narrowed_to is None:
        return list(key.scopes)
    return [scope for scope in key.scopes if scope in key.narrowed_to]


def is_alive(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and key.expires_at > now and key.owner.is_active


def note_use(key: ApiKey, now: datetime) -> None:
    """A write every some minutes, not one a request."""
    if key.used_at is None or now - key.used_at > NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(used_at=now)


def rights_of_key(key: ApiKey, among: Collection[int] | None = None) -> Rights:
    """What the owner may now, within the key's scopes and tenants. At most two queries.

    `among`: asked about these tenants alone.
    """
    owned = rights_of(key.owner, among)
    allowed = rights_in(scopes_of(key))
    # Many tenants, few kinds of rights among them.
    narrowed = {
        rights: rights & allowed
        for rights in {ref.rights for ref in owned.tenants.values()}
        if Right.USE_API in rights
    }
    ids = owned.tenants.keys() if key.is_for_all else _tenant_ids(key)
    tenants = {
        pk: ref._replace(rights=narrowed[ref.rights])
        for pk, ref in owned.tenants.items()
        if pk in ids and narrowed.get(ref.rights)
    }
    is_wide = key.is_for_all and Right.USE_API in owned.everywhere
    return Rights(tenants, owned.everywhere & allowed if is_wide else frozenset())


def _tenant_ids(key: ApiKey) -> set[int]:
    return {row[0] for row in run(_TENANTS, [key.pk, key.pk])}


def _digest(whole: str) -> bytes:
    return hashlib.sha256(whole.encode()).digest()
