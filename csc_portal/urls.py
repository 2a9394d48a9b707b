"""All addresses of the portal. Each has a rule in tests/csc_portal/web/url_rules.py."""

from django.urls import path, register_converter

from csc_portal.api.urls import API
from csc_portal.mcp.endpoint import Endpoint
from csc_portal.web import (
    analytics,
    bulk,
    case,
    case_acts,
    case_live,
    chain,
    entity,
    export,
    health,
    mine,
    names,
    queue,
    search,
    tenants,
    views,
)
from csc_portal.web.access_urls import ACCESS
from csc_portal.web.account_urls import ACCOUNT
from csc_portal.web.activity import background
from csc_portal.web.admin_urls import ADMIN
from csc_portal.web.coverage_urls import COVERAGE
from csc_portal.web.posture_urls import POSTURE
from csc_portal.web.report_urls import REPORTS


class ExportKind:
    """The formats of an export."""

    regex = "csv|json"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class LiveKind(ExportKind):
    """What a case's page reads live."""

    regex = "advice|notes|raw"


register_converter(ExportKind, "kind")
register_converter(LiveKind, "live")

urlpatterns = [
    path("", queue.queue_page, name="queue"),
    path("queue/changes/", background(queue.queue_changes), name="queue-changes"),
    path("queue/hours/", background(queue.queue_histogram), name="queue-histogram"),
    path("queue/tallies/", background(queue.queue_tallies), name="queue-tallies"),
    path("queue/export.<kind:kind>", export.queue_export, name="queue-export"),
    path("queue/bulk/", bulk.bulk, name="bulk"),
    path("queue/bulk/ask/", bulk.bulk_ask, name="bulk-ask"),
    path("queue/bulk/matching/", bulk.bulk_matching, name="bulk-matching"),
    path("queue/views/", views.view_keep, name="view-keep"),
    path("queue/views/<uuid:public_id>/forget/", views.view_forget, name="view-forget"),
    path("queue/columns/", views.columns_choose, name="columns"),
    path("names/", names.names_shown, name="names"),
    path("names/toggle/", names.names_toggle, name="names-toggle"),
    path("chain/", chain.chain_page, name="chain"),
    path("chain/trend/", chain.chain_trend, name="chain-trend"),
    path("cases/<uuid:public_id>/", case.case_page, name="case"),
    path("cases/<uuid:public_id>/news/", background(case.case_news), name="case-news"),
    path("cases/<uuid:public_id>/triage/", case_acts.case_triage, name="case-triage"),
    path("cases/<uuid:public_id>/regroup/", case_acts.case_regroup, name="case-regroup"),
    path("cases/<uuid:public_id>/suppress/", case_acts.case_suppress, name="case-suppress"),
    path("cases/<uuid:public_id>/comment/", case_acts.case_comment, name="case-comment"),
    path("cases/<uuid:public_id>/live/<live:what>/", case_live.case_live, name="case-live"),
    path("cases/<uuid:public_id>/stix/", case_live.case_stix, name="case-stix"),
    path("analytics/", analytics.analytics_page, name="analytics"),
    path("analytics/<slug:tab>/", analytics.analytics_page, name="analytics-tab"),
    path("entities/", entity.entities_page, name="entities"),
    path("entities/<uuid:pseudonym>/", entity.entity_page, name="entity"),
    path("entities/<uuid:pseudonym>/live/", case_live.entity_live, name="entity-live"),
    path("entities/<uuid:pseudonym>/mark/", entity.entity_mark, name="entity-mark"),
    path("entities/<uuid:pseudonym>/tie/", entity.entity_tie, name="entity-tie"),
    path("tenants/", tenants.tenants_page, name="tenants"),
    *ADMIN,
    *COVERAGE,
    path("tenants/<slug:slug>/", tenants.tenant_page, name="tenant"),
    path("tenants/<slug:slug>/retry/", tenants.tenant_retry, name="tenant-retry"),
    path("tenants/<slug:slug>/state/", tenants.tenant_state, name="tenant-state"),
    path("tenants/<slug:slug>/details/", health.tenant_details, name="tenant-details"),
    path("tenants/<slug:slug>/again/", health.read_again, name="tenant-again"),
    path("health/", health.health_page, name="health"),
    path("health/heat/", background(health.heat), name="health-heat"),
    *POSTURE,
    *REPORTS,
    *ACCESS,
    path("search/", search.search, name="search"),
    path("scope/", mine.set_scope, name="scope"),
    path("scope/options/", mine.scope_options, name="scope-options"),
    *ACCOUNT,
    path("account/preference/", mine.set_preference, name="preference"),
    path("account/zones/", mine.zone_options, name="zones"),
    *API,
    path("mcp", Endpoint.as_view(), name="mcp"),
]

handler500 = "csc_portal.api.problems.server_error"
