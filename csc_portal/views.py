"""Saved views: an analyst's own, those that colleagues share, and the one the queue opens with."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Case, Q, When
from django.http import QueryDict

from csc_portal.access import Rights
from csc_portal.columns import chosen
from csc_portal.filters import Filter, parse
from tenants.models import SavedView, User
from tenants.roles import Right

MOST_OWN = 20
MOST_SHOWN = 30
LONGEST_NAME = 40


class NotKept(ValueError):
    """Why a view can't be kept, in words for its owner."""


@dataclass(frozen=True, slots=True)
class View:
    """`query` goes into an address; `columns` is empty where the reader's own hold."""

    key: str
    name: str
    query: str
    columns: tuple[str, ...]
    is_mine: bool
    is_shared: bool

    @property
    def filter(self) -> Filter:
        return parse(QueryDict(self.query))

    @property
    def address(self) -> str:
        """The query string that shows it."""
        return self.filter.query(view=self.key)

    def is_shown_by(self, wanted: Filter) -> bool:
        """Whether the queue shows the view as it was kept."""
        return self.filter.without_tenants == wanted.without_tenants


def views_of(user: User, rights: Rights) -> list[View]:
    """The user's own and then those shared by colleagues; a customer's people see only their own.

    One query.
    """
    seen = Q(owner=user)
    if rights.may_somewhere(Right.SEE_PROVIDER):
        seen |= Q(is_shared=True)
    # However many colleagues share: what is cut off is not one's own.
    own_first = Case(When(owner=user, then=0), default=1)
    found = SavedView.objects.filter(seen).order_by(own_first, "pk")[:MOST_SHOWN]
    views = [
        View(
            str(view.public_id),
            view.name,
            view.query,
            chosen(view.columns) if view.columns else (),
            view.owner_id == user.pk,
            view.is_shared,
        )
        for view in found
    ]
    return sorted(views, key=lambda view: (not view.is_mine, view.name.casefold()))


def keep_view(
    user: User,
    rights: Rights,
    name: str,
    wanted: Filter,
    *,
    columns: Sequence[str] = (),
    is_shared: bool = False,
    public_id: uuid.UUID | None = None,
) -> SavedView:
    """Make a view, or change one of the user's own. Raises NotKept."""
    name = " ".join(name.replace("\0", "").split())
    if not name or len(name) > LONGEST_NAME:
        raise NotKept(f"Give the view a name of at most {LONGEST_NAME} characters.")
    if is_shared and not rights.may_somewhere(Right.SHARE_VIEWS):
        raise NotKept("Your role may not share views.")
    query = wanted.without_tenants
    if len(query) > 1000:
        raise NotKept("This filter is too long to be kept.")
    mine = SavedView.objects.filter(owner=user)
    view = mine.filter(public_id=public_id).first() if public_id else SavedView(owner=user)
    if view is None:
        raise NotKept("This view is gone.")
    if view.pk is None and mine.count() >= MOST_OWN:
        raise NotKept(f"You have {MOST_OWN} views. Remove one first.")
    view.name, view.query, view.is_shared = name, query, is_shared
    view.columns = list(columns)
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as err:
        raise NotKept("You have a view of this name.") from err
    return view


def forget_view(user: User, public_id: uuid.UUID) -> bool:
    """Whether there was such a view of the user's own."""
    number, _ = SavedView.objects.filter(owner=user, public_id=public_id).delete()
    if user.preferences.get("view") == str(public_id):
        open_with(user, "")
    return bool(number)


def open_with(user: User, key: str) -> None:
    """The view that the queue opens with; "" for none."""
    user.preferences["view"] = key
    user.save(update_fields=["preferences"])
