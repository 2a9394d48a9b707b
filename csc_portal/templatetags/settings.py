"""The tabs of Settings, for every page that stands there."""

from __future__ import annotations

from typing import Any

from django import template

from csc_portal.web.settings_tabs import tabs_for

register = template.Library()


@register.inclusion_tag("settings/_tabs.html", takes_context=True)
def settings_tabs(context: dict[str, Any], current: str) -> dict[str, object]:
    """{% settings_tabs "rules" %}: the tabs that the user may open; `current` is marked."""
    return {"tabs": tabs_for(context["frame"].desk.rights), "current": current}
