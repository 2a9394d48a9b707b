"""Lists that come in pages, each with a link to the next."""

from collections.abc import Callable, Iterator

from clients.errors import BadPayload
from clients.failures import member
from clients.http import Http

MAX_PAGES = 10_000


def follow_pages(
    http: Http,
    first: object,
    fetch: Callable[[str], object],
    *,
    link_field: str,
    max_pages: int = MAX_PAGES,
) -> Iterator[list[object]]:
    """The `value` lists of `first` and all pages after it, which `fetch` gets by their link.

    Items are passed on as they came, even if they are no objects. Raises BadPayload if `value` is
    no list, if a link leads to another host or to a page already seen, or if there is no end.
    """
    body, seen = first, set[str]()
    for _ in range(max_pages):
        items = member(body, "value")
        if not isinstance(items, list):
            raise BadPayload(f"{http.name}: the field value is missing or no list.")
        link = member(body, link_field)
        yield items
        if not link:
            return
        if not isinstance(link, str):
            raise BadPayload(f"{http.name}: the field {link_field} is no text.")
        url = http.same_host(link, link_field)
        if url in seen:
            raise BadPayload(f"{http.name}: {link_field} leads in a circle.")
        seen.add(url)
        body = fetch(url)
    raise BadPayload(f"{http.name}: the list has more than {max_pages} pages.")
