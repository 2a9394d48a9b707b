"""The password of a local account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.views import PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy

from csc_portal.web.desk import user_of
from csc_portal.web.entering import is_local
from tenants.audit import record


class ChangePassword(PasswordChangeView):
    """Asks for the old one, and ends the user's other sessions."""

    template_name = "account/password.html"
    success_url = reverse_lazy("security")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """People of the directory have no password here."""
        if request.user.is_authenticated and not is_local(user_of(request)):
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: forms.Form) -> HttpResponse:
        response = super().form_valid(form)
        record(user_of(self.request).get_username(), "password_changed")
        return response
