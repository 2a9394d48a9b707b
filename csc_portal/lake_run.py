"""Brings a tenant's lake up to date: a window of what is new, and what a new day asks for.

`lake/` knows files, `lake_feed` the database; this puts them together. Whoever calls holds the
tenant's turn (`turns.LAKE`): one writer at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from csc_portal.lake_feed import bound_of, database_now, keys_since, rows_of
from lake.check import Checked, check
from lake.manifest import Manifest, last_window, tenants_in, windows_of
from lake.retention import erase, forget_before, tidy
from lake.store import Store, store_at
from lake.writer import compact, rewrite_window, write_window
from tenants.models import Tenant
from tenants.scope import scope


class LakeOfAnotherLife(RuntimeError):
    """The lake is ahead of the database: that one was restored or made anew."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__(
            f"The lake of {tenant.slug} is ahead of the database, which was restored or made "
            f"anew. Write it again as a whole: manage.py lake export {tenant.slug} --anew"
        )


@dataclass(frozen=True, slots=True)
class Exported:
    """`rows`: written now. `is_new_day`: the first window of a day, or the first at all.
    `is_behind`: there is more, for another run."""

    rows: int
    until: datetime
    is_new_day: bool
    is_behind: bool


def lake_store() -> Store:
    """The lake of the settings. Raises BadLakeUrl."""
    return store_at(settings.LAKE_URL, settings.CSC_DATA_DIR / "lake")


def export(tenant: Tenant, store: Store) -> Exported:
    """Write what transactions wrote that ended since the last window. Raises LakeOfAnotherLife."""
    name = str(tenant.public_id)
    last = last_window(store, name)
    with scope(tenant):
        now = database_now()
        since = last.until_change if last else 0
        if since > now.next:
            raise LakeOfAnotherLife(tenant)
        # After a restart of the server the ids of ended transactions may stand still for a while.
        bound = max(bound_of(since, now.settled), since)
        number = last.last + 1 if last else 1
        window = Manifest(number, number, since, bound, last.until if last else None, now.at)
        is_new_day = last is None or last.until.date() < now.at.date()
        if is_new_day:
            _keep_house(tenant, store, now.at)
        written = write_window(store, name, window, rows_of)
    is_behind = bound < now.settled
    if not is_behind:
        Tenant.objects.filter(pk=tenant.pk).update(lake_until=now.at)
    return Exported(rows_in(written), now.at, is_new_day, is_behind)


def write_again(
    tenant: Tenant, store: Store, wanted: Callable[[Manifest], bool]
) -> tuple[int, int]:
    """Write windows as the database has them now; (windows, rows). Older versions of rows that
    were changed since are lost: their newest is in a later window."""
    name, rows, windows = str(tenant.public_id), 0, 0
    with scope(tenant):
        for window in windows_of(store, name):
            if wanted(window):
                rows += rows_in(rewrite_window(store, name, window, rows_of))
                windows += 1
    return windows, rows


def begin_anew(tenant: Tenant, store: Store) -> None:
    """Forget the tenant's lake; the next export writes all of it."""
    erase(store, str(tenant.public_id))


def verify(tenant: Tenant, store: Store) -> Checked:
    """Compare the lake with one moment of the database, however much is written meanwhile."""
    name = str(tenant.public_id)
    last = last_window(store, name)
    until = last.until_change if last else 0
    with scope(tenant), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return check(store, name, rows_of, lambda table: keys_since(table, until))


def orphans(store: Store) -> list[str]:
    """Public ids that have a folder but no tenant: an erase that was cut off, or another portal."""
    known = {str(pk) for pk in Tenant.objects.values_list("public_id", flat=True)}
    return [name for name in tenants_in(store) if name not in known]


def rows_in(window: Manifest) -> int:
    return sum(part.rows for part in window.parts.values())


def _keep_house(tenant: Tenant, store: Store, now: datetime) -> None:
    """Once a day: throw out what no window names, forget what is old, join the last day's."""
    name = str(tenant.public_id)
    tidy(store, name)
    forget_before(store, name, now - timedelta(days=tenant.lake_days))
    compact(store, name, now.date())
