"""The rows that every tenant has from the start: the ingest's lock and the first source's cursor."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO alerts_cursor (source) VALUES ('lock'), ('alerts_v2')",
            "DELETE FROM alerts_cursor WHERE source IN ('lock', 'alerts_v2')",
        ),
    ]
