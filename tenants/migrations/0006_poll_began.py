from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_queue_assignee'),
    ]

    operations = [
        migrations.AddField(
            model_name='tenant',
            name='poll_began_at',
            field=models.DateTimeField(blank=True, help_text='Begin of the last poll that ended, well or not', null=True),
        ),
    ]
