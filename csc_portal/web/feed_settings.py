"""Settings: where public lists and news come from."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from clients.addresses import check_url, parse_networks
from clients.errors import Rejected
from csc_portal.feeds import read_feed, url_of
from csc_portal.web.desk import rights_with, user_of
from tenants.audit import record
from tenants.models import PublicFeed
from tenants.roles import Right
from ticketing.connections import private_networks

MOST_FEEDS = 50
Kind = PublicFeed.Kind


class FeedForm(forms.ModelForm):
    class Meta:
        model = PublicFeed
        fields = ["name", "url"]
        labels = {"url": "Address"}
        help_texts = {"url": "RSS, Atom or JSON Feed, by https. Private addresses are refused."}

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            parts = urlsplit(url)
            origin = f"{parts.scheme}://{parts.netloc}"
            check_url(origin, parse_networks(private_networks()))
        except Rejected as err:
            raise forms.ValidationError(str(err)) from err
        except ValueError as err:
            raise forms.ValidationError("The URL cannot be read.") from err
        if PublicFeed.objects.filter(kind=Kind.NEWS, url=url).exists():
            raise forms.ValidationError("This feed is read already.")
        return url


def _check(request: HttpRequest) -> str:
    """The name of who may change this. Raises Http404 for others."""
    rights_with(request, Right.MANAGE_PORTAL, everywhere=True)
    return user_of(request).username


@require_http_methods(["GET", "HEAD", "POST"])
def feeds_page(request: HttpRequest) -> HttpResponse:
    """All feeds with their state, and a form for one more."""
    actor = _check(request)
    form = FeedForm(request.POST or None)
    form.fields["url"].required = True
    if request.method == "POST" and form.is_valid():
        if PublicFeed.objects.count() >= MOST_FEEDS:
            form.add_error(None, f"There are {MOST_FEEDS} feeds, which is the most.")
        else:
            with transaction.atomic():
                form.instance.kind = Kind.NEWS
                feed = form.save()
                record(actor, "feed_added", subject=f"feed {feed.public_id}",
                       facts={"name": feed.name})  # fmt: skip
            messages.success(request, "It is read within a minute.")
            return redirect("feeds")
    context = {
        "form": form,
        "feeds": [(feed, url_of(feed), _is_given(feed)) for feed in PublicFeed.objects.all()],
    }
    return render(request, "settings/feeds.html", context, status=422 if form.errors else 200)


def _is_given(feed: PublicFeed) -> bool:
    """By the operator's settings: it can be switched off, but would come back if removed."""
    return feed.kind != Kind.NEWS or feed.url in settings.NEWS_FEEDS


@require_POST
def feed_do(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`do`: on, off, now, or remove."""
    actor = _check(request)
    feed = get_object_or_404(PublicFeed, public_id=public_id)
    what = request.POST.get("do", "")
    facts: dict[str, object] = {"name": feed.name}
    if what in ("on", "off"):
        with transaction.atomic():
            same = PublicFeed.objects.filter(pk=feed.pk)
            same.update(is_on=what == "on", next_at=None)
            record(actor, f"feed_{what}", subject=f"feed {public_id}", facts=facts)
    elif what == "now":
        read_feed.apply_async((feed.pk,), queue="slow")
        messages.success(request, "It is being read.")
    elif what == "remove" and not _is_given(feed):
        with transaction.atomic():
            feed.delete()
            record(actor, "feed_removed", subject=f"feed {public_id}", facts=facts)
    else:
        raise Http404
    return redirect("feeds")
