"""Addresses of the audit log, and of people, roles and groups; part of csc_portal/urls.py."""

from django.urls import path, register_converter

from csc_portal.audit_formats import KINDS
from csc_portal.web import audit, groups, people


class AuditKind:
    """The formats of the audit log's export."""

    regex = "|".join(KINDS)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(AuditKind, "audit-kind")

ACCESS = [
    path("audit/", audit.audit_page, name="audit"),
    path("audit/export.<audit-kind:kind>", audit.audit_export, name="audit-export"),
    path("account/rights/", people.my_access, name="my-access"),
    path("settings/access/", people.people_page, name="access"),
    path("settings/access/roles/", people.roles_page, name="access-roles"),
    path("settings/access/people/new/", people.person_new, name="person-new"),
    path("settings/access/people/<int:pk>/", people.person_page, name="person"),
    path("settings/access/people/<int:pk>/give/", people.person_give, name="person-give"),
    path("settings/access/people/<int:pk>/take/", people.person_take, name="person-take"),
    path("settings/access/people/<int:pk>/switch/", people.person_switch, name="person-switch"),
    path("settings/access/groups/", groups.groups_page, name="groups"),
    path("settings/access/groups/<slug:slug>/", groups.group_page, name="group"),
    path("settings/access/groups/<slug:slug>/delete/", groups.group_delete, name="group-delete"),
]
