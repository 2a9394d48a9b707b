"""Addresses of Secure Score, weaknesses, news and findings; part of csc_portal/urls.py."""

from django.urls import path

from csc_portal.web import feed_settings, finding_rules, findings, score, vulnerabilities

POSTURE = [
    path("secure-score/", score.scores_page, name="secure-score"),
    path("secure-score/<slug:slug>/", score.tenant_page, name="score-tenant"),
    path("secure-score/<slug:slug>/controls.csv", score.controls_export, name="score-export"),
    path("secure-score/<slug:slug>/<str:name>/", score.control_page, name="score-control"),
    path("secure-score/<slug:slug>/<str:name>/state/", score.control_state, name="score-state"),
    path("findings/", findings.findings_page, name="findings"),
    path("findings/export.csv", findings.findings_export, name="findings-export"),
    path("findings/<uuid:public_id>/", findings.finding_page, name="finding"),
    path("findings/<uuid:public_id>/act/", findings.finding_act, name="finding-act"),
    path("vulnerabilities/", vulnerabilities.vulnerabilities_page, name="vulnerabilities"),
    path(
        "vulnerabilities/<slug:slug>/",
        vulnerabilities.vulnerabilities_tenant,
        name="vulnerabilities-tenant",
    ),
    path(
        "vulnerabilities/<slug:slug>/weaknesses.csv",
        vulnerabilities.vulnerabilities_export,
        name="vulnerabilities-export",
    ),
    path("news/", vulnerabilities.news_page, name="news"),
    path("news/<slug:slug>/", vulnerabilities.news_tenant, name="news-tenant"),
    path("settings/feeds/", feed_settings.feeds_page, name="feeds"),
    path("settings/feeds/<uuid:public_id>/do/", feed_settings.feed_do, name="feed-do"),
    path("settings/finding-tickets/", finding_rules.finding_rules_page, name="finding-rules"),
    path(
        "settings/finding-tickets/<int:pk>/drop/",
        finding_rules.finding_rule_drop,
        name="finding-rule-drop",
    ),
]
