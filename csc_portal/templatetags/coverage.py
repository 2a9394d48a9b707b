"""What pages about Azure coverage need of templates."""

from __future__ import annotations

from django import template

from posture.tally import percent_of

register = template.Library()


@register.simple_tag
def share(watched: int | str, unwatched: int | str) -> int | None:
    """Percent watched; None where nothing has to be. Counts of a tenant never read are ""."""
    return percent_of(int(watched or 0), int(unwatched or 0))
