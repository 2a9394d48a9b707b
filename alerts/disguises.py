"""Sees through the ways in which a value can be written so that it is not recognised.

`fold` makes spellings comparable; `decoded` undoes escapes; `hidden_texts` undoes encodings that
need a guess (base 64, hexadecimal). All are linear in the length of the text.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from tenants.canonical import is_invisible

_ESCAPE = re.compile(
    r"\\u\{([0-9a-f]{1,6})\}|(?:\\u|%u|U\+)([0-9a-f]{4})|\\U([0-9a-f]{8})|\\x([0-9a-f]{2})",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?:=[0-9A-Fa-f]{2})+")
_RUN = re.compile(r"[A-Za-z0-9+/_\-]{4,}={0,6}")
_PART = re.compile(r"[A-Za-z0-9]{4,}={0,6}")
_TAG = re.compile(r"</?[a-z!][^<>]{0,200}>", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9a-f]{2}[\s:,\-]?){3,}", re.IGNORECASE)
_READABLE = re.compile(r"\w{2,}")
_URL_SAFE = str.maketrans("-_", "+/")
_MOST_REMEMBERED = 5000


class _Folding(dict[int, str]):
    """Translation table, filled as characters come up. Punctuation and spaces become a space."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = "".join(map(_fold_char, unicodedata.normalize("NFKD", char)))
        if len(self) < _MOST_REMEMBERED:
            self[code] = folded
        return folded


def _fold_char(char: str) -> str:
    category = unicodedata.category(char)
    if is_invisible(char) or category in ("Mn", "Me"):
        return ""
    if category[0] in "PZC" or (char.isascii() and not char.isalnum()):
        return " "
    return "".join(
        part
        for part in unicodedata.normalize("NFKD", char.casefold())
        if unicodedata.category(part) != "Mn"
    )


_FOLDING = _Folding(
    {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
    | {ord("\n"): "\n"}
)


def fold(text: str) -> str:
    """Lower case without accents and invisible characters; every other sign is a space.

    Line breaks stay, so that many values can be folded at once. ASCII keeps its length.
    """
    return text.translate(_FOLDING)


def fold_with_places(text: str) -> tuple[str, list[int] | None]:
    """The folded text, and for each of its characters the place in `text` (None: the same)."""
    if text.isascii():
        return text.translate(_FOLDING), None
    folded: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for part in _FOLDING[ord(char)]:
            folded.append(part)
            places.append(place)
    return "".join(folded), places


def _unescaped(match: re.Match[str]) -> str:
    code = int(next(filter(None, match.groups())), 16)
    return chr(code) if code < 0x110000 else "\ufffd"


def decoded(text: str) -> str:
    """One layer of percent encoding, HTML and backslash escapes undone."""
    if "\\" in text or "%u" in text.casefold() or "U+" in text:
        text = _ESCAPE.sub(_unescaped, text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "%" in text:
        text = unquote(text)
    if "<" in text:
        text = _TAG.sub("", text)
    return html.unescape(text) if "&" in text else text


def unquoted_printable(text: str) -> str:
    """Quoted-printable undone: "=C3=BC" -> "ü"; its "_" for a space is punctuation anyway."""
    if "=" not in text:
        return text
    return _QUOTED.sub(
        lambda match: bytes.fromhex(match[0].replace("=", "")).decode("utf-8", "replace"), text
    )


def hidden_texts(text: str, harmless: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, what it could say) of each run that could be base 64, 32 or hexadecimal.

    Runs that are a harmless word (lower case) are passed over.
    """
    for match in _HEX.finditer(text):
        digits = re.sub(r"[\s:,\-]", "", match[0])
        for said in _as_text(bytes.fromhex(digits[: len(digits) // 2 * 2])):
            yield match.start(), match.end(), said
    for pattern in (_RUN, _PART):
        for match in pattern.finditer(text):
            if match[0].casefold() in harmless:
                continue
            for raw in _unpacked(match[0]):
                for said in _as_text(raw):
                    yield match.start(), match.end(), said


def _unpacked(run: str) -> Iterator[bytes]:
    """The bytes of a run in base 64, from each of the four offsets, and in base 32."""
    run = run.rstrip("=").translate(_URL_SAFE)
    for offset in range(4):
        part = run[offset:]
        part = part[: len(part) - 1] if len(part) % 4 == 1 else part
        if len(part) >= 4:
            yield binascii.a2b_base64(part + "=" * (-len(part) % 4))
    upper = run.upper()
    if len(upper) >= 7 and upper.isalnum():
        try:
            yield base64.b32decode(upper + "=" * (-len(upper) % 8))
        except binascii.Error:
            return


def _as_text(raw: bytes) -> Iterator[str]:
    """What bytes could say in UTF-8 or UTF-16, if that has anything like a word in it."""
    texts = [raw.decode("utf-8", "replace")]
    if b"\0" in raw:
        texts += [raw.decode("utf-16-le", "replace"), raw.decode("utf-16-be", "replace")]
    for text in texts:
        if _READABLE.search(text):
            yield text
