"""The audit log as a chain, and the triggers that let nobody change it, its owner included.

Only entries that an archive holds, and that are older than 90 days, may leave; then their seals.
"""

import django.db.models.deletion
from django.db import migrations, models

TABLES = ("tenants_auditentry", "tenants_auditseal", "tenants_auditarchive")
REFUSE = "RAISE EXCEPTION 'the audit log can only be added to' USING ERRCODE = 'insufficient_privilege';"
ARCHIVED = "EXISTS (SELECT FROM public.tenants_auditarchive a WHERE {seq} BETWEEN a.first AND a.last)"
FUNCTIONS = {
    "audit_stays": f"BEGIN {REFUSE} END",
    "audit_entry_leaves": f"""
BEGIN
  IF OLD.at < now() - interval '90 days' AND EXISTS (
    SELECT FROM public.tenants_auditseal s WHERE s.entry_id = OLD.id AND {ARCHIVED.format(seq="s.seq")}
  ) THEN RETURN OLD; END IF;
  {REFUSE}
END""",
    "audit_seal_leaves": f"""
BEGIN
  IF {ARCHIVED.format(seq="OLD.seq")} AND NOT EXISTS (
    SELECT FROM public.tenants_auditentry e WHERE e.id = OLD.entry_id
  ) THEN RETURN OLD; END IF;
  {REFUSE}
END""",
}
TRIGGERS = {
    **{
        (table, f"{table}_{verb.lower()}"): (f"BEFORE {verb}", "STATEMENT", "audit_stays")
        for table in TABLES
        for verb in ("UPDATE", "TRUNCATE")
    },
    ("tenants_auditentry", "tenants_auditentry_delete"): ("BEFORE DELETE", "ROW", "audit_entry_leaves"),
    ("tenants_auditseal", "tenants_auditseal_delete"): ("BEFORE DELETE", "ROW", "audit_seal_leaves"),
    ("tenants_auditarchive", "tenants_auditarchive_delete"): ("BEFORE DELETE", "STATEMENT", "audit_stays"),
}


def _guards():
    for name, body in FUNCTIONS.items():
        yield migrations.RunSQL(
            f"CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql "
            f"SET search_path = pg_catalog AS $$ {body} $$",
            f"DROP FUNCTION public.{name}()",
        )
    for (table, name), (when, each, function) in TRIGGERS.items():
        yield migrations.RunSQL(
            f"CREATE TRIGGER {name} {when} ON {table} FOR EACH {each} "
            f"EXECUTE FUNCTION public.{function}()",
            f"DROP TRIGGER {name} ON {table}",
        )


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0016_expected_alerts'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditArchive',
            fields=[
                ('first', models.BigIntegerField(primary_key=True, serialize=False)),
                ('last', models.BigIntegerField(unique=True)),
                ('last_mac', models.BinaryField(max_length=32)),
                ('digest', models.BinaryField(help_text='SHA-256 of the file', max_length=32)),
                ('at', models.DateTimeField()),
                ('key', models.CharField(max_length=8)),
                ('mac', models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name='AuditSeal',
            fields=[
                ('seq', models.BigIntegerField(help_text='1, 2, 3 ... without a gap', primary_key=True, serialize=False)),
                ('entry_id', models.BigIntegerField(unique=True)),
                ('mac', models.BinaryField(max_length=32)),
                ('key', models.CharField(help_text='Version of the master key', max_length=8)),
            ],
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='tenant',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='tenants.tenant'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['tenant', '-id'], name='audit_of_tenant'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['actor', '-id'], name='audit_of_actor'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['action', '-id'], name='audit_of_action'),
        ),
        *_guards(),
    ]
