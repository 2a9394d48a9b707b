"""Celery: the broker is only a messenger; what is due and what was done stands in Postgres."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging, worker_process_init
from django.conf import settings
from kombu import Queue

from csc_portal.broker import use_for_redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "csc_portal.settings")


logger = logging.getLogger(__name__)

use_for_redis()


class TaskFailed(RuntimeError):
    """A task ended by an error that nobody foresaw; the text is its type alone."""


class SafeTask(Task):
    """Errors leave a task as their type: Celery logs and keeps texts, which may quote documents."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except Exception as err:
            logger.error("task failed name=%s", self.name, exc_info=err)
            raise TaskFailed(type(err).__name__) from None


class Config:
    """Read when the app is first used, so that importing it connects to nothing."""

    task_acks_late = True
    task_reject_on_worker_lost = True
    task_time_limit = 900
    task_soft_time_limit = 840
    task_ignore_result = True
    task_default_queue = "maintenance"
    # `slow` is for tenants that fail or hang and for what waits for Microsoft's small limits, so
    # that these only delay each other.
    task_queues = tuple(Queue(name) for name in ("ingest", "tickets", "maintenance", "slow"))
    task_serializer = "json"
    accept_content = ("json",)
    worker_prefetch_multiplier = 1
    worker_hijack_root_logger = False
    worker_max_tasks_per_child = 2000
    broker_connection_retry_on_startup = True
    # Longer than any task waits or runs: the hourly ones are spread over an hour. A task that was
    # lost comes back by the sweep long before this.
    broker_transport_options = {"visibility_timeout": 7200}
    timezone = "UTC"
    # Each expires, so that no heap of them waits for workers that were away. None is longer than
    # six hours: whenever beat starts it counts anew.
    beat_schedule = {
        "what is due": {
            "task": "csc_portal.pipeline.start_due",
            "schedule": 2.0,
            "options": {"expires": 10},
        },
        "what stands still": {
            "task": "csc_portal.pipeline.sweep",
            "schedule": 20.0,
            "options": {"expires": 60},
        },
        "what is to be judged": {
            "task": "csc_portal.judge_due.start_judgements",
            "schedule": 5.0,
            "options": {"expires": 30},
        },
        "outcomes": {
            "task": "csc_portal.outcome.start_outcomes",
            "schedule": 2.0,
            "options": {"expires": 10},
        },
        "hints": {
            "task": "csc_portal.push.take_hints",
            "schedule": 1.0,
            "options": {"expires": 5, "queue": "ingest"},
        },
        "subscriptions": {
            "task": "csc_portal.push.start_push_checks",
            "schedule": 30.0,
            "options": {"expires": 60},
        },
        "audit seals": {
            "task": "csc_portal.audit_seals.seal_audit",
            "schedule": 5.0,
            "options": {"expires": 20},
        },
        "audit seals left out": {
            "task": "csc_portal.audit_seals.seal_audit",
            "schedule": 21600.0,
            "args": (True,),
            "options": {"expires": 21600},
        },
        "secure score": {
            "task": "csc_portal.score.start_scores",
            "schedule": 60.0,
            "options": {"expires": 50},
        },
        "similar tenants": {
            "task": "csc_portal.score.count_bands",
            "schedule": 21600.0,
            "options": {"expires": 21600},
        },
        "inventory": {
            "task": "csc_portal.inventory.start_inventories",
            "schedule": 60.0,
            "options": {"expires": 50},
        },
        "weaknesses": {
            "task": "csc_portal.weaknesses.start_weaknesses",
            "schedule": 60.0,
            "options": {"expires": 50},
        },
        "feeds": {
            "task": "csc_portal.feeds.start_feeds",
            "schedule": 60.0,
            "options": {"expires": 50},
        },
        "lake": {
            "task": "csc_portal.lake_due.start_lakes",
            "schedule": 60.0,
            "options": {"expires": 50},
        },
        "tasks of the API": {
            "task": "csc_portal.api.bulk_run.start_api_tasks",
            "schedule": 20.0,
            "options": {"expires": 60},
        },
        "webhooks": {
            "task": "csc_portal.webhook_due.start_webhooks",
            "schedule": 2.0,
            "options": {"expires": 10},
        },
        "webhooks, looked for": {
            "task": "csc_portal.webhook_due.look_for_webhooks",
            "schedule": 60.0,
            "options": {"expires": 50},
        },
        "webhooks, forgotten": {
            "task": "csc_portal.webhook_due.tidy_webhooks",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "reports": {
            "task": "csc_portal.report_due.start_reports",
            "schedule": 60.0,
            "options": {"expires": 50},
        },
        "housekeeping": {
            "task": "csc_portal.tending.tidy",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
    }

    @property
    def broker_url(self) -> str:
        return settings.CELERY_BROKER_URL or settings.BACKING.redis_url


app = Celery("csc_portal", config_source=Config(), task_cls=SafeTask)
for module in (
    "pipeline",
    "push",
    "audit_seals",
    "tending",
    "judge_due",
    "outcome",
    "score",
    "inventory",
    "weaknesses",
    "feeds",
    "lake_due",
    "webhook_due",
    "report_due",
):
    app.autodiscover_tasks(["csc_portal"], related_name=module)
app.autodiscover_tasks(["csc_portal.api"], related_name="bulk_run")


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Celery leaves logging alone: settings.LOGGING says what a line may hold."""


@worker_process_init.connect
def _freeze_what_is_loaded(**_: object) -> None:
    """Modules stay for good: looking for garbage in them cost a sixth of the ingest's time."""
    gc.freeze()
