"""Microsoft Defender Vulnerability Management: weaknesses of a directory's devices.

The API "WindowsDefenderATP" is apart from Microsoft Graph: a host and a token of its own.
https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list
"""

from collections.abc import Iterator

from clients.errors import BadPayload
from clients.failures import member
from clients.http import Http, Policy
from clients.microsoft.bearer import TokenHttp, Tokens
from clients.microsoft.clouds import CLOUDS

PUBLIC_SCOPE = CLOUDS["public"].defender_scope
NOT_LICENSED = frozenset({"DisabledFeature", "AADSTS500011", "AADSTS650052"})
"""Codes that say: this directory does not have the product, whatever is consented to."""
ROWS_A_PAGE = 8_000
MOST_PAGES = 200


class Defender:
    """Defender's API for one directory. `scope` is that of the cloud."""

    def __init__(self, http: Http, tokens: Tokens, scope: str = PUBLIC_SCOPE) -> None:
        self.http = http
        self._tokens, self._scope = tokens, scope
        self._calls = TokenHttp(http, tokens, scope)

    def with_policy(self, policy: Policy) -> "Defender":
        """The same, with other patience."""
        return Defender(self.http.with_policy(policy), self._tokens, self._scope)

    def vulnerability_pages(self, skip: int = 0) -> Iterator[list[object]]:
        """Weaknesses, from the row `skip` on; most are exposed nowhere. Vulnerability.Read.All.

        https://learn.microsoft.com/defender-endpoint/api/get-all-vulnerabilities
        """
        return self._pages("/api/vulnerabilities", skip)

    def product_pages(self, skip: int = 0) -> Iterator[list[object]]:
        """One row a weakness, device and version of a product. Vulnerability.Read.All.

        https://learn.microsoft.com/defender-endpoint/api/get-all-vulnerabilities-by-machines
        """
        return self._pages("/api/vulnerabilities/machinesVulnerabilities", skip)

    def probe(self) -> None:
        """Read one weakness. Raises ApiError."""
        self._rows("/api/vulnerabilities", 0, 1)

    def _pages(self, path: str, skip: int) -> Iterator[list[object]]:
        """Until a page is empty: nobody says whether the server keeps to `$top`, or tells of a
        next page. A server that ignores `$skip` would go on forever, so pages must differ.
        """
        before: object = None
        for _ in range(MOST_PAGES):
            rows = self._rows(path, skip, ROWS_A_PAGE)
            if not rows:
                return
            if rows[0] == before:
                raise BadPayload(f"{self.http.name}: the same page came again.")
            before = rows[0]
            yield rows
            skip += len(rows)
        raise BadPayload(f"{self.http.name}: the list has more than {MOST_PAGES} pages.")

    def _rows(self, path: str, skip: int, top: int) -> list[object]:
        params = {"$top": str(top), "$skip": str(skip)}
        body = self._calls.call("GET", path, params=params, family="defender").body
        rows = member(body, "value")
        if not isinstance(rows, list):
            raise BadPayload(f"{self.http.name}: the field value is missing or no list.")
        return rows
