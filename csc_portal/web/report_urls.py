"""Addresses of reports; part of csc_portal/urls.py."""

from django.urls import path

from csc_portal.web import branding, report_links, reports

REPORTS = [
    path("home/", reports.home, name="home"),
    path("reports/", reports.reports_page, name="reports"),
    path("reports/<slug:slug>/", reports.tenant_page, name="report-tenant"),
    path("reports/<slug:slug>/live.pdf", reports.live_pdf, name="report-live-pdf"),
    path("reports/<slug:slug>/make/", reports.make, name="report-make"),
    path("reports/<slug:slug>/<uuid:public_id>/", reports.report_page, name="report"),
    path("reports/<slug:slug>/<uuid:public_id>/report.pdf", reports.report_pdf, name="report-pdf"),
    path("reports/<slug:slug>/<uuid:public_id>/do/", reports.report_do, name="report-do"),
    path("r/<str:token>/", report_links.link_page, name="report-link"),
    path("r/<str:token>/report.pdf", report_links.link_pdf, name="report-link-pdf"),
    path("settings/branding/", branding.branding_page, name="branding"),
    path("branding/logo.png", branding.branding_logo, name="branding-logo"),
]
