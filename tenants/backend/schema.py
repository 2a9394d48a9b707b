"""Writes the schema one statement at a time, because the cursor takes no more (see base)."""

from django.db.backends.postgresql.schema import DatabaseSchemaEditor


class SchemaEditor(DatabaseSchemaEditor):
    """Django joins `SET CONSTRAINTS` to some statements, so that what is deferred is checked first.

    Our migrations change no rows before they change constraints, so that nothing is ever deferred.
    """

    sql_create_column_inline_fk = None
    sql_delete_fk = "ALTER TABLE %(table)s DROP CONSTRAINT %(name)s"
    sql_update_with_default = (
        "UPDATE %(table)s SET %(column)s = %(default)s WHERE %(column)s IS NULL"
    )
