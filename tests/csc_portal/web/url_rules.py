"""What each address is called with, when the walks of test_urls.py and test_roles.py come by.

A new address needs a line in RULES: see `test_every_address_has_a_rule`.
"""

from __future__ import annotations

from django.urls import reverse

from csc_portal.api.urls import API
from tests.csc_portal.web.conftest import SECRET
from tests.csc_portal.web.url_calls import (
    NOBODYS,
    STEP_CALLS,
    Rule,
    a_feed,
    begun,
    finding_rule_of,
    grant_of_another,
    hook_of,
    of_case,
    of_finding,
    of_group,
    of_onboarding,
    of_person,
    of_tenant,
    page,
    report_of,
    rule_of,
    view_of_another,
)

RULES: dict[str, Rule] = {
    "queue": Rule(
        lambda world: [
            ("get", f"/{query}", {})
            for query in (
                "", "?tenant=third", "?tenant=qa&tenant=third", "?tenant=all&status=any",
                f"?q={SECRET}&status=any&severity=any", f"?entity={world.entities['third']}",
                "?status=any&severity=any&after=1-1", "?before=zzz", "?since=x",
            )
        ]
    ),
    "queue-changes": page("queue-changes", "?seen=1:1:", "?seen=1:1:&tenant=third"),
    "queue-histogram": page("queue-histogram", "?tenant=third"),
    "queue-export": Rule(
        lambda world: [
            ("get", f"/queue/export.{kind}?status=any&severity=any{more}", {})
            for kind in ("csv", "json")
            for more in ("", "&tenant=third")
        ]
    ),
    "bulk": Rule(
        lambda world: [
            ("post", "/queue/bulk/", {"case": f"{world.cases['third'].public_id}~0..", "do": act})
            for act in ("assign", "start", "reopen")
        ]
    ),
    "queue-tallies": page("queue-tallies", "?tenant=third", "?tenant=all"),
    "bulk-ask": Rule(
        lambda world: [("get", f"/queue/bulk/ask/?do={do}", {}) for do in ("assign", "resolve")]
    ),
    "bulk-matching": page("bulk-matching", "?tenant=third", "?status=any&severity=any"),
    "view-keep": Rule(lambda world: [("post", "/queue/views/", {"name": "x", "query": "q=1"})]),
    "view-forget": Rule(
        closed=lambda world: [("post", reverse("view-forget", args=[view_of_another()]), {})]
    ),
    "columns": Rule(lambda world: [("post", "/queue/columns/", {"column": "title"})]),
    "names": Rule(
        lambda world: [("post", "/names/", {"case": str(world.cases["third"].public_id)})],
        lambda world: [("post", "/names/", {"entity": str(world.entities["third"])})],
    ),
    "names-toggle": Rule(lambda world: [("post", "/names/toggle/", {"on": "yes"})]),
    "chain": page("chain", "?tenant=third"),
    "chain-trend": page("chain-trend", "?tenant=third"),
    "case": Rule(closed=lambda world: [("get", of_case(world, "case"), {})]),
    "case-triage": Rule(
        closed=lambda world: [
            ("post", of_case(world, "case-triage"), {"do": act, "version": "1", "assignee": "me"})
            for act in ("assign", "start", "reopen", "nonsense")
        ]
    ),
    "case-news": Rule(closed=lambda world: [("get", of_case(world, "case-news"), {})]),
    "case-regroup": Rule(
        closed=lambda world: [
            ("post", of_case(world, "case-regroup"),
             {"do": act, "version": "1", "into": "1", "alert": "1", "case": "1"})
            for act in ("merge", "split", "unmerge", "apart", "allow", "nonsense")
        ]
    ),
    "case-suppress": Rule(
        closed=lambda world: [
            ("post", of_case(world, "case-suppress"), {"detection": "1", "suppress_reason": "x"}),
            ("post", of_case(world, "case-suppress"), {"end": NOBODYS}),
        ]
    ),
    "case-comment": Rule(
        closed=lambda world: [("post", of_case(world, "case-comment"), {"comment": "x"})]
    ),
    "case-live": Rule(
        closed=lambda world: [
            ("post", reverse("case-live", args=[world.cases["third"].public_id, what]), {})
            for what in ("advice", "notes", "raw")
        ]
    ),
    "case-stix": Rule(closed=lambda world: [("post", of_case(world, "case-stix"), {})]),
    "analytics": page("analytics", "?tenant=third", "?by=tenant", "?days=7", "?days=x"),
    "analytics-tab": Rule(
        lambda world: [
            ("get", f"/analytics/{tab}/{more}", {})
            for tab in ("detections", "times", "sources", "entities")
            for more in ("", "?tenant=third", "?by=tenant")
        ]
    ),
    "entities": page("entities", "?tenant=third", "?pillar=identity", "?pillar=nonsense"),
    "entity-live": Rule(
        closed=lambda world: [("post", reverse("entity-live", args=[world.entities["third"]]), {})]
    ),
    "entity-mark": Rule(
        closed=lambda world: [
            ("post", reverse("entity-mark", args=[world.entities["third"]]), {"on": "yes"})
        ]
    ),
    "entity-tie": Rule(
        closed=lambda world: [
            ("post", reverse("entity-tie", args=[world.entities["third"]]), {"ties": "no"})
        ]
    ),
    "entity": Rule(
        closed=lambda world: [("get", reverse("entity", args=[world.entities["third"]]), {})]
    ),
    "tenants": page("tenants", "?tenant=third", "?state=active", "?page=99", "?state=nonsense"),
    "tenant-new": Rule(closed=lambda world: [("get", "/tenants/new/", {}),
                                             ("post", "/tenants/new/", {})]),
    "onboarding-consent": Rule(is_free=True),
    **{name: of_onboarding(name) for name in ("onboarding", "onboarding-progress")},
    "onboarding-discard": of_onboarding("onboarding-discard", "post"),
    "onboarding-step": Rule(
        closed=lambda world: [
            (method, reverse("onboarding-step", args=[begun(world), step]), fields)
            for step in ("consent", "permissions", "tickets", "assets", "read", "nonsense")
            for method, fields in STEP_CALLS
        ]
    ),
    "tenant-setup": Rule(
        closed=lambda world: [
            (method, reverse("tenant-setup", args=["third", tab]), {})
            for tab in ("general", "permissions", "tickets", "coverage", "assets", "priority",
                        "promises", "reports", "end", "xx")
            for method in ("get", "post")
        ]
    ),
    "azure": page("azure", "?tenant=third", "?page=99"),
    "azure-export": page("azure-export", "?tenant=third"),
    "azure-tenant": of_tenant("azure-tenant"),
    "azure-names": of_tenant("azure-names", "post"),
    "azure-exempt": of_tenant("azure-exempt", "post", covers="x"),
    "azure-resources": of_tenant("azure-resources"),
    "settings": Rule(lambda world: [("get", "/settings/", {})]),
    "rules": page("rules", "?tenant=third"),
    "rule-new": page("rule-new"),
    "rule": Rule(closed=lambda world: [("get", reverse("rule", args=[rule_of(world)]), {}),
                                       ("post", reverse("rule", args=[rule_of(world)]), {})]),
    "rule-end": Rule(
        closed=lambda world: [
            ("post", reverse("rule-end", args=[rule_of(world)]), {"do": "delete", "version": "1"})
        ]
    ),
    "detections": page("detections"),
    "detection-new": Rule(closed=lambda world: [("get", "/settings/detections/new/", {})]),
    "detection": Rule(
        closed=lambda world: [
            (method, "/settings/detections/unfamiliar_sign_in/", {}) for method in ("get", "post")
        ]
    ),
    "api-tokens": page("api-tokens", "?tenant=third"),
    "api-key-use": Rule(
        closed=lambda world: [("get", reverse("api-key-use", args=[NOBODYS]), {})]
    ),
    "api-key-revoke": Rule(
        closed=lambda world: [("post", reverse("api-key-revoke", args=[NOBODYS]), {})]
    ),
    "api-endpoints": page("api-endpoints"),
    "webhooks": page("webhooks", "?tenant=third"),
    "webhook": Rule(closed=lambda world: [("get", hook_of(world, "webhook"), {})]),
    "webhook-do": Rule(
        closed=lambda world: [
            ("post", hook_of(world, "webhook-do"), {"do": do}) for do in ("test", "off", "remove")
        ]
    ),
    "installation": Rule(closed=lambda world: [("get", "/settings/installation/", {})]),
    "tenant-end": of_tenant("tenant-end", "post", do="erase", typed="third"),
    "tenant-export": of_tenant("tenant-export"),
    "tenant": of_tenant("tenant"),
    "tenant-retry": of_tenant("tenant-retry", "post"),
    "tenant-state": of_tenant("tenant-state", "post", state="paused"),
    "tenant-details": of_tenant("tenant-details"),
    "tenant-again": of_tenant("tenant-again", "post", what="poll"),
    "secure-score": page("secure-score", "?tenant=third", "?sort=week", "?sort=x", "?page=99"),
    "findings": page("findings", "?tenant=third", "?status=any", "?status=x", "?kind=x"),
    "findings-export": page("findings-export", "?tenant=third", "?status=any"),
    "finding": Rule(closed=lambda world: [("get", of_finding(world, "finding"), {})]),
    "finding-act": Rule(
        closed=lambda world: [
            ("post", of_finding(world, "finding-act"), fields)
            for fields in ({"do": "accept", "why": "own", "until": "2026-12-24"}, {"do": "end"})
        ]
    ),
    "vulnerabilities": page("vulnerabilities", "?tenant=third", "?page=99"),
    "vulnerabilities-tenant": of_tenant("vulnerabilities-tenant"),
    "vulnerabilities-export": of_tenant("vulnerabilities-export"),
    "news": page("news", "?tenant=third", "?page=99"),
    "news-tenant": of_tenant("news-tenant"),
    "feeds": Rule(
        closed=lambda world: [
            ("get", "/settings/feeds/", {}),
            ("post", "/settings/feeds/", {"name": "X", "url": "http://169.254.169.254/"}),
        ]
    ),
    "feed-do": Rule(closed=lambda world: [("post", a_feed(), {"do": "on"})]),
    "finding-rules": Rule(
        lambda world: [("get", "/settings/finding-tickets/", {})],
        lambda world: [
            ("post", "/settings/finding-tickets/",
             {"place": "third", "kind": "score_dropped", "is_on": "yes", "min_severity": "3",
              "min_size": "1"})
        ],
    ),
    "finding-rule-drop": Rule(
        closed=lambda world: [("post", finding_rule_of(world), {})]
    ),
    "score-tenant": of_tenant("score-tenant"),
    "score-export": of_tenant("score-export"),
    "score-control": Rule(closed=lambda world: [("get", "/secure-score/third/AdminMFA/", {})]),
    "score-state": Rule(
        closed=lambda world: [
            ("post", "/secure-score/third/AdminMFA/state/", {"state": state})
            for state in ("Ignored", "nonsense")
        ]
    ),
    "home": page("home"),
    "reports": page("reports", "?tenant=third", "?page=99"),
    "report-tenant": Rule(
        closed=lambda world: [
            ("get", f"/reports/third/{query}", {})
            for query in ("", "?first=2026-09-01&last=2026-09-09", "?first=x", "?last=2099-01-01")
        ]
    ),
    "report-live-pdf": of_tenant("report-live-pdf"),
    "report-make": of_tenant("report-make", "post"),
    "report": Rule(closed=lambda world: [("get", report_of(world, "report"), {})]),
    "report-pdf": Rule(closed=lambda world: [("get", report_of(world, "report-pdf"), {})]),
    "report-do": Rule(
        closed=lambda world: [
            ("post", report_of(world, "report-do"), {"do": do, "link": NOBODYS})
            for do in ("again", "send", "link", "revoke")
        ]
    ),
    # By a signed link, which tests/csc_portal/web/test_reports.py tries to forge.
    "report-link": Rule(is_free=True),
    "report-link-pdf": Rule(is_free=True),
    "branding": Rule(
        closed=lambda world: [(method, "/settings/branding/", {}) for method in ("get", "post")]
    ),
    "branding-logo": Rule(is_free=True),
    "health": page("health", "?tenant=third"),
    "health-heat": page("health-heat", "?tenant=third"),
    "audit": page("audit", "?tenant=third", "?action=names_shown", "?before=zzz", "?since=x"),
    "audit-export": Rule(
        lambda world: [
            ("get", f"/audit/export.{kind}{query}", {})
            for kind in ("cef", "jsonl", "csv")
            for query in ("", "?tenant=third")
        ]
    ),
    "my-access": page("my-access"),
    "access": page("access", "?tenant=third", "?find=of-third", "?role=viewer", "?state=off"),
    "access-roles": page("access-roles"),
    "person-new": Rule(
        lambda world: [
            ("get", "/settings/access/people/new/", {}),
            ("post", "/settings/access/people/new/",
             {"username": "x", "role": "viewer", "place": "tenant:third"}),
        ]
    ),
    "person": Rule(closed=lambda world: [("get", of_person(world, "person"), {})]),
    "person-give": Rule(
        closed=lambda world: [
            ("post", of_person(world, "person-give"), {"role": "viewer", "place": "tenant:third"})
        ]
    ),
    "person-take": Rule(
        closed=lambda world: [
            ("post", of_person(world, "person-take"), {"grant": str(grant_of_another())})
        ]
    ),
    "person-switch": Rule(
        closed=lambda world: [("post", of_person(world, "person-switch"), {"on": "no"})]
    ),
    "groups": Rule(
        closed=lambda world: [
            ("get", "/settings/access/groups/", {}),
            ("post", "/settings/access/groups/", {"name": "X", "slug": "x-group"}),
        ]
    ),
    "group": Rule(
        closed=lambda world: [
            ("get", of_group(world, "group"), {}),
            ("post", of_group(world, "group"), {"name": "X", "member": "third"}),
        ]
    ),
    "group-delete": Rule(closed=lambda world: [("post", of_group(world, "group-delete"), {})]),
    "search": Rule(
        lambda world: [
            ("post", "/search/", {"text": text})
            for text in (
                "third", SECRET, "person.0@third.example", "pc-0.third.example",
                str(world.cases["third"].pk),
            )
        ]
    ),
    "scope": Rule(lambda world: [("post", "/scope/", {"slug": "third", "next": "/chain/"})]),
    "scope-options": page("scope-options", "?find=third", "?tenant=third"),
    "login": Rule(is_free=True),
    "second-factor": Rule(is_free=True),
    "passkey-login": Rule(is_free=True),
    "challenge": Rule(is_free=True),
    "microsoft": Rule(is_free=True),
    "microsoft-done": Rule(is_free=True),
    "microsoft-leave": Rule(is_free=True),
    "microsoft-confirmed": page("microsoft-confirmed"),
    "logout": Rule(),
    "password": Rule(closed=lambda world: [("get", "/account/password/", {})]),  # has none here
    "again": page("again", "?next=/tenants/third/"),
    "security": page("security"),
    **{
        name: Rule(closed=lambda world, name=name: [("post", reverse(name), {})])  # type: ignore[misc]
        for name in ("totp-begin", "totp-remove", "passkey-options", "passkey-add",
                     "recovery-codes")
    },
    "totp": Rule(closed=lambda world: [("get", "/account/totp/", {})]),
    **{
        name: Rule(closed=lambda world, name=name: [("post", reverse(name, args=[NOBODYS]), {})])  # type: ignore[misc]
        for name in ("passkey-remove", "session-end", "mapping-remove")
    },
    "sessions-end": Rule(lambda world: [("post", "/account/sessions/end/", {})]),
    "sign-in-settings": Rule(
        closed=lambda world: [
            ("get", "/settings/sign-in/", {}),
            ("post", "/settings/sign-in/", {"kind": "app_role", "value": "x", "role": "admin"}),
        ]
    ),
    "sign-in-people": Rule(closed=lambda world: [("get", "/settings/people/", {})]),
    "person-sign-out": Rule(closed=lambda world: [("post", "/settings/people/1/sign-out/", {})]),
    "person-reset": Rule(closed=lambda world: [("post", "/settings/people/1/reset/", {})]),
    "zones": page("zones"),
    "preference": Rule(lambda world: [("post", "/account/preference/", {"theme": "dark"})]),
    # Keys of its own, which tests/csc_portal/api walk; a session counts nothing there.
    "mcp": Rule(is_free=True),
    **{pattern.name: Rule(is_free=True) for pattern in API if pattern.name},
}  # fmt: skip
