"""Nobody looks for the beginning of a provider's id; each alert paid for an index that could."""

from django.db import migrations

# The name that Django gives to what belongs to a unique column of text.
NAME = "alerts_alert_provider_id_accf1cf6_like"


class Migration(migrations.Migration):
    dependencies = [("alerts", "0012_report_indexes")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {NAME}",
            f"CREATE INDEX {NAME} ON alerts_alert (provider_id varchar_pattern_ops)",
        )
    ]
