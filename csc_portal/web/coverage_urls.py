"""Addresses of Azure coverage; part of csc_portal/urls.py."""

from django.urls import path

from csc_portal.web import coverage

COVERAGE = [
    path("coverage/", coverage.coverage_page, name="azure"),
    path("coverage/export.csv", coverage.coverage_export, name="azure-export"),
    path("coverage/<slug:slug>/", coverage.coverage_tenant, name="azure-tenant"),
    path("coverage/<slug:slug>/names/", coverage.coverage_names, name="azure-names"),
    path("coverage/<slug:slug>/exempt/", coverage.coverage_exempt, name="azure-exempt"),
    path("coverage/<slug:slug>/resources.csv", coverage.coverage_resources, name="azure-resources"),
]
