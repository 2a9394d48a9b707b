"""manage.py feeds: fetch the public lists of threats and the news now."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from csc_portal.feeds import fetch, known_feeds, url_of
from csc_portal.management.base import PortalCommand
from csc_portal.weaknesses import match_tenants


class Command(PortalCommand):
    help = "Fetch CISA's and FIRST's lists and all news feeds, and compare tenants with them."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        rows = []
        for feed in known_feeds():
            if feed.is_on and url_of(feed):
                found = fetch(feed, timezone.now())
                state = "failed" if found.error else "unchanged"
                state = state if found.entries is None else "read"
                rows.append({"name": feed.name, "kind": feed.kind, "state": state,
                             "entries": found.entries, "problem": found.error})  # fmt: skip
        match_tenants()
        return {"feeds": rows}
