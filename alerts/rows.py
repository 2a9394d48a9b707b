"""Many rows in one statement, as `tenants.rows` does it."""

from tenants.rows import as_json, run

__all__ = ["as_json", "run"]
