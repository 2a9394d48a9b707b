"""Settings, webhooks: make one, see its secret once, test, replay, switch and remove it."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from csc_portal.web.entering import PROVED_AT
from tenants.models import Tenant, Webhook, WebhookDelivery
from tests.audit import audited

PAGE = "/settings/webhooks/"
FIELDS = {"name": "SOAR", "url": "https://soar.example/hook", "events": ["case.created"]}


@pytest.fixture
def admin(sign_in, qa: Tenant, quick_passwords) -> Client:
    client: Client = sign_in("admin", qa, name="hook-admin")
    return client


def make(client: Client, **changes: object) -> Webhook:
    answer = client.post(PAGE, FIELDS | changes)
    assert answer.status_code == 200, answer.content.decode()
    return Webhook.objects.get()


def do(client: Client, hook: Webhook, **fields: object) -> int:
    return client.post(reverse("webhook-do", args=[hook.public_id]), fields).status_code


def test_the_secret_is_shown_once(admin: Client) -> None:
    answer = admin.post(PAGE, FIELDS)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.content.decode())
    assert secret
    assert answer.headers["Cache-Control"] == "no-store"
    hook = Webhook.objects.get()
    assert (hook.is_for_all, hook.owner.username) == (True, "hook-admin")
    for path in (PAGE, f"{PAGE}{hook.public_id}/"):
        assert "whsec_" not in admin.get(path).content.decode()
    fresh = admin.post(reverse("webhook-do", args=[hook.public_id]), {"do": "secret"})
    assert "whsec_" in fresh.content.decode()
    assert secret[0] not in fresh.content.decode()


def test_what_is_wrong_is_said(admin: Client, third: Tenant) -> None:
    for changes in ({"url": "http://soar.example/"}, {"events": ["x"]}, {"places": ["third"]}):
        answer = admin.post(PAGE, FIELDS | changes)
        assert answer.status_code == 422
        assert "field-error" in answer.content.decode() or "alert" in answer.content.decode()
    assert not Webhook.objects.exists()


def test_test_replay_switch_and_remove(admin: Client) -> None:
    hook = make(admin, places=["qa"])
    assert [tenant.slug for tenant in hook.tenants.all()] == ["qa"]
    assert do(admin, hook, do="test") == 302
    row = WebhookDelivery.objects.get()
    assert row.kind == "webhook.test"
    WebhookDelivery.objects.update(state="failed", attempts=12, status=500, problem="It failed.")
    page = admin.get(f"{PAGE}{hook.public_id}/").content.decode()
    assert "It failed." in page
    assert "Given up" in page
    assert do(admin, hook, do="replay", delivery=row.pk) == 302
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("pending", 0)
    for state in ("off", "on"):
        assert do(admin, hook, do=state) == 302
        hook.refresh_from_db()
        assert hook.state == state
    for nonsense in ({"do": "x"}, {"do": "replay", "delivery": "9" * 19},
                     {"do": "replay", "delivery": "1" * 18}):  # fmt: skip
        assert do(admin, hook, **nonsense) == 404
    assert do(admin, hook, do="remove") == 302
    assert not Webhook.objects.exists()
    told = list(audited().values_list("action", flat=True))
    for action in ("made", "tested", "replayed", "switched", "removed"):
        assert f"webhook_{action}" in told


def test_others_do_not_see_it(admin: Client, sign_in, qa: Tenant, qatest: Tenant) -> None:
    hook = make(admin)
    paths = [reverse("webhook", args=[hook.public_id])]
    for other in (sign_in("admin", qatest), sign_in("admin", qa)):
        assert other.get(PAGE).status_code == 200
        assert "SOAR" not in other.get(PAGE).content.decode()
        assert [other.get(path).status_code for path in paths] == [404]
        assert do(other, hook, do="test") == 404
    assert sign_in("analyst", qa).get(PAGE).status_code == 404
    everywhere = sign_in("admin")
    assert "SOAR" in everywhere.get(PAGE).content.decode()
    assert admin.get(f"{PAGE}{uuid.uuid4()}/").status_code == 404


def test_who_signed_in_long_ago_shows_again_who_they_are(sign_in, qa: Tenant) -> None:
    client = sign_in("admin", qa)
    session = client.session
    session[PROVED_AT] = (timezone.now() - timedelta(hours=1)).isoformat()
    session.save()
    client.post(PAGE, FIELDS)
    assert not Webhook.objects.exists()


def test_the_log_is_paged(admin: Client) -> None:
    hook = make(admin)
    for _ in range(51):
        WebhookDelivery.objects.create(
            webhook=hook, event_id=uuid.uuid4(), kind="case.created", body={}
        )
    page = admin.get(f"{PAGE}{hook.public_id}/").content.decode()
    assert page.count("case.created<span") == 50
    older = re.search(r"\?before=\d+", page)
    assert older
    again = admin.get(f"{PAGE}{hook.public_id}/{older[0]}").content.decode()
    assert again.count("case.created<span") == 1


def test_more_webhooks_take_no_more_queries(admin: Client, qa: Tenant) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(PAGE).status_code == 200
        return len(queries)

    make(admin, places=["qa"])
    before = count()
    for number in range(5):
        admin.post(PAGE, FIELDS | {"name": f"More {number}", "places": ["qa"]})
    assert Webhook.objects.count() == 6
    assert count() == before
