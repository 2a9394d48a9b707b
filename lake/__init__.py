"""The lake: an append-only copy of tenants' metadata and pseudonyms, as Parquet, for analysis.

Knows no Django and no database: rows come in, files go out; see docs/lake.md.
"""
