from csc_portal.celery import app


def test_every_scheduled_task_is_there_and_has_a_worker():
    app.loader.import_default_modules()
    queues = {queue.name for queue in app.conf.task_queues}
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert entry.get("options", {}).get("queue", app.conf.task_default_queue) in queues, name
