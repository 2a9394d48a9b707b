"""Signing in and out, and what a user sets for themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from csc_portal.web.context import DENSITIES, THEMES
from csc_portal.web.desk import MOST_KEPT, desk_of, user_of
from csc_portal.web.throttle import Guesses
from tenants.models import AuditEntry

SHOWN_TENANTS = 50


class SignInForm(AuthenticationForm):
    """The same answer for a wrong name and a wrong password; after some guesses a pause."""

    error_messages = {
        "invalid_login": "The user name or the password is wrong.",
        "inactive": "The user name or the password is wrong.",
        "locked": "Too many wrong passwords. Try again in %(minutes)s minutes.",
    }

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username") or ""
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        guesses = Guesses(name, address)
        minutes = guesses.wait_minutes()
        if minutes:
            message = self.error_messages["locked"]
            raise ValidationError(message, code="locked", params={"minutes": minutes})
        try:
            cleaned = super().clean()
        except ValidationError:
            guesses.add()
            if guesses.wait_minutes():
                AuditEntry.objects.create(actor="system", action="sign_in_locked")
            raise
        guesses.forget()
        return cleaned


class SignIn(LoginView):
    template_name = "account/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)  # gives the session a new key
        AuditEntry.objects.create(actor=form.get_user().get_username(), action="signed_in")
        return response


class ChangePassword(PasswordChangeView):
    template_name = "account/password.html"
    success_url = reverse_lazy("queue")

    def form_valid(self, form: forms.Form) -> HttpResponse:
        AuditEntry.objects.create(actor=user_of(self.request).username, action="password_changed")
        return super().form_valid(form)


@require_POST
def set_preference(request: HttpRequest) -> HttpResponse:
    """One choice of the user menu; then back to the page."""
    user = user_of(request)
    choices = {"theme": THEMES, "density": DENSITIES, "single_keys": ("on", "off")}
    for name, allowed in choices.items():
        value = request.POST.get(name)
        if value in allowed:
            kept: str | bool = value == "on" if name == "single_keys" else str(value)
            user.preferences[name] = kept
    user.save(update_fields=["preferences"])
    return redirect(back(request))


@require_GET
def scope_options(request: HttpRequest) -> HttpResponse:
    """Tenants whose name holds the text, to choose from; those chosen come first."""
    desk = desk_of(request)
    text = request.GET.get("find", "").strip().casefold()
    chosen = {tenant.pk for tenant in desk.chosen}
    found = [
        tenant
        for tenant in desk.rights.tenants.values()
        if text in tenant.name.casefold() or text in tenant.slug or tenant.pk in chosen
    ]
    found.sort(key=lambda tenant: tenant.pk not in chosen)
    return render(
        request,
        "frame/_scope.html",
        {
            "tenants": found[:SHOWN_TENANTS],
            "more": max(0, len(found) - SHOWN_TENANTS),
            "chosen": chosen,
            "find": text,
        },
    )


@require_POST
def set_scope(request: HttpRequest) -> HttpResponse:
    """Keep the chosen tenants for the user, and go back to the page with them in its address."""
    desk = desk_of(request)
    slugs = [t.slug for t in desk.rights.by_slug(request.POST.getlist("slug"))][:MOST_KEPT]
    user = user_of(request)
    user.preferences["tenants"] = slugs
    user.save(update_fields=["preferences"])
    path, _, query = back(request).partition("?")
    pairs = [pair for pair in query.split("&") if pair and not pair.startswith("tenant=")]
    pairs = [pair for pair in pairs if not pair.startswith(("after=", "before="))]
    pairs += [f"tenant={slug}" for slug in slugs]
    return redirect(f"{path}?{'&'.join(pairs)}" if pairs else path)


def back(request: HttpRequest) -> str:
    """Where the form came from, if that is a page of ours; else the queue."""
    address = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(address, allowed_hosts=None):
        return address
    return reverse("queue")
