"""What can't be written to the audit log is not done either."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from csc_portal import lake_keep, offboard
from tenants.models import Tenant


@pytest.mark.parametrize(
    ("module", "act"),
    [
        ("lake_keep", lambda tenant: lake_keep.keep(tenant, 60, "admin")),
        ("offboard", lambda tenant: offboard.off_board(tenant, "admin")),
    ],
)
def test_nothing_is_done_unseen(
    qa: Tenant, module: str, act: Callable[[Tenant], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError

    before = Tenant.objects.values().get(pk=qa.pk)
    monkeypatch.setattr(f"csc_portal.{module}.record", fail)
    with pytest.raises(ConnectionError):
        act(qa)
    assert Tenant.objects.values().get(pk=qa.pk) == before
