from datetime import timedelta

import pytest
from django.utils import timezone

from csc_portal.celery import app
from tenants.models import Tenant


def test_every_scheduled_task_is_there_and_has_a_worker():
    app.loader.import_default_modules()
    queues = {queue.name for queue in app.conf.task_queues}
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert entry["options"].get("queue", app.conf.task_default_queue) in queues, name
        assert entry["options"]["expires"] <= max(60, entry["schedule"]), name


@pytest.mark.parametrize(
    "name",
    [
        "inventory.start_inventories",
        "judge_due.start_judgements",
        "lake_due.start_lakes",
        "outcome.start_outcomes",
        "pipeline.start_due",
        "pipeline.sweep",
        "push.start_push_checks",
        "report_due.start_reports",
        "score.start_scores",
        "weaknesses.start_weaknesses",
    ],
)
def test_a_turn_with_nothing_due_asks_for_no_tenant_by_itself(
    name: str, third, django_assert_max_num_queries
) -> None:
    later = timezone.now() + timedelta(days=1)
    due = [field.name for field in Tenant._meta.fields if field.name.startswith("next_")]
    assert Tenant.objects.update(**dict.fromkeys(due, later)) >= 3
    app.loader.import_default_modules()
    with django_assert_max_num_queries(2):
        app.tasks[f"csc_portal.{name}"].run()
