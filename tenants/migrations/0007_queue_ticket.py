"""Finds a case by its ticket's number without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_poll_began")]

    operations = [
        migrations.AddIndex(
            model_name="queueentry",
            index=models.Index(
                fields=["ticket_ref", "tenant_id"],
                condition=models.Q(ticket_ref__gt=""),
                name="queue_ticket",
            ),
        ),
    ]
