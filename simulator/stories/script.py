"""The means to tell a story: alerts, sign-ins and audits at offsets, and the truth about them."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from simulator.moments import stamp
from simulator.store import Document
from simulator.stories import records
from simulator.stories.detections import DETECTIONS, STEPS, Detection
from simulator.stories.estate import Agent, Estate, Person, Place, guid, hex_of
from simulator.stories.evidence import Evidence, Maker


@dataclass(slots=True)
class Step:
    """Something that becomes visible at `due`: kind alert, change, sign_in, audit, risk."""

    due: datetime
    kind: str
    body: Document


@dataclass(slots=True)
class Script:
    """One story being told from `start` on. `scale` shrinks all offsets (live stories run fast)."""

    name: str
    story: str
    estate: Estate
    rng: Random
    start: datetime
    scale: float
    next_incident: Any  # callable giving the next incident number
    steps: list[Step] = field(default_factory=list)
    truth: dict[str, Document] = field(default_factory=dict)
    make: Maker = field(init=False)
    _incidents: dict[str, str] = field(default_factory=dict)
    _alerts: dict[str, Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.make = Maker(self.estate, self.rng)

    def at(self, minutes: float) -> datetime:
        """The moment so many story minutes after the start, with a little noise."""
        return self.start + timedelta(minutes=(minutes + self.rng.random() * 0.3) * self.scale)

    def alert(
        self,
        key: str,
        at: datetime,
        evidence: list[Evidence],
        *,
        kind: str,
        event: str = "",
        incident: str = "main",
        harmless: bool = False,
        alone: bool = False,
        late_min: float = 0,
        late_s: float = 0,
        mfa: str = "",
        **words: Any,
    ) -> Document:
        """Report an event. Alerts with the same `event` are reports of one event.

        `kind`: attack, benign, noise, coverage. `incident`: alerts with the same word share
        Microsoft's incident. `alone`: the event has nothing to do with the rest of the story.
        `late_min`: minutes by which the report is late. `late_s`: seconds
        by which the list shows it after its own date of change. `words`: for
        placeholders in title and description, or any property of the alert.
        """
        detection = DETECTIONS[key]
        low, high = detection.product.latency_min
        created = at + timedelta(minutes=(self.rng.uniform(low, high) + late_min) * self.scale)
        for item in evidence:
            item["createdDateTime"] = stamp(created)
        document = self._document(
            key, detection, at, created, evidence, self._incident(incident), words
        )
        # The list shows an alert some seconds after its own date of change.
        shown_after_s = self.rng.uniform(2, 40) * max(self.scale, 0.05) + late_s
        due = created + timedelta(seconds=shown_after_s)
        self.steps.append(Step(due, "alert", document))
        self._alerts[document["id"]] = document
        full_event = f"{self.story}/{event or document['id']}"
        self.truth[document["id"]] = {
            "id": document["id"],
            "story": self.story,
            "story_name": self.name,
            "matter": full_event if alone else self.story,
            "event": full_event,
            "kind": kind,
            "harmless": harmless,
            "detection": key,
            "mfa": mfa,
        }
        return document

    def _incident(self, word: str) -> str:
        if word not in self._incidents:
            self._incidents[word] = str(self.next_incident())
        return self._incidents[word]

    def _document(
        self,
        key: str,
        detection: Detection,
        at: datetime,
        created: datetime,
        evidence: list[Evidence],
        incident: str,
        words: dict[str, Any],
    ) -> Document:
        directory, endpoint = self.estate.guid, detection.product.prefix == "da"
        provider_id = guid(self.rng) if detection.product.prefix != "ad" else hex_of(self.rng, 64)
        number = f"{detection.product.prefix}{provider_id}"
        if endpoint:
            number, provider_id = f"{number}_1", f"{provider_id}_1"
        texts = dict.fromkeys(("host", "user", "app", "extra"), "")
        texts |= {name: str(value) for name, value in words.items()}
        written = created + timedelta(milliseconds=self.rng.randrange(100, 900))
        last = at + timedelta(seconds=self.rng.randrange(1, 120) * self.scale)
        document: Document = {
            "@odata.type": "#microsoft.graph.security.alert",
            "id": number,
            "providerAlertId": provider_id,
            "incidentId": incident,
            "status": "new",
            "severity": detection.severity,
            # Endpoint writes "unknown" where the others write null.
            "classification": "unknown" if endpoint else None,
            "determination": "unknown" if endpoint else None,
            "serviceSource": detection.product.service_source,
            "detectionSource": detection.source or detection.product.detection_source,
            "productName": detection.product.name,
            "detectorId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"detector-{key}")),
            "tenantId": directory,
            "title": detection.title.format(**texts),
            "description": detection.description.format(**texts),
            "recommendedActions": STEPS,
            "category": detection.category,
            "categories": [detection.category],
            "assignedTo": None,
            "alertWebUrl": f"https://security.microsoft.com/alerts/{number}?tid={directory}",
            "incidentWebUrl": f"https://security.microsoft.com/incident2/{incident}/overview?tid={directory}",
            "actorDisplayName": detection.actor,
            "threatDisplayName": detection.threat,
            "threatFamilyName": detection.family,
            "mitreTechniques": list(detection.techniques),
            "createdDateTime": stamp(created),
            "lastUpdateDateTime": stamp(written),
            "resolvedDateTime": None,
            "firstActivityDateTime": stamp(at),
            "lastActivityDateTime": stamp(last),
            "systemTags": [],
            "alertPolicyId": None,
            "investigationState": "queued" if endpoint else "unsupportedAlertType",
            "comments": [],
            "customDetails": {},
            "additionalData": {},
            "evidence": evidence,
        }
        return {**document, **{name: words[name] for name in words if name in document}}

    def again(
        self, alert: Document, at: datetime, *, prefix: str = "", source: str = ""
    ) -> Document:
        """The alert issued once more: under a new id, or as `source` under its own `prefix`."""
        created = at + timedelta(minutes=self.rng.uniform(1, 4) * self.scale)
        number = prefix + alert["id"][2:] if prefix else alert["id"][:2] + guid(self.rng)
        document = {
            **alert,
            "id": number,
            "providerAlertId": number[2:],
            "createdDateTime": stamp(created),
            "lastUpdateDateTime": stamp(created),
            "serviceSource": source or alert["serviceSource"],
        }
        self.steps.append(Step(created + timedelta(seconds=5), "alert", document))
        self._alerts[number] = document
        self.truth[number] = {**self.truth[alert["id"]], "id": number}
        return document

    def change(self, alert: Document, at: datetime, **changes: Any) -> None:
        """A later version of an alert: `changes`, with the date of change moved to `at`."""
        newer = {"id": alert["id"], **changes, "lastUpdateDateTime": stamp(at)}
        self.steps.append(Step(at + timedelta(seconds=2), "change", newer))

    def change_and_back(self, alert: Document, at: datetime, **changes: Any) -> None:
        """A change that shows, then for a moment the old version again, as from a slow replica."""
        self.change(alert, at, **changes)
        old = {"id": alert["id"], "lastUpdateDateTime": alert["lastUpdateDateTime"]}
        old.update({name: alert[name] for name in changes})
        newer = {"id": alert["id"], **changes, "lastUpdateDateTime": stamp(at)}
        for seconds, body in ((12, old), (25, newer)):
            self.steps.append(Step(at + timedelta(seconds=seconds), "change", body))

    def sign_in(
        self, person: Person, at: datetime, address: str, place: Place, agent: Agent, **how: Any
    ) -> Document:
        """A sign-in record; see records.sign_in for `how`."""
        record = records.sign_in(self.estate, self.rng, person, at, address, place, agent, **how)
        self.steps.append(Step(at + timedelta(seconds=1), "sign_in", record))
        return record

    def audit(
        self, activity: str, category: str, at: datetime, by: Person | None, **more: Any
    ) -> Document:
        record = records.audit(self.estate, self.rng, activity, category, at, by, **more)
        self.steps.append(Step(at + timedelta(seconds=1), "audit", record))
        return record

    def risk(self, event_type: str, sign_in: Document, level: str) -> Document:
        record = records.risk_detection(self.rng, event_type, sign_in, level)
        self.steps.append(Step(self.start, "risk", record))
        return record
