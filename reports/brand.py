"""The provider's name, colour and logo, made harmless. Pure.

A logo is a PNG and nothing else: it is taken apart, and put together of the few parts that a
picture needs. What else a file may carry (texts, places, programs behind its end) is gone.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

LARGEST_BYTES = 100_000
WIDEST, HIGHEST = 1200, 600
DEFAULT_COLOUR = "#1d4ed8"
LEAST_CONTRAST = 4.5
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


class BadBrand(ValueError):
    """The message says what to choose instead."""


@dataclass(frozen=True, slots=True)
class Brand:
    """`name` of the provider, "" for none; `logo`: PNG."""

    name: str = ""
    colour: str = DEFAULT_COLOUR
    logo: bytes | None = None


def clean_colour(text: str) -> str:
    """ "#rrggbb" in small letters, dark enough to be read on white. Raises BadBrand."""
    found = text.strip().lower()
    if not re.fullmatch(r"#[0-9a-f]{6}", found):
        raise BadBrand("Write the colour as #rrggbb.")
    if contrast_on_white(found) < LEAST_CONTRAST:
        raise BadBrand("This colour is too light to be read on white. Choose a darker one.")
    return found


def contrast_on_white(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def clean_logo(data: bytes) -> bytes:
    """The picture alone, as a PNG. Raises BadBrand."""
    if len(data) > LARGEST_BYTES:
        raise BadBrand(f"The logo may have {LARGEST_BYTES // 1000} KB at most.")
    if not data.startswith(_SIGNATURE):
        raise BadBrand("The logo has to be a PNG picture.")
    parts = list(_parts(data))
    kinds = [kind for kind, _ in parts]
    if kinds[:1] != [b"IHDR"] or kinds.count(b"IHDR") != 1 or kinds[-1:] != [b"IEND"]:
        raise BadBrand("The logo is no whole PNG picture.")
    _check_pixels(parts[0][1], b"".join(body for kind, body in parts if kind == b"IDAT"))
    kept = [(kind, body) for kind, body in parts if kind in _KEPT]
    return _SIGNATURE + b"".join(map(_part, kept))


def _parts(data: bytes) -> list[tuple[bytes, bytes]]:
    """(kind, content) of each part up to the end of the picture. Raises BadBrand."""
    found: list[tuple[bytes, bytes]] = []
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        check = data[at + 8 + length : at + 12 + length]
        if len(check) != 4 or zlib.crc32(kind + body) != int.from_bytes(check, "big"):
            break
        found.append((kind, body))
        if kind == b"IEND":
            return found
        at += 12 + length
    raise BadBrand("The logo is damaged: its parts do not fit together.")


def _part(part: tuple[bytes, bytes]) -> bytes:
    kind, body = part
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _check_pixels(header: bytes, packed: bytes) -> None:
    """As many pixels as the header says, and no more: nothing swells when it is unpacked."""
    if len(header) != 13:
        raise BadBrand("The logo is no whole PNG picture.")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", header
    )
    if not (0 < width <= WIDEST and 0 < height <= HIGHEST):
        raise BadBrand(f"The logo may be {WIDEST} by {HIGHEST} pixels at most.")
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace:
        raise BadBrand("This kind of PNG is not taken. Save it anew, not interlaced.")
    wanted = height * (1 + (width * depth * _CHANNELS[colour] + 7) // 8)
    try:
        pixels = zlib.decompressobj().decompress(packed, wanted + 1)
    except zlib.error:
        raise BadBrand("The logo is damaged: its pixels can't be unpacked.") from None
    if len(pixels) != wanted:
        raise BadBrand("The logo is damaged: it has other pixels than it says.")
