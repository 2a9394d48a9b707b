"""Seals the audit log every few seconds, and every six hours what was left out."""

from __future__ import annotations

import logging

from celery import shared_task

from clients.errors import ApiError
from tenants.audit_seals import seal_new
from tenants.directories import BadSecret

logger = logging.getLogger(__name__)


@shared_task(time_limit=300, soft_time_limit=240)
def seal_audit(everything: bool = False) -> None:
    """Without the vault the entries wait, unsealed, for the next time."""
    try:
        seal_new(everything=everything)
    except (ApiError, BadSecret) as err:
        logger.warning("audit not sealed kind=%s", type(err).__name__)
