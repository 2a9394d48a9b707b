"""Plain text from what others publish: no markup, no control characters, a bounded length. Pure."""

from __future__ import annotations

import html
import re
import unicodedata

LONGEST_READ = 20_000
_MUTE = frozenset({"script", "style", "template", "svg", "iframe", "object"})
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[a-z/!?][^<>]*>", re.IGNORECASE)
_NAME = re.compile(r"<(/?)([a-z0-9]+)", re.IGNORECASE)
_ENDLESS = re.compile(r"&#0*[0-9]{8,};?")


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


def unescaped(text: str) -> str:
    """Entities as letters. `html.unescape` fails at a number of thousands of digits."""
    return html.unescape(_ENDLESS.sub("\ufffd", text))


def _without_markup(text: str) -> str:
    """What a browser would show, told in one pass: the library's parser takes minutes for a few
    thousand open tags, and fails at some.
    """
    text = _COMMENT.sub(" ", text)
    shown: list[str] = []
    mute = done = 0
    for tag in _TAG.finditer(text):
        if not mute:
            shown.append(text[done : tag.start()])
        done = tag.end()
        name = _NAME.match(tag[0])
        if name and name[2].lower() in _MUTE:
            mute = max(0, mute - 1) if name[1] else mute + 1
    if not mute:
        shown.append(text[done:])
    return unescaped(" ".join(shown))
