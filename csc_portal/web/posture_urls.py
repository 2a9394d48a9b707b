"""Addresses of Secure Score and findings; part of csc_portal/urls.py."""

from django.urls import path

from csc_portal.web import findings, score

POSTURE = [
    path("secure-score/", score.scores_page, name="secure-score"),
    path("secure-score/<slug:slug>/", score.tenant_page, name="score-tenant"),
    path("secure-score/<slug:slug>/controls.csv", score.controls_export, name="score-export"),
    path("secure-score/<slug:slug>/<str:name>/", score.control_page, name="score-control"),
    path("secure-score/<slug:slug>/<str:name>/state/", score.control_state, name="score-state"),
    path("findings/", findings.findings_page, name="findings"),
]
