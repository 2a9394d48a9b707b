"""All that the outside can reach."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from csc_portal.ingress import health, notifications, signed
from csc_portal.ingress.bounds import plain

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("notifications/graph/<uuid:tenant>/", notifications.receive),
    path("notifications/lifecycle/<uuid:tenant>/", notifications.receive),
    path("notifications/hint/<uuid:tenant>/", signed.hint),
    path("webhooks/tickets/<uuid:connection>/", signed.tickets),
]


def _not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return plain("There is nothing here.", 404)


def _bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return plain("The request can't be read.", 400)


def _fault(request: HttpRequest) -> HttpResponse:
    return plain("A fault on our side. Try again later.", 500)


handler400 = _bad_request
handler404 = _not_found
handler500 = _fault
