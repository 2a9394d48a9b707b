"""Addresses of the API; part of csc_portal/urls.py. None ends in a slash."""

from django.urls import URLPattern, path, re_path

from csc_portal.api import (
    actions,
    alerts,
    bulk,
    case_files,
    cases,
    entities,
    events,
    exports,
    findings,
    indicators,
    posture,
    records,
    reports,
    rules,
    schema,
    tenants,
    weaknesses,
)
from csc_portal.api.view import NotHere

ENDPOINTS = [
    path("key", tenants.OwnKey.as_view(), name="api-key"),
    path("cases", cases.Cases.as_view(), name="api-cases"),
    path("cases/count", cases.CaseCount.as_view(), name="api-case-count"),
    path("cases/changes", cases.CaseChanges.as_view(), name="api-case-changes"),
    path("cases/facets", case_files.CaseFacets.as_view(), name="api-case-facets"),
    path("cases/bulk", bulk.BulkCases.as_view(), name="api-bulk"),
    path("cases/export", exports.CaseExport.as_view(), name="api-case-export"),
    path("cases/<uuid:id>", cases.OneCase.as_view(), name="api-case"),
    path("cases/<uuid:id>/file", case_files.CaseFile.as_view(), name="api-case-file"),
    path("cases/<uuid:id>/stix", indicators.CaseStix.as_view(), name="api-case-stix"),
    path("cases/<uuid:id>/actions", actions.CaseActions.as_view(), name="api-case-actions"),
    path("cases/<uuid:id>/comments", actions.CaseComments.as_view(), name="api-case-comments"),
    path("tasks/<uuid:id>", bulk.OneTask.as_view(), name="api-task"),
    path("tasks/<uuid:id>/items", bulk.TaskItems.as_view(), name="api-task-items"),
    path("alerts", alerts.Alerts.as_view(), name="api-alerts"),
    path("alerts/search", alerts.AlertSearch.as_view(), name="api-alert-search"),
    path("alerts/export", exports.AlertExport.as_view(), name="api-alert-export"),
    path("entities/lookup", entities.EntityLookup.as_view(), name="api-entity-lookup"),
    path("entities/<uuid:id>", entities.OneEntity.as_view(), name="api-entity"),
    path("entities/<uuid:id>/name", entities.EntityName.as_view(), name="api-entity-name"),
    path("tenants", tenants.Tenants.as_view(), name="api-tenants"),
    path("tenants/<slug:slug>", tenants.OneTenant.as_view(), name="api-tenant"),
    path("tenants/<slug:slug>/workers", tenants.Workers.as_view(), name="api-workers"),
    path("tenants/<slug:slug>/score", posture.TenantScoreView.as_view(), name="api-score"),
    path("tenants/<slug:slug>/score/days", posture.ScoreHistory.as_view(), name="api-score-days"),
    path(
        "tenants/<slug:slug>/score/controls",
        posture.ScoreControls.as_view(),
        name="api-score-controls",
    ),
    path("tenants/<slug:slug>/coverage", posture.TenantCoverage.as_view(), name="api-coverage"),
    path("tenants/<slug:slug>/resources", posture.Resources.as_view(), name="api-resources"),
    path(
        "tenants/<slug:slug>/weaknesses",
        weaknesses.Weaknesses.as_view(),
        name="api-weaknesses",
    ),
    path("weaknesses", weaknesses.WeaknessCounts.as_view(), name="api-weakness-counts"),
    path("scores", posture.Scores.as_view(), name="api-scores"),
    path("coverage", posture.Coverages.as_view(), name="api-coverages"),
    path("findings", findings.Findings.as_view(), name="api-findings"),
    path("findings/<uuid:id>", findings.OneFinding.as_view(), name="api-finding"),
    path("events", events.Events.as_view(), name="api-events"),
    path("tickets", records.Tickets.as_view(), name="api-tickets"),
    path("deliveries", records.Deliveries.as_view(), name="api-deliveries"),
    path("decisions", records.Decisions.as_view(), name="api-decisions"),
    path("rules", rules.Rules.as_view(), name="api-rules"),
    path("audit", rules.Audit.as_view(), name="api-audit"),
    path("reports", reports.Reports.as_view(), name="api-reports"),
    path("reports/<uuid:id>", reports.OneReport.as_view(), name="api-report"),
    path("reports/<uuid:id>/pdf", reports.ReportPdf.as_view(), name="api-report-pdf"),
    path("reports/auto-closed", records.AutoClosedReport.as_view(), name="api-auto-closed"),
]
PREFIX = "api/v1/"


def _below(patterns: list[URLPattern]) -> list[URLPattern]:
    return [path(PREFIX + str(p.pattern), p.callback, name=p.name) for p in patterns]


API = [
    *_below([*ENDPOINTS, path("schema", schema.served, name="api-schema")]),
    re_path(f"^{PREFIX}", NotHere.as_view(), name="api-nothing"),  # whatever else follows
]
urlpatterns = [pattern for pattern in API if pattern.name not in ("api-schema", "api-nothing")]
"""What the OpenAPI document tells of."""
