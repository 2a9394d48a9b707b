"""Settings: webhooks out, what they were told, and their secrets, each shown once."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from clients.errors import ApiError
from csc_portal.access import Group, Rights, groups_of
from csc_portal.typed import number_of
from csc_portal.web.desk import desk_of, rights_with, user_of
from csc_portal.web.places import offered, picked
from csc_portal.web.reauth import ask_for_proof
from csc_portal.webhooks.events import EXPLAINED
from csc_portal.webhooks.hooks import (
    BadWebhook,
    NewWebhook,
    create_webhook,
    new_secret,
    remove,
    replay,
    secret_of,
    send_test,
    switch,
)
from tenants.directories import BadSecret
from tenants.models import User, Webhook, WebhookDelivery
from tenants.roles import Right

SHOWN = 50


class WebhookForm(forms.Form):
    name = forms.CharField(label="Name", max_length=60, help_text="Who is told, in your words.")
    url = forms.CharField(
        label="URL",
        max_length=300,
        help_text="https, without a query. It is called from where the portal runs.",
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(kind.value, f"{kind.value}: {told}") for kind, told in EXPLAINED.items()],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="What of it is told.",
    )
    places = forms.MultipleChoiceField(
        label="Tenants",
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text="None chosen: all that you may manage webhooks for, also later ones.",
    )

    def __init__(self, data: Any, rights: Rights, groups: tuple[Group, ...]) -> None:
        super().__init__(data)
        managed = set(rights.having(Right.MANAGE_KEYS))
        tenants = (ref for pk, ref in rights.tenants.items() if pk in managed)
        self.fields["places"].choices = offered(groups, tenants)

    def order(self) -> NewWebhook:
        tenants, groups = picked(self.cleaned_data["places"])
        return NewWebhook(
            name=self.cleaned_data["name"],
            url=self.cleaned_data["url"],
            events=self.cleaned_data["events"],
            tenants=tenants,
            groups=groups,
        )


def _visible(request: HttpRequest) -> Any:
    """One's own; who may manage webhooks everywhere sees everybody's."""
    rights = rights_with(request, Right.MANAGE_KEYS)
    hooks = Webhook.objects.select_related("owner")
    is_wide = Right.MANAGE_KEYS in rights.everywhere
    return hooks if is_wide else hooks.filter(owner=user_of(request))


def _hook(request: HttpRequest, public_id: uuid.UUID) -> Webhook:
    hook: Webhook = get_object_or_404(_visible(request), public_id=public_id)
    return hook


@require_http_methods(["GET", "HEAD", "POST"])
def webhooks_page(request: HttpRequest) -> HttpResponse:
    """Those there are, and a form for a new one, whose secret the answer shows once."""
    rights, user = rights_with(request, Right.MANAGE_KEYS), user_of(request)
    form = WebhookForm(request.POST or None, rights, groups_of(user, rights))
    if request.method == "POST" and form.is_valid():
        if asked := ask_for_proof(request):
            return asked
        try:
            hook = create_webhook(user, form.order(), actor=user.username)
        except BadWebhook as err:
            form.add_error(None, str(err))
        else:
            return _with_secret(request, hook)
    hooks = _visible(request).prefetch_related("tenants", "groups")
    context = {"hooks": hooks, "form": form}
    status = 422 if form.errors else 200
    return render(request, "settings/webhooks.html", context, status=status)


def _with_secret(request: HttpRequest, hook: Webhook) -> HttpResponse:
    try:
        secret, problem = secret_of(hook), ""
    except (ApiError, BadSecret) as err:
        secret, problem = "", f"{err} Ask for a new secret when the vault answers."
    context = {"hook": hook, "secret": secret, "problem": problem}
    response = render(request, "settings/webhook_secret.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD"])
def webhook_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What it is, and the newest of what it was told. `before`: further back in the log."""
    hook = _hook(request, public_id)
    log = WebhookDelivery.objects.filter(webhook=hook)
    if before := number_of(request.GET.get("before", "")):
        log = log.filter(pk__lt=before)
    rows = list(log.order_by("-pk")[: SHOWN + 1])
    slugs = {pk: ref.slug for pk, ref in desk_of(request).rights.tenants.items()}
    lines = [(row, slugs.get(row.tenant_id or 0, "")) for row in rows[:SHOWN]]
    older = rows[SHOWN - 1].pk if len(rows) > SHOWN else None
    context = {"hook": hook, "lines": lines, "older": older, "explained": EXPLAINED}
    return render(request, "settings/webhook.html", context)


@require_POST
def webhook_do(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`do`: test, on, off, secret, remove, replay (with `delivery`)."""
    hook, user, do = _hook(request, public_id), user_of(request), request.POST.get("do", "")
    now = timezone.now()
    if do in ("secret", "remove") and (asked := ask_for_proof(request)):
        return asked
    if do == "secret":
        try:
            new_secret(hook, actor=user.username)
        except (ApiError, BadSecret) as err:
            messages.error(request, str(err))
        else:
            return _with_secret(request, hook)
    elif do == "remove":
        remove(hook, actor=user.username)
        messages.success(request, "The webhook is gone, with its log.")
        return redirect("webhooks")
    elif do == "test":
        send_test(hook, actor=user.username, now=now)
        messages.success(request, "A test is on its way. Its line in the log tells how it went.")
    elif do in ("on", "off"):
        switch(hook, Webhook.State(do), actor=user.username)
    elif do == "replay":
        _replay(request, hook, user)
    else:
        raise Http404
    return redirect("webhook", public_id=public_id)


def _replay(request: HttpRequest, hook: Webhook, user: User) -> None:
    number = number_of(request.POST.get("delivery", ""))
    delivery = WebhookDelivery.objects.filter(webhook=hook, pk=number).first()
    if delivery is None:
        raise Http404
    delivery.webhook = hook
    if replay(delivery, actor=user.username, now=timezone.now()):
        messages.success(request, "It is sent again, with the same id.")
