"""The table of permissions of a tenant: there, missing with the exact fix, or not licensed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from alerts.models import SourceAbility
from clients.microsoft.permissions import (
    PERMISSIONS,
    Permission,
    how_to_grant,
    how_to_license,
)
from tenants.models import Tenant
from tenants.scope import scope

State = SourceAbility.State
_WORST_FIRST = (State.NO_PERMISSION, State.NO_LICENCE, State.UNKNOWN, State.THERE)
WORDS = {
    State.THERE: "There",
    State.NO_PERMISSION: "Missing",
    State.NO_LICENCE: "Not licensed",
    State.UNKNOWN: "Not known",
}


@dataclass(frozen=True, slots=True)
class PermissionRow:
    """One line of the table. `fix`: what to do, to the letter; "" if nothing."""

    permission: Permission
    state: str
    fix: str

    @property
    def word(self) -> str:
        return WORDS[State(self.state)]

    @property
    def blocks(self) -> bool:
        """Whether nothing can be read before this is mended."""
        return self.permission.is_required and self.state != State.THERE


@dataclass(frozen=True, slots=True)
class PermissionTable:
    rows: tuple[PermissionRow, ...]
    checked_at: datetime | None

    @property
    def blocks(self) -> bool:
        return any(row.blocks for row in self.rows)

    @property
    def missing(self) -> int:
        return sum(row.state == State.NO_PERMISSION for row in self.rows)


def permissions_of(tenant: Tenant) -> PermissionTable:
    """As the last probe found them. One query in the tenant's scope."""
    with scope(tenant):
        found = {row.source: row for row in SourceAbility.objects.all()}
    rows = tuple(_row(permission, found, str(tenant.client_id)) for permission in PERMISSIONS)
    checked = [row.checked_at for row in found.values()]
    return PermissionTable(rows, min(checked, default=None))


def _row(
    permission: Permission, found: Mapping[str, SourceAbility], client_id: str
) -> PermissionRow:
    abilities = [found[source] for source in permission.sources if source in found]
    states = {ability.state for ability in abilities}
    state = next((one for one in _WORST_FIRST if one in states), State.UNKNOWN)
    fix = ""
    if state == State.NO_PERMISSION:
        fix = how_to_grant(permission, client_id)
    elif state == State.NO_LICENCE:
        fix = how_to_license(permission)
    elif state == State.UNKNOWN:
        fix = next((a.problem for a in abilities if a.problem), "It was not asked yet.")
    return PermissionRow(permission, state, fix)
