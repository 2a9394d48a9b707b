"""Marked values to plant in documents, and the search for them in any of their forms.

All values of a run share marks: a word, the beginning of GUIDs and hashes, an IPv6 network and so
on. So a search looks for a handful of needles only, whatever was planted.
"""

from __future__ import annotations

import base64
import itertools
import re
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
TIME = re.compile(r"\d{4}-\d\d-\d\dT")
SID = re.compile(r"S-1-\d")
HEX = re.compile(r"[0-9a-fA-F]{32,}")
IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
LETTERS = "bcdfghjkmnpqrstvwxz"


def _word() -> str:
    """No vowels, so that it is no word of any language, and letters only, so that it may be one."""
    return "".join(secrets.choice(LETTERS) for _ in range(14))


@dataclass(frozen=True)
class Marks:
    """What all planted values of a run have in common."""

    word: str = field(default_factory=_word)
    hexadecimal: str = field(default_factory=lambda: "c" + secrets.token_hex(8)[1:])
    number: str = field(default_factory=lambda: str(secrets.randbelow(9 * 10**9) + 10**9))
    ipv4: str = field(
        default_factory=lambda: ".".join(str(secrets.randbelow(89) + 111) for _ in range(4))
    )
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def like(self, value: str) -> str:
        """A value of the same shape, which nobody else has."""
        number = next(self.counter)
        if GUID.fullmatch(value):
            return str(uuid.UUID(hex=self.hexadecimal + secrets.token_hex(8)))
        if IPV4.fullmatch(value):
            return self.ipv4
        if ":" in value and re.fullmatch(r"[0-9a-fA-F:.]{3,}", value):
            groups = re.findall("....", self.hexadecimal)
            return f"2001:{groups[0]}:{groups[1]}:{groups[2]}::{number:x}"
        if SID.match(value):
            return f"S-1-5-21-{self.number}-{self.number}-{number}"
        if HEX.fullmatch(value):
            return (self.hexadecimal + secrets.token_hex(32))[: len(value)]
        word = f"{self.word}{number}"
        if "@" in value:
            return f"{word}@{self.word}.example.com"
        if value.startswith(("http://", "https://")):
            return f"https://{word}.example.com/{word}?{word}={word}"
        if "\\" in value:
            return f"C:\\Users\\{word}\\{word}.exe"
        return word

    def plant(self, value: object, kept: frozenset[str] = frozenset()) -> object:
        """A copy with every text replaced; times, types and fields named in `kept` stay."""
        if isinstance(value, dict):
            return {
                key: one if key in kept or key.startswith("@odata") else self.plant(one, kept)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self.plant(one, kept) for one in value]
        if isinstance(value, str) and value and not TIME.match(value):
            return self.like(value)
        return value

    def needles(self) -> list[bytes]:
        """Everything that may not be found, in small letters where case does not matter."""
        texts = [self.word, self.hexadecimal, self.number, self.ipv4]
        dashed = f"{self.hexadecimal[:8]}-{self.hexadecimal[8:12]}-{self.hexadecimal[12:]}"
        groups = re.findall("....", self.hexadecimal)
        texts += [dashed, ":".join(groups[:3])]
        found = [text.encode() for text in texts]
        for text in (self.word, dashed, self.number, self.ipv4):
            found += [
                text.encode().hex().encode(),
                text.encode("utf-16-le"),
                "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
                "".join(f"\\u{byte:04x}" for byte in text.encode()).encode(),
                "".join(f"&#{byte};" for byte in text.encode()).encode(),
            ]
        found.append(bytes.fromhex(self.hexadecimal))
        return found

    def exact_needles(self) -> list[bytes]:
        """Those whose case matters."""
        texts = [self.word, self.word.upper(), self.word.title(), self.hexadecimal, self.number]
        return [part for text in texts for part in in_base64(text.encode())]


def in_base64(value: bytes) -> list[bytes]:
    """What is always in the base64 of a text that holds the value, wherever in it that is."""
    parts = []
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + value).rstrip(b"=")
        # The first characters hold bits of what stands before, the last of what follows.
        parts.append(encoded[(0, 2, 3)[shift] : -1])
    return parts


def disguises(value: str) -> list[str]:
    """The value as it may stand in a title."""
    return [
        value.upper(),
        value.title(),
        quote(value, safe=""),
        "".join(f"%{byte:02X}" for byte in value.encode()),
        "".join(f"&#{ord(letter)};" for letter in value),
        "".join(f"&#x{ord(letter):X};" for letter in value),
        base64.b64encode(value.encode()).decode(),
        "".join(f"\\u{ord(letter):04x}" for letter in value),
        "\u200b".join(value),
        "".join(chr(ord(letter) + 0xFEE0) if letter.isascii() else letter for letter in value),
        value.replace("@", "=40"),
        value.encode().hex(),
    ]


@dataclass(frozen=True)
class Search:
    """`lower` is looked for in small letters, `exact` as it is."""

    lower: list[bytes]
    exact: list[bytes]

    def hits(self, content: bytes) -> list[str]:
        """What was found, with what stands around it."""
        found = []
        for needles, text in ((self.lower, content.lower()), (self.exact, content)):
            for needle in needles:
                place = text.find(needle)
                while place >= 0 and len(found) < 20:
                    around = content[max(0, place - 60) : place + 80]
                    found.append(f"{needle!r} in {around!r}")
                    place = text.find(needle, place + 80)
        return found

    def in_files(self, paths: list[Path]) -> list[str]:
        """Hits in files, with their names."""
        return [f"{path}: {hit}" for path in paths for hit in self.hits(_content(path))]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # Postgres removed it meanwhile
        return b""


def search_of(marks: Marks) -> Search:
    return Search([needle.lower() for needle in marks.needles()], marks.exact_needles())
