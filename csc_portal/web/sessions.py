"""Sessions: one row a browser, which knows whose it is and ends by itself.

The row's key is a digest of the cookie's value, so that neither a copy of the database nor its
backups open a session. A session ends when nobody did anything for a while (SESSION_IDLE_MINUTES),
at the latest so long after the sign-in (SESSION_HOURS), and at once when its row is removed.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as RowStore
from django.db.models import Q, QuerySet
from django.utils import timezone

from tenants.models import PortalSession

METHOD, CLIENT, SIGNED_IN_AT = "method", "client", "signed_in_at"
STRANGERS_MINUTES = 15
"""How long a session lives in which nobody is signed in: time enough to do so."""


def digest_of(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


def living(now: datetime) -> QuerySet[PortalSession]:
    """Sessions that are not over yet."""
    idle = now - timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    oldest = now - timedelta(hours=settings.SESSION_HOURS)
    strangers = now - timedelta(minutes=STRANGERS_MINUTES)
    return PortalSession.objects.filter(
        Q(user=None, seen_at__gt=strangers)
        | Q(user__isnull=False, seen_at__gt=idle, signed_in_at__gt=oldest),
        expire_date__gt=now,
    )


class SessionStore(RowStore):
    """Django's store in the database, with a row that says more."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.row: PortalSession | None = None

    @classmethod
    def get_model_class(cls) -> type[PortalSession]:
        return PortalSession

    def load(self) -> dict[str, Any]:
        key = digest_of(self.session_key or "")
        self.row = living(timezone.now()).filter(session_key=key).first()
        if self.row is None:
            self._session_key = None
            return {}
        return self.decode(self.row.session_data)

    def exists(self, session_key: str) -> bool:
        return super().exists(digest_of(session_key))

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            super().delete(digest_of(key))

    def create_model_instance(self, data: dict[str, Any]) -> PortalSession:
        now = timezone.now()
        key = digest_of(self._get_or_create_session_key())
        row = self.row if self.row and self.row.session_key == key else None
        signed_in_at = data.get(SIGNED_IN_AT)
        user_id = data.get(SESSION_KEY)
        self.row = self.model(
            session_key=key,
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=user_id,
            method=data.get(METHOD, ""),
            client=data.get(CLIENT, ""),
            signed_in_at=datetime.fromisoformat(signed_in_at) if signed_in_at else user_id and now,
            seen_at=row.seen_at if row else now,
            **({"public_id": row.public_id} if row else {}),
        )
        return self.row

    @classmethod
    def clear_expired(cls) -> None:
        """Rows of sessions that are over, whatever ended them."""
        PortalSession.objects.exclude(pk__in=living(timezone.now()).values("pk")).delete()


def client_of(agent: str) -> str:
    """A browser's family and system, told from its header: enough to know one's own again."""
    families = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"),
                ("Chrome/", "Chrome"), ("Safari/", "Safari"))  # fmt: skip
    systems = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"),
               ("iPad", "iPad"), ("Mac OS X", "macOS"), ("Linux", "Linux"))  # fmt: skip
    family = next((name for mark, name in families if mark in agent), "A browser")
    system = next((name for mark, name in systems if mark in agent), "")
    return f"{family} on {system}" if system else family
