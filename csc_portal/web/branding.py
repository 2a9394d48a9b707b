"""Settings: how reports look, and the provider's logo for all who see one."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from csc_portal.web.desk import rights_with, user_of
from csc_portal.web.report_forms import BrandForm
from tenants.audit import record
from tenants.models import Branding
from tenants.roles import Right


@require_http_methods(["GET", "HEAD", "POST"])
def branding_page(request: HttpRequest) -> HttpResponse:
    rights_with(request, Right.MANAGE_PORTAL, everywhere=True)
    row = Branding.objects.first()
    is_post = request.method == "POST"
    form = BrandForm(row, request.POST if is_post else None, request.FILES if is_post else None)
    if form.is_valid():
        changes = form.changes()
        Branding.objects.update_or_create(pk=1, defaults=changes)
        facts: dict[str, object] = {"fields": sorted(changes)}
        record(user_of(request).username, "branding_changed", facts=facts)
        messages.success(request, "Saved. Reports look so from now on, also those made before.")
        return redirect("branding")
    context = {"form": form, "has_logo": bool(row and row.logo)}
    return render(request, "settings/branding.html", context, status=422 if form.errors else 200)


@login_not_required
@require_safe
def branding_logo(request: HttpRequest) -> HttpResponse:
    """The provider's own sign, no secret: those whom a link leads here see it too."""
    row = Branding.objects.only("logo").first()
    if row is None or not row.logo:
        raise Http404
    response = HttpResponse(bytes(row.logo), content_type="image/png")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
