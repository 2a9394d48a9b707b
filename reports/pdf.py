"""A report as PDF, by typst: no network, no file of this machine, no font but those of the wheel.

The template is ours and never changes; what a report says goes in as data. So no text of anybody's
can become markup, and the same report gives the same bytes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

import orjson
import typst

from reports.blocks import Document
from reports.brand import Brand

TEMPLATE = Path(__file__).with_name("report.typ")
STANDARD: Final = "ua-1"
"""PDF/UA-1: can be read aloud."""

_PICTURE: Final = b'#image(bytes(json(bytes(sys.inputs.logo))), format: "png")'


@cache
def _template() -> bytes:
    return TEMPLATE.read_bytes()


def pdf(document: Document, brand: Brand) -> bytes:
    """Some milliseconds. Letters that the fonts lack are drawn as boxes, and PDF/UA-1 allows none:
    a report with such a name is an ordinary PDF.
    """
    inputs = _inputs(document, brand)
    try:
        return _compiled(inputs, STANDARD)
    except typst.TypstError:
        return _compiled(inputs)


def _compiled(inputs: dict[str, str], standard: Literal["ua-1"] | None = None) -> bytes:
    found: bytes = typst.compile(
        _template(),
        sys_inputs=inputs,
        format="pdf",
        ignore_system_fonts=True,
        pdf_standards=standard,
    )
    return found


def is_drawable(logo: bytes) -> bool:
    """Whether a report can show it: the parts of a PNG may fit together, and yet be no picture."""
    inputs = {"logo": orjson.dumps(list(logo)).decode()}
    try:
        typst.compile(_PICTURE, sys_inputs=inputs, format="pdf", ignore_system_fonts=True)
    except typst.TypstError:
        return False
    return True


def _inputs(document: Document, brand: Brand) -> dict[str, str]:
    data = {
        "document": document,
        "provider": brand.name,
        "colour": brand.colour,
        "logo": list(brand.logo or b""),
    }
    return {"data": orjson.dumps(data).decode()}
