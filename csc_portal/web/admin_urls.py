"""Addresses of onboarding and of a tenant's own settings; part of csc_portal/urls.py."""

from django.urls import path

from csc_portal.web import onboarding, tenant_setup
from csc_portal.web.activity import background

ADMIN = [
    path("tenants/new/", onboarding.new, name="tenant-new"),
    path("onboarding/consent/", onboarding.consent_answer, name="onboarding-consent"),
    path("onboarding/<uuid:public_id>/", onboarding.resume, name="onboarding"),
    path("onboarding/<uuid:public_id>/forget/", onboarding.drop, name="onboarding-discard"),
    path(
        "onboarding/<uuid:public_id>/progress/",
        background(onboarding.progress),
        name="onboarding-progress",
    ),
    path("onboarding/<uuid:public_id>/<slug:name>/", onboarding.step, name="onboarding-step"),
    path("tenants/<slug:slug>/setup/<slug:name>/", tenant_setup.setup, name="tenant-setup"),
    path("tenants/<slug:slug>/end/", tenant_setup.off_board_tenant, name="tenant-end"),
    path("tenants/<slug:slug>/export.jsonl", tenant_setup.export, name="tenant-export"),
]
