"""Addresses of onboarding, a tenant's settings and Settings; part of csc_portal/urls.py."""

from django.urls import path

from csc_portal.web import api_keys, onboarding, rules, settings, tenant_setup, webhooks
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
    path("settings/", settings.settings_page, name="settings"),
    path("settings/rules/", rules.rules_page, name="rules"),
    path("settings/rules/new/", rules.rule_new, name="rule-new"),
    path("settings/rules/<uuid:public_id>/", rules.rule_page, name="rule"),
    path("settings/rules/<uuid:public_id>/end/", rules.rule_end, name="rule-end"),
    path("settings/detections/", settings.detections_page, name="detections"),
    path("settings/detections/new/", settings.detection_page, name="detection-new"),
    path("settings/detections/<slug:name>/", settings.detection_page, name="detection"),
    path("settings/api-keys/", api_keys.keys_page, name="api-tokens"),
    path("settings/api-keys/<uuid:public_id>/", api_keys.key_use, name="api-key-use"),
    path("settings/api-keys/<uuid:public_id>/revoke/", api_keys.key_revoke, name="api-key-revoke"),
    path("settings/api/", api_keys.endpoints_page, name="api-endpoints"),
    path("settings/webhooks/", webhooks.webhooks_page, name="webhooks"),
    path("settings/webhooks/<uuid:public_id>/", webhooks.webhook_page, name="webhook"),
    path("settings/webhooks/<uuid:public_id>/do/", webhooks.webhook_do, name="webhook-do"),
    path("settings/installation/", settings.installation_page, name="installation"),
]
