"""The cursor of the second source."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("alerts", "0005_incidents")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO alerts_cursor (source) VALUES ('incidents')",
            "DELETE FROM alerts_cursor WHERE source = 'incidents'",
        ),
    ]
