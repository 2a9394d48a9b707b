"""Asks Microsoft about one user: sign-ins, risk, directory audits. No database here.

Every error becomes a word of `Known`, so that one source that is down hides no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.blind_spots import state_of
from alerts.models import SourceAbility
from clients.errors import ApiError, BadPayload, Forbidden, NotFound, Unauthorized
from clients.microsoft import audit_logs, protection
from clients.microsoft.batch import BatchRequest, Results
from clients.microsoft.graph import Graph
from enrichment.audits import read_audits
from enrichment.conclude import Answers
from enrichment.facts import Known
from enrichment.risks import Detection, read_detections, read_user_risk
from enrichment.sign_ins import SignIn, read_sign_ins
from enrichment.subjects import Group, Question
from tenants.canonical import canonical_address, canonical_guid
from tenants.documents import raw

logger = logging.getLogger(__name__)

NO_PAGE = BadPayload("Microsoft Graph: the field value is missing or no list.")
NO_LEVEL = BadPayload("Microsoft Graph: the field riskLevel is missing.")
SIGN_INS, AUDITS, RISKS, RISKY_USERS = "sign-ins", "audits", "risks", "risky-users"
"""Names of the sources in `SourceAbility`."""

CLOSED: dict[str, Known] = {
    SourceAbility.State.NO_LICENCE: Known.NO_LICENCE,
    SourceAbility.State.NO_PERMISSION: Known.NO_PERMISSION,
}
"""States of a source that need not be asked."""


@dataclass(slots=True)
class Asking:
    """One run's questions. `closed`: sources that need not be asked, and why. `noted`: what the
    sources answered. `is_down`: a source failed, so the rest of the run is better left alone.
    `wait_s`: our own limit is used up for so long.
    """

    graph: Graph
    closed: dict[str, Known] = field(default_factory=dict)
    noted: dict[str, ApiError | None] = field(default_factory=dict)
    is_down: bool = False
    wait_s: float = 0

    def about(self, group: Group, now: datetime) -> Answers:
        """What is asked of the group's user. Reads of one family go together."""
        answers = Answers()
        if group.asks(Question.RISK, now):
            answers = self._risk(group, answers)
        return self._logs(group, answers, now)

    # --- Identity Protection ----------------------------------------------------------------------

    def _risk(self, group: Group, answers: Answers) -> Answers:
        if RISKS in self.closed:
            return replace(answers, risk_known=self.closed[RISKS])
        requests = [protection.detections_of_user("detections", group.user_id)]
        if RISKY_USERS not in self.closed:
            requests.append(protection.risky_user("user", group.user_id))
        found = self._read(protection.read_many, requests)
        known = self._judged(RISKS, found["detections"])
        if known is not Known.YES:
            return replace(answers, risk_known=known)
        detections = read_detections(_rows(found["detections"]))
        answers = self._level(
            replace(answers, detections=detections), found.get("user"), detections
        )
        if answers.risk_known is Known.YES and not _is_whole(found["detections"]):
            # What is missing could be the one that MFA does not answer.
            return replace(answers, risk_known=Known.UNKNOWN)
        return answers

    def _level(self, answers: Answers, user: object, detections: Iterable[Detection]) -> Answers:
        """The user's level needs P2; the detections are there with less."""
        if RISKY_USERS in self.closed:
            return replace(answers, risk_known=self.closed[RISKY_USERS])
        if isinstance(user, Forbidden):
            return replace(answers, risk_known=self._refused(RISKY_USERS, user))
        if isinstance(user, ApiError) and not isinstance(user, NotFound):
            return replace(answers, risk_known=self._failed(user))
        self.noted[RISKY_USERS] = None
        risk = read_user_risk(user if isinstance(user, Mapping) else None, detections)
        if not risk.level:
            return replace(answers, risk_known=self._failed(NO_LEVEL))
        return replace(answers, risk=risk, risk_known=Known.YES)

    # --- sign-ins and audits ----------------------------------------------------------------------

    def _logs(self, group: Group, answers: Answers, now: datetime) -> Answers:
        wants = {
            SIGN_INS: group.asks(Question.SIGN_IN, now),
            AUDITS: group.asks(Question.AUDITS, now),
        }
        asked = {source for source, wanted in wants.items() if wanted and source not in self.closed}
        found = self._read(audit_logs.read_many, _log_requests(group, asked, now))
        if wants[SIGN_INS]:
            answers = self._sign_ins(group, answers, found)
        if wants[AUDITS]:
            answers = self._audits(answers, found)
        return answers

    def _sign_ins(self, group: Group, answers: Answers, found: Results) -> Answers:
        if SIGN_INS in self.closed:
            return replace(answers, sign_ins_known=self.closed[SIGN_INS])
        known = self._judged(SIGN_INS, found["sign-ins"])
        if known is not Known.YES:
            return replace(answers, sign_ins_known=known)
        if not _is_whole(found["sign-ins"]):
            # More than fits into a page: what is missing could be the refused prompts.
            return replace(answers, sign_ins_known=Known.UNKNOWN)
        sign_ins = read_sign_ins(_rows(found["sign-ins"]))
        more, known = self._by_id(group, group.request_ids - {one.id for one in sign_ins})
        return replace(answers, sign_ins=[*sign_ins, *more], sign_ins_known=known)

    def _by_id(self, group: Group, ids: frozenset[str]) -> tuple[list[SignIn], Known]:
        """The user's sign-ins that an alert names and the list of interactive ones does not have.
        One of somebody else says nothing about this user.
        """
        found = self._read(
            audit_logs.read_many, [audit_logs.sign_in_by_id(key, key) for key in sorted(ids)]
        )
        errors = [
            one
            for one in found.values()
            if isinstance(one, ApiError) and not isinstance(one, NotFound)
        ]
        if errors:
            return [], self._failed(errors[0])
        own = [one for one in found.values() if isinstance(one, dict) and _is_of(one, group)]
        return read_sign_ins(own), Known.YES

    def _audits(self, answers: Answers, found: Results) -> Answers:
        if AUDITS in self.closed:
            return replace(answers, audits_known=self.closed[AUDITS])
        parts = [found[key] for key in ("by", "of") if key in found]
        verdicts = [self._judged(AUDITS, part) for part in parts]
        known = next((one for one in verdicts if one is not Known.YES), Known.YES)
        if known is Known.YES and not all(map(_is_whole, parts)):
            known = Known.UNKNOWN
        rows = [row for part in parts for row in _rows(part)]
        return replace(answers, audits=read_audits(rows), audits_known=known)

    # --- answers and errors -----------------------------------------------------------------------

    def _read(
        self, read: Callable[[Graph, Iterable[BatchRequest]], Results], requests: list[BatchRequest]
    ) -> Results:
        """The answers; where nothing at all could be asked, the same error for each."""
        if not requests:
            return {}
        try:
            return read(self.graph, requests)
        except ApiError as err:
            return {request.id: err for request in requests}

    def _judged(self, source: str, answer: object) -> Known:
        """Of a page: YES if it is one."""
        if not isinstance(answer, ApiError):
            self.noted[source] = None
            is_page = isinstance(answer, Mapping) and isinstance(answer.get("value"), list)
            return Known.YES if is_page else self._failed(NO_PAGE)
        return (
            self._refused(source, answer) if isinstance(answer, Forbidden) else self._failed(answer)
        )

    def _refused(self, source: str, err: Forbidden) -> Known:
        """No licence or no permission: said as such, and not asked again in this run."""
        known = CLOSED[state_of(err)]
        self.noted[source] = err
        self.closed[source] = known
        return known

    def _failed(self, err: ApiError) -> Known:
        """PENDING if only our own limit is in the way, so that nothing was asked."""
        if err.code == "throttled_here":
            self.wait_s = max(self.wait_s, err.retry_after_s or 1)
            return Known.PENDING
        logger.warning("enrichment failed kind=%s code=%s", type(err).__name__, err.code)
        self.is_down = self.is_down or err.retryable or isinstance(err, Unauthorized)
        return Known.FAILED


def _log_requests(group: Group, asked: set[str], now: datetime) -> list[BatchRequest]:
    requests = []
    if SIGN_INS in asked:
        since, until = group.sign_in_range()
        requests.append(
            audit_logs.sign_ins_of_user(
                "sign-ins", user_id=group.user_id, upn=group.upn, since=since, until=until
            )
        )
    if AUDITS in asked:
        since, until = group.audit_range(now)
        requests.append(
            audit_logs.audits_by_user(
                "by", user_id=group.user_id, upn=group.upn, since=since, until=until
            )
        )
        if group.user_id:
            requests.append(
                audit_logs.audits_of_target("of", target_id=group.user_id, since=since, until=until)
            )
    return requests


def _is_of(record: Mapping[str, object], group: Group) -> bool:
    """By object id where both have one, else by name."""
    user_id = canonical_guid(raw(record.get("userId")))
    if user_id and group.user_id:
        return user_id == group.user_id
    return bool(group.upn) and canonical_address(raw(record.get("userPrincipalName"))) == group.upn


def _rows(answer: object) -> list[object]:
    rows = answer.get("value") if isinstance(answer, Mapping) else None
    return rows if isinstance(rows, list) else []


def _is_whole(answer: object) -> bool:
    """Whether the page is all that there is."""
    return isinstance(answer, Mapping) and not answer.get("@odata.nextLink")
