"""The OpenAPI document: made from the views once a process, served as JSON or YAML to anybody.

It holds nothing of any tenant. `docs/openapi.yaml` is the same document; a test compares them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
import yaml
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator

from csc_portal.api.asked import by_order
from csc_portal.api.problems import KINDS, MEDIA_TYPE, body_of

DESCRIPTION = """\
Cases, alerts, entities and tenants of CSC Portal for other programs.

Send a key as `Authorization: Bearer csc_...`, or a token that Microsoft Entra ID gave to a program
of the provider's directory. What a key may not see does not exist for it: 404.
Every error is `application/problem+json` (RFC 9457). Lists have `items` and `next`, a cursor for
the same request. An unknown parameter or value is refused and named. The headers `RateLimit-*` say
how much of a quota is left; a 429 says in `Retry-After` how long to wait. Names of people and
things are in no answer but those of the two POSTs below /entities and of STIX, all recorded.
"""
YAML = "application/yaml"


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "csc_portal.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "csc_... or JWT"}


@cache
def document() -> dict[str, Any]:
    generator = SchemaGenerator(urlconf="csc_portal.api.urls")
    found: dict[str, Any] = generator.get_schema(request=None, public=True)
    found["info"]["description"] = DESCRIPTION
    problems: dict[str, Any] = {}
    for address, methods in found["paths"].items():
        tag = address.removeprefix("/api/v1/").partition("/")[0]
        for operation in methods.values():
            operation["tags"] = [tag]
            operation["responses"] = {
                status: _finished(status, response, problems)
                for status, response in sorted(operation["responses"].items())
            }
    schemas = found["components"]["schemas"]
    for name in ("Comment", "Lookup", "Made"):
        schemas[name]["additionalProperties"] = False
    for name in ("Action", "Bulk"):
        schemas[name] = by_order(schemas[name])
    found["components"]["responses"] = dict(sorted(problems.items()))
    plain: dict[str, Any] = orjson.loads(orjson.dumps(found, default=str))
    return plain


_HEADERS = {
    "RateLimit-Limit": "Requests in the window that is nearest to its end",
    "RateLimit-Remaining": "How many are left of them",
    "RateLimit-Reset": "Seconds until the window begins anew",
}


def _finished(status: str, response: dict[str, Any], problems: dict[str, Any]) -> dict[str, Any]:
    """With its headers; problems stand once in the document, and are pointed to."""
    headers = {} if status in ("401", "406") else dict(_HEADERS)
    if status in ("429", "503"):
        headers["Retry-After"] = "Seconds to wait"
    response["headers"] = {
        name: {"description": told, "schema": {"type": "integer"}} for name, told in headers.items()
    }
    if status < "400":
        response["description"] = response["description"] or "Done"
        return response
    name = KINDS[int(status)]
    problems[name] = response
    return {"$ref": f"#/components/responses/{name}"}


@cache
def as_yaml() -> str:
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=100)


@csrf_exempt
def served(request: HttpRequest) -> HttpResponse:
    """JSON, or YAML where `Accept` or `?format=yaml` asks for it."""
    if request.method not in ("GET", "HEAD"):
        body = body_of(405, "See the header Allow for what can be done here.")
        return HttpResponse(
            orjson.dumps(body), status=405, content_type=MEDIA_TYPE, headers={"Allow": "GET, HEAD"}
        )
    wants_yaml = request.GET.get("format") == "yaml" or "yaml" in request.headers.get("Accept", "")
    if wants_yaml:
        return HttpResponse(as_yaml(), content_type=YAML)
    return HttpResponse(orjson.dumps(document()), content_type="application/json")


served.login_required = False
