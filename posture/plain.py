"""Plain text from what others publish: no markup, no control characters, a bounded length. Pure."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

LONGEST_READ = 20_000
_MUTE = frozenset({"script", "style", "template", "svg", "iframe", "object"})


class _Text(HTMLParser):
    """Gathers what a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._mute = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._mute += tag in _MUTE
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._mute -= tag in _MUTE and self._mute > 0
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._mute:
            self.parts.append(data)


def plain(value: object, length: int) -> str:
    """One line; "" for what is no text. Over and over, because titles are often escaped twice."""
    text = value[:LONGEST_READ] if isinstance(value, str) else ""
    for _ in range(3):
        if "<" in text or "&" in text:
            text = _without_markup(text)
    # Unseen letters (direction, zero width) would let a title look like another one.
    shown = (" " if unicodedata.category(one)[0] in "CZ" else one for one in text)
    text = " ".join("".join(shown).split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _without_markup(text: str) -> str:
    parser = _Text()
    parser.feed(text)
    parser.close()
    return "".join(parser.parts)
