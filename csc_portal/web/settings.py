"""Settings: the first tab, equal detections, and how the installation stands."""

from __future__ import annotations

from typing import Any

import yaml
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from alerts.overlap import BadClass, as_body
from alerts.overlap_classes import edit_class, list_classes, reset_class
from clients.errors import Rejected
from csc_portal.installation import installation
from csc_portal.web.desk import desk_of, rights_with, user_of
from csc_portal.web.settings_tabs import tabs_for
from tenants.roles import Right
from ticketing.adapters.description import load_options


@require_safe
def settings_page(request: HttpRequest) -> HttpResponse:
    """The first tab that the user may open; who may change nothing sees their own rights."""
    tabs = tabs_for(desk_of(request).rights)
    return redirect(tabs[0].url if tabs else "my-access")


class ClassForm(forms.Form):
    """The whole class as YAML: its members are lists of lists, for which rows would be no help."""

    name = forms.SlugField(label="Name", max_length=40, help_text="Small letters and underscores.")
    body = forms.CharField(
        label="Class", widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"})
    )
    version = forms.IntegerField(widget=forms.HiddenInput, initial=0)

    def clean_body(self) -> dict[str, object]:
        try:
            return load_options(self.cleaned_data["body"])
        except Rejected as err:
            raise forms.ValidationError(str(err)) from err


EXAMPLE = {
    "label": "The same odd sign-in",
    "window_min": 60,
    "ties": ["user"],
    "same_place": True,
    "is_active": True,
    "members": [
        {"sources": ["azureAdIdentityProtection"], "names": ["Unfamiliar sign-in*"]},
        {
            "sources": ["microsoftDefenderForCloudApps"],
            "names": ["Activity from infrequent country"],
        },
    ],
}


@require_safe
def detections_page(request: HttpRequest) -> HttpResponse:
    """Every class as it holds for all tenants."""
    may_change = Right.MANAGE_RULES in rights_with(request, Right.MANAGE_RULES).everywhere
    context = {"classes": list_classes(), "may_change": may_change}
    return render(request, "settings/detections.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def detection_page(request: HttpRequest, name: str = "") -> HttpResponse:
    """One class, or a new one. `do`: reset takes our own change of it back."""
    rights_with(request, Right.MANAGE_RULES, everywhere=True)
    shown = next((one for one in list_classes() if one.kind.name == name), None)
    if name and shown is None:
        raise Http404
    form = ClassForm(request.POST if request.method == "POST" else None, initial=_initial(shown))
    if shown:
        form.fields["name"].disabled = True
    if request.method == "POST" and request.POST.get("do") == "reset" and shown:
        try:
            reset_class(name, shown.version, tenant=None, actor=user_of(request).username)
        except BadClass as err:
            messages.error(request, str(err))
        return redirect("detections")
    if form.is_valid():
        data, user = form.cleaned_data, user_of(request)
        try:
            edit_class(data["name"], data["body"], data["version"], tenant=None,
                       actor=user.username, actor_id=user.pk)  # fmt: skip
        except BadClass as err:
            form.add_error("body", str(err))
        else:
            messages.success(request, "Saved. It holds for alerts that come from now on.")
            return redirect("detections")
    status = 422 if form.errors else 200
    return render(request, "settings/detection.html", {"form": form, "shown": shown}, status=status)


def _initial(shown: Any) -> dict[str, object]:
    body = as_body(shown.kind) if shown else EXAMPLE
    return {
        "name": shown.kind.name if shown else "",
        "body": yaml.safe_dump(body, sort_keys=False, allow_unicode=True),
        "version": shown.version if shown else 0,
    }


@require_safe
def installation_page(request: HttpRequest) -> HttpResponse:
    """What runs here, where it looks, and whether what it needs answers."""
    rights_with(request, Right.MANAGE_PORTAL, everywhere=True)
    context = {
        "found": installation(),
        "idle_minutes": settings.SESSION_IDLE_MINUTES,
        "hours": settings.SESSION_HOURS,
        "directory": settings.OIDC_DIRECTORY,
        "second_factor": settings.LOCAL_SECOND_FACTOR,
    }
    return render(request, "settings/installation.html", context)
