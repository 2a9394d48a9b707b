"""All that this process answers; the proxy leads /api/v1/events here."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from csc_portal.api.events import Events
from csc_portal.api.problems import server_error
from csc_portal.api.view import NotHere


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("healthz", healthz),
    path("api/v1/events", Events.as_view()),
    re_path("", NotHere.as_view()),
]
handler500 = server_error
