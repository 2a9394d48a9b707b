"""A logo is a picture and nothing else."""

from __future__ import annotations

import struct
import zlib

import pytest

from reports.brand import BadBrand, clean_colour, clean_logo, contrast_on_white

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def part(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def png(
    width: int = 30, height: int = 8, *, more: bytes = b"", pixels: bytes | None = None,
    header: tuple[int, ...] = (8, 2, 0, 0, 0),
) -> bytes:  # fmt: skip
    rows = b"".join(b"\0" + bytes([29, 78, 216] * width) for _ in range(height))
    return (
        SIGNATURE
        + part(b"IHDR", struct.pack(">IIBBBBB", width, height, *header))
        + more
        + part(b"IDAT", zlib.compress(rows if pixels is None else pixels))
        + part(b"IEND", b"")
    )


def test_a_picture_stays_as_it_is() -> None:
    assert clean_logo(png()) == png()


def test_what_is_no_picture_is_thrown_away() -> None:
    texts = part(b"tEXt", b"Author\0Anna") + part(b"eXIf", b"place") + part(b"iCCP", b"x\0\0y")
    assert clean_logo(png(more=texts) + b"<script>alert(1)</script>") == png()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xff\xe0JFIF",
        SIGNATURE,
        png()[:-20],
        png()[:40] + b"x" + png()[41:],
        png(2000, 8),
        png(0, 8, pixels=b""),
        png(header=(8, 2, 0, 0, 1)),
        png(header=(3, 2, 0, 0, 0)),
        png(header=(8, 9, 0, 0, 0)),
        png(pixels=b"\0" * 10_000_000),  # swells
        png(pixels=b"\0"),
        SIGNATURE + part(b"IEND", b""),
        png().replace(part(b"IEND", b""), part(b"IHDR", b"\0" * 13) + part(b"IEND", b"")),
        b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffIHDR" + b"\0" * 40,
        png(more=part(b"zTXt", b"\0" * 200_000)),
    ],
)
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(BadBrand):
        clean_logo(data)


def test_colours() -> None:
    assert clean_colour(" #1D4ED8 ") == "#1d4ed8"
    assert contrast_on_white("#000000") == pytest.approx(21)
    assert contrast_on_white("#ffffff") == pytest.approx(1)
    for text in ("red", "#fff", "#1d4ed8;}", "#ffff00", "", "#1d4ed80"):
        with pytest.raises(BadBrand):
            clean_colour(text)
