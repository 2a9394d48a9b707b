"""A draft's HTML as lines of text, for systems that take no HTML; and what all systems limit.

The drafts hold paragraphs, headings, tables of two columns and links, nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

_BLOCKS = frozenset({"p", "div", "h1", "h2", "h3", "h4", "tr", "li", "table", "ul", "ol"})
_CUT = "\n… This text was cut for its size; the portal shows everything."


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a line; `link` is an https address or ""."""

    text: str
    is_bold: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph, heading or row of a table."""

    runs: tuple[Run, ...]
    is_heading: bool = False


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[Line] = []
        self._runs: list[Run] = []
        self._is_heading = False
        self._is_bold = False
        self._link = ""
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS or tag == "br":
            self.end_line()
        self._is_heading = tag in ("h1", "h2", "h3", "h4") or (self._is_heading and tag != "p")
        if tag in ("b", "strong"):
            self._is_bold = True
        elif tag == "a":
            link = dict(attrs).get("href") or ""
            self._link = link if link.startswith("https://") else ""
        elif tag == "tr":
            self._cells = 0
        elif tag in ("td", "th"):
            self._cells += 1
            if self._cells == 2:
                self._runs.append(Run(": "))

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.end_line()
            self._is_heading = False
        elif tag in ("b", "strong"):
            self._is_bold = False
        elif tag == "a":
            self._link = ""

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text:
            before = " " if data[:1].isspace() and self._runs else ""
            after = " " if data[-1:].isspace() else ""
            self._runs.append(Run(before + text + after, self._is_bold, self._link))
        elif data and self._runs and not self._runs[-1].text.endswith(" "):
            self._runs.append(Run(" "))

    def end_line(self) -> None:
        if any(run.text.strip() for run in self._runs):
            self.lines.append(Line(tuple(self._runs), self._is_heading))
        self._runs = []


def read_lines(html: str) -> list[Line]:
    """The lines of a draft's HTML, in order, without empty ones."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end_line()
    return reader.lines


def to_text(html: str, longest: int) -> str:
    """Plain text of at most so many characters. A link's address follows its words."""
    return shortened("\n".join(_texts(read_lines(html))).strip(), longest)


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters, which says so if it was cut."""
    if len(text) <= longest:
        return text
    return text[: max(0, longest - len(_CUT))] + _CUT


def _texts(lines: list[Line]) -> Iterator[str]:
    for line in lines:
        if line.is_heading:
            yield ""
        yield "".join(
            f"{run.text} <{run.link}>" if run.link and run.link != run.text else run.text
            for run in line.runs
        ).strip()


def marked_subject(subject: str, reference: str, longest: int, *, in_bytes: bool = False) -> str:
    """One line of at most so many characters that ends with the reference in brackets.

    `in_bytes`: so many bytes of UTF-8, as some databases count.
    """
    mark = f"[{reference}]"
    text = " ".join(subject.split()).removesuffix(mark).rstrip()
    room = longest - len(mark) - 1
    if in_bytes and len(text.encode()) > room:
        text = text.encode()[: room - len("…".encode())].decode(errors="ignore").rstrip() + "…"
    elif len(text) > room:
        text = text[: room - 1].rstrip() + "…"
    return f"{text} {mark}".strip()


def has_mark(text: object, reference: str) -> bool:
    """Whether a text holds exactly this reference in brackets, in whatever case."""
    return f"[{reference}]".casefold() in str(text or "").casefold()
