"""A block of a report as HTML."""

from __future__ import annotations

from django import template

from reports.blocks import Block

register = template.Library()


@register.inclusion_tag("report/_block.html")
def report_block(block: Block) -> dict[str, object]:
    return {"block": block}
