"""The challenge of a passkey: kept in the session, for some minutes, for one answer."""

from __future__ import annotations

import base64

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from csc_portal import passkeys
from csc_portal.web.desk import user_of
from tenants.models import User

CHALLENGE = "passkey_challenge"
LIFE_S = 300


@login_not_required
@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """What the browser is to answer, by any passkey that it has for this portal."""
    user = user_of(request) if request.user.is_authenticated else None
    challenge = remember(request)
    return JsonResponse(passkeys.options_to_ask(user, passkeys.place_of(request), challenge))


def remember(request: HttpRequest) -> bytes:
    challenge = passkeys.new_challenge()
    request.session[CHALLENGE] = {
        "value": base64.b64encode(challenge).decode(),
        "at": timezone.now().timestamp(),
    }
    return challenge


def taken(request: HttpRequest) -> bytes:
    """The challenge, which is gone then. Raises BadPasskey."""
    kept = request.session.pop(CHALLENGE, None)
    if not isinstance(kept, dict) or timezone.now().timestamp() - kept["at"] > LIFE_S:
        raise passkeys.BadPasskey("That took too long. Try again.")
    return base64.b64decode(kept["value"])


def check(request: HttpRequest, user: User | None) -> User:
    """Whose passkey answered (`answer` in the form). Raises BadPasskey."""
    answer = request.POST.get("answer", "")
    key = passkeys.check(passkeys.place_of(request), answer, taken(request), user)
    return key.user
