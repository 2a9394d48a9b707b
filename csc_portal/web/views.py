"""Saved views and chosen columns: what the queue's tabs and its 'Columns' menu send."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from csc_portal.columns import chosen
from csc_portal.filters import ANY, Filter, parse
from csc_portal.typed import uuid_of
from csc_portal.views import NotKept, View, forget_view, keep_view, open_with, views_of
from csc_portal.web.desk import desk_of, user_of
from csc_portal.web.queue import columns_of


@require_POST
def view_keep(request: HttpRequest) -> HttpResponse:
    """A new view, or (with `view`) one of the user's own anew; `query` is what the page showed."""
    user, rights = user_of(request), desk_of(request).rights
    wanted = parse(QueryDict(request.POST.get("query", "")))
    current = _view(request, wanted.view)
    columns = columns_of(user, current) if request.POST.get("columns") == "yes" else ()
    try:
        kept = keep_view(
            user,
            rights,
            request.POST.get("name", ""),
            wanted,
            columns=columns,
            is_shared=request.POST.get("is_shared") == "yes",
            public_id=uuid_of(request.POST.get("view", "")),
        )
    except NotKept as err:
        messages.warning(request, str(err))
        return _to(wanted)
    if request.POST.get("is_default") == "yes":
        open_with(user, str(kept.public_id))
    elif user.preferences.get("view") == str(kept.public_id):
        open_with(user, "")
    messages.success(request, f"View '{kept.name}' is kept.")
    return _to(wanted, str(kept.public_id))


@require_POST
def view_forget(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Remove one of the user's own views; the queue stays as it is."""
    if not forget_view(user_of(request), public_id):
        raise Http404
    messages.success(request, "The view is removed.")
    return _to(parse(QueryDict(request.POST.get("query", ""))), ANY)


@require_POST
def columns_choose(request: HttpRequest) -> HttpResponse:
    """`column`, repeated, in order; none for those of the beginning. Of a view that has its own
    columns, that view's are changed.
    """
    user = user_of(request)
    wanted = parse(QueryDict(request.POST.get("query", "")))
    names = request.POST.getlist("column") if "reset" not in request.POST else []
    view = _view(request, wanted.view)
    if view and view.is_mine and view.columns:
        try:
            keep_view(
                user, desk_of(request).rights, view.name, view.filter, is_shared=view.is_shared,
                columns=chosen(names), public_id=uuid.UUID(view.key),
            )  # fmt: skip
        except NotKept as err:
            messages.warning(request, str(err))
    else:
        user.preferences["columns"] = list(chosen(names)) if names else []
        user.save(update_fields=["preferences"])
    return _to(wanted)


def _view(request: HttpRequest, key: str) -> View | None:
    if not key:
        return None
    views = views_of(user_of(request), desk_of(request).rights)
    return next((view for view in views if view.key == key), None)


def _to(wanted: Filter, view: str | None = None) -> HttpResponse:
    """Back to the queue, with what it showed."""
    query = wanted.query() if view is None else wanted.query(view=view)
    return redirect(f"{reverse('queue')}?{query}" if query else reverse("queue"))
