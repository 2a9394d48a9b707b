"""The queue's cells in the order that the user chose, and the time that is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django import template
from django.template import Context, Node, NodeList
from django.template.base import Parser, Token
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from csc_portal.templatetags.portal import pillar_list

register = template.Library()

SOON = timedelta(hours=1)
_UNITS = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=2), timedelta(hours=1), "h"),
)


class Cells(Node):
    """One list of nodes a column; those of the context's `columns` are rendered, in that order."""

    def __init__(self, cells: dict[str, NodeList]) -> None:
        self.cells = cells

    def render(self, context: Context) -> SafeString:
        parts = [self.cells[name].render(context) for name in context["columns"]]
        return mark_safe("".join(parts))  # noqa: S308 - each part is rendered, so escaped


@register.tag
def cells(parser: Parser, token: Token) -> Cells:
    """{% cells %} {% cell "severity" %}...{% cell "title" %}... {% endcells %}"""
    found: dict[str, NodeList] = {}
    name = ""
    while True:
        nodes = parser.parse(("cell", "endcells"))
        if name:
            found[name] = nodes
        word = parser.next_token().split_contents()
        if word[0] == "endcells":
            return Cells(found)
        name = word[1].strip("'\"")


@register.simple_tag
def chain_icons(bits: int) -> SafeString:
    """The five links of the chain, lit where a case touches them. Rendered once for each mixture:
    it was the dearest part of a row.
    """
    return _chain_icons(bits & 31)


@lru_cache(maxsize=32)
def _chain_icons(bits: int) -> SafeString:
    pillars = pillar_list(bits)
    touched = ", ".join(str(one["name"]) for one in pillars if one["is_on"])
    words = f"Touches {touched}" if touched else "Touches no link that is known"
    return render_to_string("queue/_chain.html", {"pillars": pillars, "words": words})


@register.simple_tag
def left(due_at: datetime | None) -> SafeString:
    """How long until a case is due, or since when it is overdue; the page's script goes on."""
    if due_at is None:
        return format_html('<span class="text-faint">{}</span>', "—")
    remaining = due_at - timezone.now()
    state = "breached" if remaining < timedelta(0) else "soon" if remaining < SOON else "fine"
    local = timezone.localtime(due_at)
    return format_html(
        '<time class="sla sla-{}" data-due datetime="{}" title="Due {} {}">{}</time>',
        state,
        due_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        local.strftime("%Y-%m-%d %H:%M"),
        local.tzname(),
        words_of(remaining),
    )


def words_of(remaining: timedelta) -> str:
    """ "3 h left", "12 min over"."""
    word, size = ("over", -remaining) if remaining < timedelta(0) else ("left", remaining)
    for least, unit, sign in _UNITS:
        if size >= least:
            return f"{size // unit} {sign} {word}"
    return f"{size // timedelta(minutes=1)} min {word}"
