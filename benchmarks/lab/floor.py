"""The portal with one address more: a view of DRF that answers a constant, without any of ours.

For gunicorn: `benchmarks.lab.floor:application`.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import path
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from csc_portal import urls as portal
from csc_portal.serving import load_application


class Constant(APIView):
    """What DRF costs by itself, behind the portal's middleware."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    renderer_classes = [JSONRenderer]

    def get(self, request: Request) -> Response:
        return Response({"answer": 42})


urlpatterns = [path("api/v1/floor", Constant.as_view()), *portal.urlpatterns]

settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "of a benchmark", []  # no vault is needed
settings.ROOT_URLCONF = __name__
application = load_application()
