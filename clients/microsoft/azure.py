"""Azure Resource Manager: subscriptions and Resource Graph. Rights by the Azure role Reader.

A principal without any role gets empty lists, not an error.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from clients.errors import BadPayload
from clients.failures import member
from clients.http import Answer, Http, Policy
from clients.microsoft.bearer import TokenHttp, Tokens
from clients.microsoft.clouds import CLOUDS
from clients.paging import MAX_PAGES, follow_pages

PUBLIC_SCOPE = CLOUDS["public"].arm_scope

_SUBSCRIPTIONS_A_QUERY = 300
_ROWS_A_PAGE = 1000


class Arm:
    """Azure Resource Manager for one directory. `scope` is that of the cloud."""

    def __init__(self, http: Http, tokens: Tokens, scope: str = PUBLIC_SCOPE) -> None:
        self.http = http
        self._tokens, self._scope = tokens, scope
        self._calls = TokenHttp(http, tokens, scope)

    def with_policy(self, policy: Policy) -> "Arm":
        """The same, with other patience."""
        return Arm(self.http.with_policy(policy), self._tokens, self._scope)

    def subscription_pages(self) -> Iterator[list[object]]:
        """Subscriptions that the app may see.

        https://learn.microsoft.com/rest/api/resources/subscriptions/list
        """
        return self._pages("/subscriptions", {"api-version": "2022-12-01"})

    def resource_pages(self, subscription_id: str) -> Iterator[list[object]]:
        """All resources of a subscription with their tags; filter here, not there.

        https://learn.microsoft.com/rest/api/resources/resources/list
        """
        params = {"api-version": "2021-04-01", "$expand": "provisioningState"}
        return self._pages(f"/subscriptions/{_id(subscription_id)}/resources", params)

    def group_pages(self, subscription_id: str) -> Iterator[list[object]]:
        """Resource groups of a subscription with their tags.

        https://learn.microsoft.com/rest/api/resources/resource-groups/list
        """
        path = f"/subscriptions/{_id(subscription_id)}/resourcegroups"
        return self._pages(path, {"api-version": "2021-04-01"})

    def plan_pages(self, subscription_id: str) -> Iterator[list[object]]:
        """Defender for Cloud's plans of a subscription: `properties.pricingTier`.

        https://learn.microsoft.com/rest/api/defenderforcloud/pricings/list
        """
        path = f"/subscriptions/{_id(subscription_id)}/providers/Microsoft.Security/pricings"
        return self._pages(path, {"api-version": "2024-01-01"})

    def log_setting_pages(self, subscription_id: str) -> Iterator[list[object]]:
        """Diagnostic settings of a subscription's activity log: where it is sent to.

        https://learn.microsoft.com/rest/api/monitor/subscription-diagnostic-settings/list
        """
        path = f"/subscriptions/{_id(subscription_id)}/providers/Microsoft.Insights"
        params = {"api-version": "2021-05-01-preview"}
        return self._pages(f"{path}/diagnosticSettings", params)

    def query(self, kql: str, subscriptions: Sequence[str] = ()) -> Iterator[list[object]]:
        """Rows of a Resource Graph query, page by page; without subscriptions over all.

        Project `id` and use no limit, or there is no second page. Raises BadPayload where the
        answer says that it is not whole.
        https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
        """
        if not subscriptions:
            yield from self._query(kql, None)
        for start in range(0, len(subscriptions), _SUBSCRIPTIONS_A_QUERY):
            chunk = list(subscriptions[start : start + _SUBSCRIPTIONS_A_QUERY])
            yield from self._query(kql, chunk)

    def _query(self, kql: str, subscriptions: list[str] | None) -> Iterator[list[object]]:
        options: dict[str, object] = {"$top": _ROWS_A_PAGE, "resultFormat": "objectArray"}
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            body: dict[str, object] = {"query": kql, "options": options}
            if subscriptions is not None:
                body["subscriptions"] = subscriptions
            answer = self._calls.call(
                "POST",
                "/providers/Microsoft.ResourceGraph/resources",
                params={"api-version": "2024-04-01"},
                json=body,
                family="resource_graph",
                retry=True,  # a query changes nothing
            )
            self._obey_quota(answer)
            rows = member(answer.body, "data")
            if not isinstance(rows, list):
                raise BadPayload("Azure Resource Graph: the field data is missing or no list.")
            if member(answer.body, "error") or member(answer.body, "errors"):
                raise BadPayload("Azure Resource Graph: a part of the answer is missing.")
            token = member(answer.body, "$skipToken")
            if not token and str(member(answer.body, "resultTruncated")).lower() == "true":
                raise BadPayload("Azure Resource Graph: the answer is cut off.", code="truncated")
            yield rows
            if not token:
                return
            if not isinstance(token, str) or token in seen:
                raise BadPayload("Azure Resource Graph: the field $skipToken leads in a circle.")
            seen.add(token)
            options = {**options, "$skipToken": token}
        raise BadPayload(f"Azure Resource Graph: more than {MAX_PAGES} pages.")

    def _obey_quota(self, answer: Answer) -> None:
        resets = re.fullmatch(
            r"(\d{1,2}):(\d\d):(\d\d)", answer.headers.get("x-ms-user-quota-resets-after", "")
        )
        spent = answer.headers.get("x-ms-user-quota-remaining") == "0"
        if spent and resets and self.http.governor is not None:
            hours, minutes, seconds = (int(part) for part in resets.groups())
            self.http.governor.pause(
                self.http.key, "resource_graph", hours * 3600 + minutes * 60 + seconds
            )

    def _pages(self, path: str, params: Mapping[str, str]) -> Iterator[list[object]]:
        first = self._calls.call("GET", path, params=params, family="arm").body
        return follow_pages(
            self.http,
            first,
            lambda link: self._calls.call("GET", link, family="arm").body,
            link_field="nextLink",
        )


def _id(subscription_id: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", subscription_id):
        raise BadPayload("Azure Resource Manager: the field subscriptionId is no id.")
    return subscription_id
