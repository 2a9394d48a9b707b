"""Sign-in records: read, matched to the alert that is about them, counted, pseudonymised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from enrichment.facts import MatchedBy, Mfa, Prompts, SignInFacts, TraceKind
from enrichment.mfa import INTERRUPTS, judge
from enrichment.risks import LEVELS
from tenants.canonical import canonical_guid, canonical_id, canonical_ip
from tenants.documents import instant, objects, raw, strings, text
from tenants.pseudonyms import Pseudonymiser

NEAR = timedelta(minutes=3)
"""Without an id, a sign-in must be so near to the alert's activity to be the one meant."""
PROMPTS_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A record as it was read: names and ids, so for memory only."""

    id: str
    at: datetime
    correlation_id: str
    error_code: int | None
    mfa: Mfa
    method: str
    is_phishing_resistant: bool
    is_interactive: bool | None
    address: str
    device_id: str
    device_name: str
    is_managed_device: bool | None
    session_id: str
    token_id: str
    app_id: str
    app_name: str
    country: str
    city: str
    risk: str

    @property
    def succeeded(self) -> bool:
        return self.error_code == 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an alert tells of its sign-in. Ids and addresses in canonical form.

    `until`: its last activity, if that is later than the first.
    """

    at: datetime
    request_ids: frozenset[str] = frozenset()
    correlation_ids: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    until: datetime | None = None

    @property
    def is_of_several(self) -> bool:
        """From several addresses over some time: of several sign-ins, unless it names one."""
        return len(self.addresses) > 1 and (self.until or self.at) - self.at > NEAR


@dataclass(frozen=True, slots=True)
class Match:
    """`is_ambiguous`: several could be meant, so none is taken, and more will not help."""

    sign_in: SignIn | None = None
    by: MatchedBy | None = None
    is_ambiguous: bool = False


def read_sign_ins(documents: Iterable[object]) -> list[SignIn]:
    """Every record that has an id and a time; the others are of no use to anybody."""
    found = (_read(one) for document in documents for one in objects(document))
    return [one for one in found if one is not None]


def _read(record: Mapping[str, object]) -> SignIn | None:
    key, at = canonical_id(raw(record.get("id"))), instant(record.get("createdDateTime"))
    if not key or at is None:
        return None
    status, device, place = (
        next(iter(objects(record.get(name))), {}) for name in ("status", "deviceDetail", "location")
    )
    error_code, interactive = _number(status.get("errorCode")), _interactive(record)
    verdict = judge(record, at=at, error_code=error_code, interactive=interactive)
    risk = text(record.get("riskLevelDuringSignIn")).casefold()
    country = text(place.get("countryOrRegion")).upper()
    return SignIn(
        id=key,
        at=at,
        correlation_id=canonical_id(raw(record.get("correlationId"))),
        error_code=error_code,
        mfa=verdict.mfa,
        method=verdict.method,
        is_phishing_resistant=verdict.is_phishing_resistant,
        is_interactive=interactive,
        address=canonical_ip(raw(record.get("ipAddress"))),
        device_id=canonical_guid(raw(device.get("deviceId"))),
        device_name=text(device.get("displayName")),
        is_managed_device=_managed(device),
        session_id=canonical_id(raw(record.get("sessionId"))),
        token_id=text(record.get("uniqueTokenIdentifier")),
        app_id=canonical_guid(raw(record.get("appId"))),
        app_name=text(record.get("appDisplayName")),
        country=country if len(country) == 2 and country.isascii() and country.isalpha() else "",
        city=text(place.get("city")),
        risk=risk if risk in LEVELS else "",
    )


def _number(value: object) -> int | None:
    found = text(value)
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else None


def _interactive(record: Mapping[str, object]) -> bool | None:
    """The kinds of the event, where it has some, are surer than the flag."""
    kinds = [kind.casefold() for kind in strings(record.get("signInEventTypes"))]
    if any(kind.startswith("noninteractive") for kind in kinds):
        return False
    flag = record.get("isInteractive")
    return flag if isinstance(flag, bool) else ("interactiveuser" in kinds or None)


def _managed(device: Mapping[str, object]) -> bool | None:
    flags = [device.get("isManaged"), device.get("isCompliant")]
    known = [flag for flag in flags if isinstance(flag, bool)]
    return any(known) if known else None


# --- which one is it ------------------------------------------------------------------------------


def match(sign_ins: Sequence[SignIn], wanted: Wanted) -> Match:
    """The very sign-in. Ids that are named but not found yet are waited for, all of them, never
    replaced by a guess; several candidates are no match.
    """
    if wanted.request_ids:
        named = {one.id: one for one in sign_ins if one.id in wanted.request_ids}
        if len(named) < len(wanted.request_ids):
            return Match()
        return _only(named.values(), MatchedBy.REQUEST)
    if wanted.correlation_ids:
        found = [one for one in sign_ins if one.correlation_id in wanted.correlation_ids]
        if {one.correlation_id for one in found} < wanted.correlation_ids:
            return Match()
        return _only(_last_of_flows(found), MatchedBy.CORRELATION)
    if wanted.is_of_several:
        return Match(is_ambiguous=True)
    near = [
        one
        for one in sign_ins
        if one.address and one.address in wanted.addresses and abs(one.at - wanted.at) <= NEAR
    ]
    return _only(_last_of_flows(near), MatchedBy.ADDRESS_AND_TIME)


def _only(found: Iterable[SignIn], by: MatchedBy) -> Match:
    candidates = list(found)
    if len(candidates) == 1:
        return Match(candidates[0], by)
    return Match(is_ambiguous=bool(candidates))


def _last_of_flows(sign_ins: Iterable[SignIn]) -> list[SignIn]:
    """A prompt that interrupted a sign-in and its end are one flow with one correlation id."""
    rows = {one.id: one for one in sign_ins}.values()
    ended = {one.correlation_id for one in rows if one.error_code not in INTERRUPTS}
    return [
        one for one in rows if one.error_code not in INTERRUPTS or one.correlation_id not in ended
    ]


def prompts_before(sign_ins: Iterable[SignIn], sign_in: SignIn) -> Prompts:
    """MFA prompts of the day before it that were refused or that nobody answered."""
    rows = {one.id: one for one in sign_ins}
    granted = {one.correlation_id for one in rows.values() if one.succeeded}
    denied = unanswered = 0
    for one in rows.values():
        if one.id == sign_in.id or not sign_in.at - PROMPTS_WITHIN <= one.at <= sign_in.at:
            continue
        abandoned = one.error_code in INTERRUPTS and one.correlation_id not in granted
        denied += one.mfa is Mfa.DENIED
        unanswered += one.mfa is Mfa.UNANSWERED or (one.mfa is Mfa.UNKNOWN and abandoned)
    return Prompts(denied, unanswered)


# --- what is kept ---------------------------------------------------------------------------------


def keys_of(sign_in: SignIn) -> dict[TraceKind | str, tuple[str, str]]:
    """(kind, key) of each thing that it names, as entities of alerts are named."""
    keys = {
        "request": ("logon_request", f"request:{sign_in.id}"),
        TraceKind.ADDRESS: ("ip", sign_in.address and f"ip:{sign_in.address}"),
        TraceKind.DEVICE: ("device", sign_in.device_id and f"aad:{sign_in.device_id}"),
        TraceKind.SESSION: (
            "logon_session",
            sign_in.session_id and f"session:{sign_in.session_id}",
        ),
        TraceKind.TOKEN: ("token", sign_in.token_id),
        "app": ("oauth_app", sign_in.app_id and f"app:{sign_in.app_id}"),
    }
    return {name: pair for name, pair in keys.items() if pair[1]}


def facts_of_sign_in(
    sign_in: SignIn, matched_by: MatchedBy | None, pseudonymiser: Pseudonymiser
) -> SignInFacts:
    """Metadata and pseudonyms."""
    known = {name: pseudonymiser.pseudonym(*pair) for name, pair in keys_of(sign_in).items()}
    return SignInFacts(
        at=sign_in.at,
        request=known["request"],
        matched_by=matched_by,
        error_code=sign_in.error_code,
        mfa=sign_in.mfa,
        method=sign_in.method,
        is_phishing_resistant=sign_in.is_phishing_resistant,
        is_interactive=sign_in.is_interactive,
        address=known.get(TraceKind.ADDRESS),
        device=known.get(TraceKind.DEVICE),
        is_managed_device=sign_in.is_managed_device,
        session=known.get(TraceKind.SESSION),
        token=known.get(TraceKind.TOKEN),
        app=known.get("app"),
        country=sign_in.country,
        risk=sign_in.risk,
    )
