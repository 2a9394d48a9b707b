"""Finds the open cases of one assignee without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_push")]

    operations = [
        migrations.AddIndex(
            model_name="queueentry",
            index=models.Index(
                fields=["assignee_id", "-last_activity_at", "-id", "tenant_id"],
                condition=models.Q(status__lt=2, assignee_id__gt=0),
                name="queue_open_assignee",
            ),
        ),
    ]
