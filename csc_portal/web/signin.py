"""Signing in with a local account: name and password, then a second factor; or a passkey alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_POST

from csc_portal import entra_people, passkeys
from csc_portal.web import challenges
from csc_portal.web.entering import (
    MICROSOFT,
    PASSKEY,
    PASSWORD,
    RECOVERY,
    SECOND,
    enter,
    leave,
    own_address,
    refuse,
    refuse_stranger,
)
from csc_portal.web.throttle import Guesses, address_of
from tenants.audit import SYSTEM, record
from tenants.factors import check_totp, has_second_factor, use_recovery_code
from tenants.models import TotpDevice, User

PENDING = "second_factor"
PENDING_S = 300
LOCKED = "Too many wrong passwords. Try again in %(minutes)s minutes."


class SignInForm(AuthenticationForm):
    """The same answer for a wrong name and a wrong password; after some guesses a pause."""

    error_messages = {
        "invalid_login": "The user name or the password is wrong.",
        "inactive": "The user name or the password is wrong.",
        "locked": LOCKED,
    }

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username") or ""
        guesses = Guesses(name, address_of(self.request) if self.request else "")
        minutes = guesses.wait_minutes()
        if minutes:
            message = self.error_messages["locked"]
            raise ValidationError(message, code="locked", params={"minutes": minutes})
        try:
            cleaned = super().clean()
        except ValidationError:
            guesses.add()
            refuse(User.objects.filter(username=name).first(), PASSWORD, "password")
            if guesses.wait_minutes():
                record(SYSTEM, "sign_in_locked")
            raise
        guesses.forget()
        return cleaned


class SignIn(LoginView):
    template_name = "account/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if has_second_factor(user):
            return _ask_for_second(self.request, user, self.get_success_url())
        enter(self.request, user, PASSWORD)
        return redirect(self.get_success_url())

    def get_redirect_url(self) -> str:
        return own_address(super().get_redirect_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs,
            has_microsoft=entra_people.is_configured(),
            has_ended="ended" in self.request.GET,
            left_microsoft=self.request.GET.get("left") == MICROSOFT,
        )


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session. That with Microsoft goes on until it is ended there: the page says so."""
    method = leave(request)
    address = resolve_url("login")
    return redirect(f"{address}?left={MICROSOFT}" if method == MICROSOFT else address)


def _ask_for_second(request: HttpRequest, user: User, following: str) -> HttpResponse:
    request.session.flush()
    request.session[PENDING] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "at": timezone.now().timestamp(),
        "next": following,
    }
    return redirect("second-factor")


def _pending(request: HttpRequest) -> tuple[User, str] | None:
    """Who gave the right password some minutes ago, and where they want to go."""
    kept = request.session.get(PENDING)
    if not isinstance(kept, dict) or timezone.now().timestamp() - kept["at"] > PENDING_S:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), kept["password"]):
        return None
    return user, str(kept["next"])


class SecondFactorForm(forms.Form):
    """Digits of the app, or a recovery code, whichever was typed."""

    code = forms.CharField(
        max_length=20,
        label="Six digits, or a recovery code",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )


@method_decorator(login_not_required, name="dispatch")
class SecondFactor(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        found = _pending(request)
        return self._page(request, found[0], SecondFactorForm()) if found else redirect("login")

    def post(self, request: HttpRequest) -> HttpResponse:
        found = _pending(request)
        if found is None:
            return redirect("login")
        user, following = found
        form = SecondFactorForm(request.POST)
        guesses = Guesses.of_factor(user.pk, address_of(request))
        minutes = guesses.wait_minutes()
        if minutes:
            form.add_error(None, f"Too many wrong codes. Try again in {minutes} minutes.")
            return self._page(request, user, form)
        method = _second_factor(request, user, form)
        if method:
            guesses.forget()
            enter(request, user, method)
            return redirect(following)
        guesses.add()
        refuse(user, SECOND, "second factor")
        if guesses.wait_minutes():
            record(SYSTEM, "sign_in_locked", subject=f"user {user.pk}")
        return self._page(request, user, form)

    def _page(self, request: HttpRequest, user: User, form: forms.Form) -> HttpResponse:
        context = {
            "form": form,
            "has_app": TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).exists(),
            "has_passkey": user.passkeys.exists(),
        }
        return render(request, "account/second.html", context)


def _second_factor(request: HttpRequest, user: User, form: forms.Form) -> str:
    """The method that proved it; "" with an error in the form."""
    if "answer" in request.POST:
        try:
            challenges.check(request, user)
        except passkeys.BadPasskey as err:
            form.errors.clear()
            form.add_error(None, str(err))
            return ""
        return PASSKEY
    if not form.is_valid():
        return ""
    typed, now = form.cleaned_data["code"], timezone.now()
    if check_totp(user, typed, now):
        return SECOND
    if use_recovery_code(user, typed, now):
        return RECOVERY
    form.add_error("code", "This code is wrong or was used already.")
    return ""


@login_not_required
@require_POST
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    """A passkey is enough: the device has verified the person."""
    guesses = Guesses("passkey", address_of(request))
    error = ""
    try:
        if guesses.wait_minutes():
            raise passkeys.BadPasskey("Too many tries. Wait some minutes.")
        user = challenges.check(request, None)
        if not user.is_active:
            raise passkeys.BadPasskey("The passkey was not accepted.")
    except passkeys.BadPasskey as err:
        guesses.add()
        refuse_stranger(request, PASSKEY, "passkey")
        error = str(err)
    if not error:
        following = own_address(request.POST.get("next", ""))
        enter(request, user, PASSKEY)
        return redirect(following or settings.LOGIN_REDIRECT_URL)
    form = SignInForm(request)
    context = {"form": form, "error": error, "has_microsoft": entra_people.is_configured()}
    return render(request, "account/login.html", context)
