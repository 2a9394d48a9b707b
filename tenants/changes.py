"""Rows that know which transaction wrote them last, so that nothing that commits late is missed.

Ids of transactions are given before a transaction ends. Whoever reads what is older than every
transaction that is still open (`pg_snapshot_xmin`) has read all of it, whatever any clock says.
Insertions get the id by the column's default, changes by the trigger `note_change`.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Cast


def change_column() -> models.BigIntegerField[int, int]:
    """The column of it. Its migration also makes the trigger, and an index with the key."""
    current = models.Func(function="pg_current_xact_id", output_field=models.TextField())
    return models.BigIntegerField(
        db_default=Cast(Cast(current, models.TextField()), models.BigIntegerField()),
        editable=False,
        help_text="Id of the transaction that wrote the row last",
    )
