"""Takes every personal value out of what is stored: titles and metadata.

Evidence says which values those are. They are found in any case and in any of the usual encodings,
whole or in parts (first name, host without its domain, file without its path). What merely looks
personal (addresses, paths, ids) goes as well. When in doubt, a word goes.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from alerts.disguises import decoded, fold, fold_with_places, hidden_texts, unquoted_printable
from alerts.patterns import hide_patterns, placeholder
from alerts.records import AlertRecord, EntityRecord, Kind
from alerts.vocabulary import PRODUCTS, VALUES, WORDS
from tenants.canonical import clean

LONGEST_TITLE = 300  # characters
_LONGEST_READ = 1000  # characters of a title that are looked at
_LAYERS = 5  # encodings of encodings that are undone
_SHORTEST_INSIDE = 6  # bytes of a value that is also found inside a longer word
_MOST_PLACES = 500  # places of values in one title; more is an attack
WITHHELD = "Title withheld"

_PLACEHOLDER_OF = {
    Kind.USER: "user",
    Kind.MAILBOX: "mailbox",
    Kind.GROUP: "group",
    Kind.DEVICE: "device",
    Kind.IOT_DEVICE: "device",
    Kind.IP: "address",
    Kind.URL: "link",
    Kind.DOMAIN: "domain",
    Kind.AD_DOMAIN: "domain",
    Kind.FILE: "file",
    Kind.PROCESS: "process",
    Kind.MALWARE: "malware",
    Kind.MAIL: "mail",
    Kind.CLOUD_APP: "app",
    Kind.OAUTH_APP: "app",
    Kind.SERVICE_PRINCIPAL: "app",
    Kind.CLOUD_RESOURCE: "resource",
}
# Namespaces of keys that hold a name, whole or in parts.
_NAMING = frozenset(
    {"name", "upn", "mail", "ad", "account", "dns", "host", "domain", "path", "arm"}
)
_PLAIN = ("value", "key", "path", "id", "hash", "number", "encoded")
_PLACEHOLDER = re.compile(f"(\u2039(?:{'|'.join({*_PLACEHOLDER_OF.values(), *_PLAIN})})\u203a)")
_REPEATED = re.compile("(\u2039[a-z]+\u203a)(?:[\\s.,;:@/\\\\_-]*\\1)+")
_WORD = re.compile(r"[^ \n]+")


class _Values:
    """The values of one document, prepared so that a text can be searched for all of them."""

    def __init__(self, sensitive: Iterable[str], entities: Iterable[EntityRecord] = ()) -> None:
        self._names = _entity_names(entities)
        self._placeholders: dict[str, str] = {}  # made when something is found
        plain: list[str] = []
        odd: list[str] = []
        for value in (*sensitive, *self._names):
            (plain if value.isascii() else odd).append(value)
        given = "\n".join(plain)
        if "%" in given or "&" in given or "\\u" in given:
            given = f"{given}\n{decoded(given)}"
        odd += list(_in_punycode(odd))
        if "xn--" in given:
            odd += _unpunycoded(given)
        folded = [fold(given), *(fold(value) for value in odd)]
        haystack = " " + "\n".join(folded).replace("\n", " \n ") + " "
        while "  " in haystack:
            haystack = haystack.replace("  ", " ")
        self._haystack = haystack
        squeezed = haystack.replace(" ", "").split("\n")
        lines = zip(squeezed, haystack.split("\n"), strict=True)
        self._lines = {
            value: line.strip()
            for value, line in lines
            if len(value) > 2 or (len(value) == 2 and not value.isascii())
        }

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, placeholder) of the runs of words in a text that name something."""
        folded, places = fold_with_places(text)
        found = [match.span() for match in _WORD.finditer(folded)]
        words = [folded[start:end] for start, end in found]
        hits = self._hits(words)
        if not hits:
            return []
        spans: list[tuple[int, int, str]] = []
        longest = 0
        for index in sorted(hits):
            start, end = found[index]
            if places is not None:
                start, end = places[start], places[end - 1] + 1
            length, name = hits[index]
            if spans and _belong_together(text[spans[-1][1] : start], name == spans[-1][2]):
                longest, name = max((longest, spans[-1][2]), (length, name))
                spans[-1] = (spans[-1][0], end, name)
            else:
                longest = length
                spans.append((start, end, name))
        return spans

    def names(self, text: str) -> bool:
        """True if the text names anything."""
        return bool(self._hits(fold(text).split()))

    def _hits(self, words: list[str]) -> dict[int, tuple[int, str]]:
        """Index of each word that names something -> (length, placeholder) of the longest value."""
        hits: dict[int, tuple[int, str]] = {}
        for index, word in enumerate(words):
            if word in WORDS or (len(word) < 3 and word.isascii()):
                continue
            if f" {word} " in self._haystack and not (word.isdigit() and len(word) < 4):
                hits[index] = (len(word), self._placeholder(word))
        squeezed = "".join(words)
        ends: list[int] = []
        places = 0
        for value, line in self._lines.items():
            if value in squeezed:
                ends = ends or list(accumulate(map(len, words)))
                for first, last in _places(value, squeezed, ends):
                    places += 1
                    if not self._stays(line, words[first : last + 1]):
                        hit = (len(value), self._placeholder(line))
                        for index in range(first, last + 1):
                            hits[index] = max(hit, hits.get(index, hit))
            if places > _MOST_PLACES:
                return dict.fromkeys(range(len(words)), (0, "value"))
        return hits

    def _stays(self, line: str, words: list[str]) -> bool:
        """True for generic words: one always, several unless they are an entity's name.

        `line` is the value, `words` are those of the title that it was found in.
        """
        parts = line.split(" ")
        if all(part in PRODUCTS for part in parts):
            return True
        if all(part in WORDS for part in parts):
            return len(parts) == 1 or line not in self._by_line()
        return len(words) == 1 and words[0] in WORDS  # "ration" in "exfiltration"

    def _by_line(self) -> dict[str, str]:
        """Placeholders by the folded names of the entities."""
        if not self._placeholders:
            for name, kind in self._names.items():
                self._placeholders.setdefault(" ".join(fold(name).split()), kind)
        return self._placeholders

    def _placeholder(self, words: str) -> str:
        """The placeholder for the kind of thing that these words name."""
        known = self._by_line()
        inside = (name for line, name in known.items() if words in line)
        return known.get(words) or next(inside, "value")


def _entity_names(entities: Iterable[EntityRecord]) -> dict[str, str]:
    """Names of the entities and their parts, and for each the placeholder."""
    names: dict[str, str] = {}
    for entity in entities:
        kind = _PLACEHOLDER_OF.get(entity.kind, "value")
        given = [entity.name]
        for key in (*entity.identity, *entity.search):
            namespace, _, name = key.partition(":")
            if namespace in _NAMING:
                given.append(name)
        for name in given:
            names.setdefault(name, kind)
            for sign in "@.":
                if sign in name:
                    names.setdefault(name.partition(sign)[0], kind)
            for sign in "\\/":
                if sign in name:
                    names.setdefault(name.rpartition(sign)[2], kind)
    return names


def _places(value: str, text: str, ends: list[int]) -> Iterator[tuple[int, int]]:
    """(first word, last word) of each place of a squeezed value in the squeezed text.

    Short values count only as whole words.
    """
    inside = len(value.encode()) >= _SHORTEST_INSIDE
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        first = bisect_right(ends, start)
        last = bisect_right(ends, end - 1)
        if inside or (start == (ends[first - 1] if first else 0) and end == ends[last]):
            yield first, last
        start = text.find(value, end)


def _belong_together(between: str, of_one_kind: bool) -> bool:
    """True for words joined by signs, or by blanks if they name things of one kind."""
    return len(between) <= 3 and (of_one_kind or not between.isspace()) and between.isascii()


def _in_punycode(values: Iterable[str]) -> Iterator[str]:
    """How names beyond ASCII look in domains."""
    for value in values:
        for label in re.split(r"[\s.@]+", value.casefold()[:_LONGEST_READ]):
            if not label.isascii():
                yield label.encode("punycode", "replace").decode("ascii")


def _unpunycoded(text: str) -> Iterator[str]:
    for label in re.findall(r"xn--[A-Za-z0-9\-]{1,60}", text):
        try:
            yield label[4:].encode("ascii").decode("punycode")
        except UnicodeError:
            continue


class Cleaner:
    """Makes one alert's title and metadata safe to store."""

    def __init__(self, record: AlertRecord) -> None:
        self._title = record.title
        self._values = _Values(record.sensitive, record.entities)

    def title(self) -> str:
        """The alert's title, scrubbed."""
        return _scrubbed(self._title, self._values)

    def token(self, text: str) -> str:
        """A short metadata value, or "" if it is out of shape or names something."""
        if not text or text in VALUES:
            return text
        return "" if self._values.names(text) else clean_token(text)


def scrub(text: str, sensitive: Iterable[str], entities: Iterable[EntityRecord] = ()) -> str:
    """The text without any of the values, at most LONGEST_TITLE characters, on one line.

    `sensitive` are whole field values; their parts are found too. `entities` give the placeholders
    and their names, which go even if they consist of everyday words.
    """
    return _scrubbed(text, _Values(sensitive, entities))


def _scrubbed(text: str, values: _Values) -> str:
    text = _one_line(_beginning(text))
    for _ in range(_LAYERS):
        text = _hide_known(text, values)
        plain = _one_line(decoded(text))
        if plain == text:
            break
        text = plain
    else:
        return WITHHELD
    text = _hide_encoded(_hide_patterns(text), values)
    return _shortened(_REPEATED.sub(r"\1", text))


def _beginning(text: str) -> str:
    """At most _LONGEST_READ characters, without a word that was cut."""
    if len(text) <= _LONGEST_READ:
        return text
    return text[:_LONGEST_READ].rpartition(" ")[0] or WITHHELD


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _parts(text: str) -> list[str]:
    """The text split at its placeholders, which are every second part."""
    return _PLACEHOLDER.split(text) if "\u2039" in text else [text]


def _hide_known(text: str, values: _Values) -> str:
    parts = _parts(text)
    for index in range(0, len(parts), 2):
        part, done = "", 0
        for start, end, name in values.spans(parts[index]):
            part += parts[index][done:start] + placeholder(name)
            done = end
        parts[index] = part + parts[index][done:]
    return "".join(parts)


def _hide_patterns(text: str) -> str:
    parts = _parts(text)
    parts[::2] = map(hide_patterns, parts[::2])
    return "".join(parts)


def _hide_encoded(text: str, values: _Values) -> str:
    """Hide runs that say something in quoted-printable, base 64, base 32 or hexadecimal."""
    plain = _one_line(unquoted_printable(text))
    if plain != text and (hidden := _hide_patterns(_hide_known(plain, values))) != plain:
        text = hidden
    parts = _parts(text)
    for index in range(0, len(parts), 2):
        spans = [
            (start, end)
            for start, end, said in hidden_texts(parts[index], WORDS)
            if values.names(said) or _looks_personal(said)
        ]
        for start, end in reversed(_united(spans)):
            parts[index] = parts[index][:start] + placeholder("encoded") + parts[index][end:]
    return "".join(parts)


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that overlap made one."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _looks_personal(said: str) -> bool:
    return len(said) > 5 and said.isprintable() and said.isascii() and hide_patterns(said) != said


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TITLE:
        return text
    text = text[: LONGEST_TITLE - 1]
    cut = text.rfind("\u2039")
    if cut > text.rfind("\u203a"):
        text = text[:cut]
    return text.rstrip() + "\u2026"


_TOKEN = re.compile(r"[A-Za-z0-9 ._:/()&'+,\-]{1,100}")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ID = re.compile(r"[0-9A-Fa-f\-]{8,64}|\d{1,40}")


def clean_token(text: str) -> str:
    """Short metadata as it is if it has a harmless shape, else ""."""
    if text in VALUES:
        return text
    text = text.strip()
    if not _TOKEN.fullmatch(text):
        return ""
    harmless = _ID.fullmatch(text) or hide_patterns(text) == text
    return text if harmless else ""


def clean_metadata(
    values: Mapping[str, Sequence[str]], sensitive: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    """Lists of short metadata, each without what is out of shape or names something sensitive."""
    doubtful = {text for texts in values.values() for text in texts if text not in VALUES}
    bad = {text for text in doubtful if not clean_token(text)}
    doubtful -= bad
    if any(not _GUID.fullmatch(text) for text in doubtful):
        known = _Values(sensitive)
        bad |= {text for text in doubtful if known.names(text)}
    elif doubtful:  # much the commonest: the detector's GUID only
        everything = "\n".join(sensitive).casefold()
        bad |= {text for text in doubtful if text.casefold() in everything}
    return {
        key: tuple(dict.fromkeys(text.strip() for text in texts if text and text not in bad))
        for key, texts in values.items()
    }
