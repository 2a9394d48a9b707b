"""How the installation itself stands: versions, what it needs, and how long its queues are."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import django
from django.conf import settings
from django.db import DatabaseError, connection
from redis import Redis
from redis.exceptions import RedisError

from clients.errors import ApiError
from tenants.directories import PSEUDONYM_KEY, cloud
from tenants.secrets import vault

QUEUES = ("ingest", "tickets", "maintenance", "slow")
TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """Something that the portal needs. `problem` is empty while it answers."""

    name: str
    told: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    parts: tuple[Part, ...]
    facts: tuple[tuple[str, str], ...]
    queues: dict[str, int] | None


def installation() -> Installation:
    """Asks the database, Redis and the vault once each."""
    queues = queue_depths()
    redis = Part("Redis", "answers") if queues is not None else Part("Redis", "", "does not answer")
    return Installation(
        parts=(_database(), redis, _vault()),
        facts=(
            ("Python", platform.python_version()),
            ("Django", django.get_version()),
            ("Microsoft cloud", str(settings.AZURE_CLOUD)),
            ("Sign-in at", cloud().login),
            ("Microsoft Graph", cloud().graph),
            ("Portal", str(settings.PORTAL_URL or "not set")),
            ("Ingress", str(settings.PUBLIC_INGRESS_URL or "not set: nothing can push")),
        ),
        queues=queues,
    )


def queue_depths() -> dict[str, int] | None:
    """Messages that wait for a worker, by queue; None if the broker can't be asked.

    Only where Redis is the broker; another one has a console of its own.
    """
    if settings.CELERY_BROKER_URL and not settings.CELERY_BROKER_URL.startswith("redis"):
        return None
    url = settings.CELERY_BROKER_URL or settings.BACKING.redis_url
    try:
        client = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        with client.pipeline(transaction=False) as pipe:
            for name in QUEUES:
                pipe.llen(name)
            return dict(zip(QUEUES, map(int, pipe.execute()), strict=True))
    except RedisError:
        return None


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            row = cursor.fetchone()
    except DatabaseError:
        return Part("PostgreSQL", "", "does not answer")
    return Part("PostgreSQL", str(row[0]))


def _vault() -> Part:
    try:
        vault().get(PSEUDONYM_KEY)
    except ApiError as err:
        return Part("Key Vault", "", str(err))
    return Part("Key Vault", "answers")
