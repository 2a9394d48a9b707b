"""Takes every personal value out of what is stored."""

import re
from collections.abc import Iterable, Mapping, Sequence

from alerts.records import AlertRecord, EntityRecord

_TOKEN = re.compile(r"[A-Za-z0-9 ._:/()&'+,\-]{1,100}")


class Cleaner:
    """Makes one alert's title and metadata safe to store."""

    def __init__(self, record: AlertRecord) -> None:
        self._record = record

    def title(self) -> str:
        return scrub(self._record.title, self._record.sensitive, self._record.entities)

    def token(self, text: str) -> str:
        return clean_token(text)


def scrub(text: str, sensitive: frozenset[str], entities: Iterable[EntityRecord] = ()) -> str:
    """A first, crude form: whole values, any case."""
    for value in sorted(sensitive, key=len, reverse=True):
        if len(value) > 2:
            text = re.sub(re.escape(value), "\u2039value\u203a", text, flags=re.IGNORECASE)
    return text[:300]


def clean_token(text: str) -> str:
    return text if _TOKEN.fullmatch(text) else ""


def clean_metadata(
    values: Mapping[str, Sequence[str]], sensitive: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    return {key: tuple(filter(None, map(clean_token, found))) for key, found in values.items()}
