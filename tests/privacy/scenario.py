"""A customer whose alerts hold canaries in every field, and everything that can go wrong."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.assets import follow_group, make_class, refresh_groups, take_list
from alerts.live_user import LiveUser, read_user
from alerts.models import Alert, AlertFact, AssetMember, Case, Decision, Quarantined, WatchHit
from csc_portal.comments import Commented
from csc_portal.webhooks.events import Kind
from csc_portal.webhooks.hooks import NewWebhook, create_webhook
from simulator import Simulator
from tenants.directories import graph_for, pseudonymiser_for
from tenants.models import Grant, QueueEntry, Tenant, User
from tenants.scope import granted, scope
from tests import payloads
from tests.alerts.documents import PREFIX, alert, stamp, user
from tests.enrichment.records import audit, record
from tests.lab import (
    SLOW,
    Processes,
    customer,
    make_due,
    new_slug,
    pending,
    reread,
    unplanned,
    wait_for,
)
from tests.privacy.api_calls import call_api
from tests.privacy.azure import SeenAzure, read_azure
from tests.privacy.browser import PASSWORD, Browser
from tests.privacy.canaries import Marks, disguises
from tests.privacy.outcomes import carry_outcomes
from tests.privacy.reports import read_reports
from tests.privacy.score import CONTROL, read_score
from tests.privacy.weak import SeenWeak, read_weak, tell_findings

CONSTRUCTED = "microsoft/alerts_v2-all-48-evidence-types-constructed"
LEGACY = "microsoft/legacy-alert-get-beta"
# What the portal stores as it is, if it has a closed shape; everything else is planted.
METADATA = frozenset(
    {"id", "title", "severity", "status", "classification", "determination", "serviceSource",
     "incidentId", "detectionSource", "productName", "detectorId", "category", "mitreTechniques"}
)  # fmt: skip
# Closed lists inside evidence, which normalising looks at.
CLOSED = frozenset({"verdict", "remediationStatus", "roles"})
LEGACY_METADATA = frozenset(
    {"id", "title", "severity", "status", "category", "incidentIds", "vendorInformation"}
)
OID = "0c1ab52d-1111-4222-8333-944455556666"


@dataclass
class Scenario:
    marks: Marks
    slug: str
    simulator: Simulator
    processes: Processes
    person: str = ""
    shown: str = ""
    found: str = ""
    steps: str = ""
    score: dict = field(default_factory=dict)
    live: LiveUser = field(default_factory=LiveUser)
    commented: Commented | None = None
    azure: SeenAzure | None = None
    weak: SeenWeak | None = None
    reports: str = ""

    def evidence_alerts(self) -> list[dict]:
        """Every evidence type with all fields planted: as Microsoft spells its lists, and not."""
        document = payloads.load(CONSTRUCTED)["value"][0]
        now = stamp(datetime.now(UTC))
        found = []
        for key, kept in (("all-1", METADATA | CLOSED), ("all-2", METADATA)):
            planted = self.marks.plant(document, kept)
            planted["customDetails"] = {self.marks.like("x"): self.marks.like("x")}
            planted["additionalData"] = {"a": [{"b": self.marks.like("x")}]}
            planted["comments"] = [
                {"comment": self.marks.like("x"), "createdByDisplayName": self.marks.like("x@y")}
            ]
            planted["evidence"].append(self.unknown_evidence())
            found.append({**planted, "id": key, "incidentId": None, "lastUpdateDateTime": now})
        return found

    def unknown_evidence(self) -> dict:
        word = self.marks.like("x")
        return {
            "@odata.type": f"#microsoft.graph.security.{word}Evidence",
            word: {word: [word]},
            "userAccount": {"userPrincipalName": self.marks.like("a@b")},
        }

    def titled_alerts(self) -> list[dict]:
        """Titles that say who it was, disguised."""
        found = []
        for number, _ in enumerate(disguises("x@y")):
            name = self.marks.like("x")
            said = disguises(f"{name}@contoso.com")[number]
            title = f"Suspicious sign-in by {said} from {disguises(name)[number]}"
            found.append(alert(f"title-{number}", user(name), title=title, hours=30 * number))
        self.person = f"{name}@contoso.com"
        return found

    def metadata_alerts(self) -> list[dict]:
        """Metadata that says who it was."""
        name = self.marks.like("x")
        texts = dict.fromkeys(
            ("category", "productName", "serviceSource", "detectionSource", "detectorId",
             "determination", "classification", "status", "incidentId"),
            f"about {name}@contoso.com",
        )  # fmt: skip
        return [
            alert("meta-1", user(name), **texts),
            alert("meta-2", user(name), **dict.fromkeys(texts, name)),
            alert("meta-3", user(name), mitreTechniques=[name, f"T1078 {name}"]),
        ]

    def signed_in(self) -> dict:
        """An odd sign-in; its record, what followed and the user's risk are at Microsoft."""
        control, like = self.simulator.control, self.marks.like
        now = datetime.now(UTC)
        oid, request, place = like(OID), like(OID), like("192.0.2.1")
        name = f"{like('x')}@contoso.com"
        its_own = {"id": request, "userId": oid, "userPrincipalName": name, "ipAddress": place}
        when = {"createdDateTime": stamp(now - timedelta(hours=1))}
        steps = {"authenticationDetails": [], "signInEventTypes": ["interactiveUser"]}
        planted = self.marks.plant(record())
        control.add_rows(
            self.slug,
            "sign_ins",
            [{**planted, **steps, **its_own, **when}, {**planted, "userId": oid, **when}],
        )
        changes = [
            self.marks.plant(audit(said), frozenset({"activityDisplayName"}))
            for said in ("Add member to role", like("x"), "Consent to application")
        ]
        by = {"initiatedBy": {"user": {"id": oid}}, "activityDateTime": stamp(now)}
        control.add_rows(self.slug, "audits", [{**one, **by} for one in changes])
        risk = dict.fromkeys(("riskLevel", "riskState", "riskEventType", "ipAddress"), like("x"))
        control.add_rows(self.slug, "risky_users", {**risk, "id": oid})
        control.add_rows(self.slug, "risk_detections", {**risk, "id": like(OID), "userId": oid})
        account = {"azureAdUserId": oid, "userPrincipalName": name}
        times = dict.fromkeys(
            ("createdDateTime", "firstActivityDateTime", "lastUpdateDateTime"), *when.values()
        )
        return alert(
            "signed-1",
            {"@odata.type": PREFIX + "userEvidence", "userAccount": account},
            {"@odata.type": PREFIX + "ipEvidence", "ipAddress": place},
            {"@odata.type": PREFIX + "cloudLogonRequestEvidence", "requestId": request},
            **times,
        )

    def lists(self) -> None:
        """An uploaded list of VIPs, and a group of them with an id and members of its own."""
        tenant, like = reread(self.slug), self.marks.like
        pseudonymiser, now = pseudonymiser_for(tenant), datetime.now(UTC)
        member, group = like(OID), like(OID)
        user = {"id": member, "userPrincipalName": f"{like('x')}@contoso.com"}
        self.simulator.control.add_rows(self.slug, "users", user)
        row = {"id": group, "displayName": like("x"), "members": [member]}
        self.simulator.control.add_rows(self.slug, "groups", row)
        text = f"UPN\n{like('a@b')}\n{like('x')} is no address\n=1+{like('x')}\n"
        with scope(tenant):
            uploaded = take_list(
                make_class("Board", "vip", "people").public_id, text.encode(), pseudonymiser, now
            )
            assert (uploaded.members, uploaded.problem_count) == (1, 2)
            own = make_class("Group", "own", "people").public_id
            follow_group(own, group, pseudonymiser, now)
        assert refresh_groups(tenant, graph_for(tenant), pseudonymiser, now) == 1
        with scope(tenant):
            assert AssetMember.objects.count() == 5
            entity = Alert.objects.get(provider_id="signed-1").links.get(entity__kind="user")

        def is_read_live() -> bool:
            graph = graph_for(tenant)
            self.live = read_user(tenant, entity.entity_id, graph, pseudonymiser, now)
            return bool(self.live.sign_ins and self.live.audits)

        wait_for(is_read_live, 60, "the log's limit allows a live read")

    def facts(self) -> dict:
        """What enrichment keeps of the odd sign-in, {} before it has asked."""
        with scope(reread(self.slug)):
            row = AlertFact.objects.filter(alert__provider_id="signed-1", attempts__gt=0).first()
        return row.facts if row else {}

    def watched(self) -> bool:
        """What the watch and the judgement keep is there."""
        with scope(reread(self.slug)):
            return WatchHit.objects.exists() and Decision.objects.exists()

    def broken_documents(self) -> list[object]:
        """Some are refused by the reader, some only by the database."""
        word, mail = self.marks.like("x"), self.marks.like("a@b")
        good = alert("broken", user(word), title=f"About {mail}", description=word)
        return [
            {**good, "id": mail},
            {**good, "id": f"{word} with blanks"},
            {**good, "id": [word]},
            {key: value for key, value in good.items() if key != "id"},
            {**good, "id": "b-1", "createdDateTime": word, "lastUpdateDateTime": mail},
            {**good, "id": "b-2", "lastUpdateDateTime": "9999-12-31T23:59:59.9999999Z"},
            {**good, "id": "b-3", "productName": f"{word}\u0000", "title": f"{mail}\u0000"},
            {**good, "id": "b-4", "title": {word: word}},
            {**good, "id": "b-5", "evidence": word},
            {**good, "id": "b-6", "evidence": [word, [word], {"@odata.type": word}]},
            {**good, "id": "b-8", "incidentId": word, "severity": word},
            word,
            [word],
            {word: word},
        ]

    # --- what happens ---------------------------------------------------------------------------

    def run(self, exports: Path) -> None:
        control = self.simulator.control
        documents = [*self.evidence_alerts(), *self.titled_alerts(), *self.metadata_alerts()]
        documents.append(self.signed_in())
        broken = [one for one in self.broken_documents() if _is_storable(one)]
        control.add_alerts(self.slug, [*documents, *broken])
        self._order_faults()
        self._make_webhook()
        self.processes.beat()
        self.processes.worker("slow", SLOW, 1)
        self.processes.worker()
        self._wait(len(documents))
        self._kill_while_reading()
        self._replay(exports)
        self._wait(len(documents) + 1)
        wait_for(self.facts, 60, "the sign-in was looked up")
        wait_for(self.watched, 60, "the watch found what followed, and the case was judged")
        self.lists()
        self.commented = carry_outcomes(self.simulator, self.processes, self.marks, self.slug)
        self.score = read_score(self.simulator, self.processes, self.marks, self.slug)
        weak = read_weak(self.simulator, self.marks, reread(self.slug))
        self._look_at_pages()
        self.azure = read_azure(self.simulator, self.marks, reread(self.slug))
        self.weak = tell_findings(self.simulator, reread(self.slug), weak)

    def _make_webhook(self) -> None:
        """Of every event, for a receiver that is not there."""
        keeper = User.objects.create_user(f"keeper-{self.slug}")
        Grant.objects.create(user=keeper, tenant=reread(self.slug), role="admin")
        events = [kind.value for kind in Kind]
        new = NewWebhook("Canary", "https://127.0.0.1:1/hook", events)
        create_webhook(keeper, new, actor=keeper.username)

    def _order_faults(self) -> None:
        control, word = self.simulator.control, self.marks.like("x")
        text = {"error": {"code": f"Bad {word}", "message": word, "innerError": {"date": word}}}
        refusal = {
            "description": word,
            "errors": [{"field": f"a {word}", "message": word, "code": f"{word} x"}],
        }
        for fault in (
            {"service": "graph", "kind": "status", "status": 500, "body": text},
            {"service": "graph", "kind": "truncate"},
            {"service": "graph", "kind": "garbage"},
            {"service": "freshservice", "method": "POST", "kind": "status", "status": 422,
             "body": refusal},
            {"service": "freshservice", "method": "POST", "kind": "status", "status": 500,
             "body": refusal, "when": "after"},
            {"service": "freshservice", "method": "POST", "kind": "truncate"},
            {"service": "freshservice", "method": "POST", "kind": "status", "status": 429,
             "retry_after": 1, "body": refusal},
        ):  # fmt: skip
            control.fault(**{"directory": self.slug, "count": 1, **fault})

    def _wait(self, alerts: int) -> None:
        """Until so many alerts are stored and nothing waits to be sent."""

        def is_done() -> bool:
            make_due(self.slug)
            with scope(reread(self.slug)):
                stored = Alert.objects.count()
                Case.objects.update(ticket_after=None)  # as if nothing could be found out any more
            return stored >= alerts and not unplanned(self.slug) and not pending(self.slug)

        wait_for(is_done, 60, "all alerts are ticketed")

    def _kill_while_reading(self) -> None:
        """A worker dies with a page in its hands; another one notes what is new on a ticket."""
        control = self.simulator.control
        name = self.marks.like("x")
        now = stamp(datetime.now(UTC))
        control.add_alert(self.slug, alert("late-1", user(name), lastUpdateDateTime=now))
        control.fault("delay", service="graph", directory=self.slug, seconds=3, count=1)
        make_due(self.slug)
        wait_for(lambda: control.faults()[-1]["hits"], 60, "the page is being read")
        self.processes.kill("worker")
        self.processes.worker()

    def _replay(self, exports: Path) -> None:
        """Exported and malformed documents, by command; the files are removed afterwards."""
        legacy = self.marks.plant(payloads.load(LEGACY), LEGACY_METADATA)
        at = stamp(datetime.now(UTC) - timedelta(hours=2))
        times = dict.fromkeys(("createdDateTime", "eventDateTime", "lastModifiedDateTime"), at)
        files = {
            "legacy.json": json.dumps({"value": [{**legacy, **times, "id": "legacy-1"}]}),
            "broken.json": json.dumps(self.broken_documents()),
            "cut.json": json.dumps({"value": [legacy]})[:-20],
            "half.json": json.dumps([{**legacy, "title": f"{self.marks.like('x')}\ud800"}]),
        }
        for name, text in files.items():
            path = exports / name
            path.write_text(text)
            done = self.processes.manage("replay", self.slug, "--file", str(path), "--json")
            self.processes.logs.joinpath(f"replay-{name}.log").write_text(done.stdout + done.stderr)
            assert (done.returncode == 0) == (name != "cut.json"), done.stderr
            path.unlink()
        done = self.processes.manage("replay", self.slug, "--quarantined", "--json")
        self.processes.logs.joinpath("replay-again.log").write_text(done.stdout + done.stderr)

    def _look_at_pages(self) -> None:
        """As an analyst does: show names, search for one, read the case. Remembers the answers."""
        tenant = reread(self.slug)
        analyst = User.objects.create_user(f"analyst-{self.slug}", password=PASSWORD)
        Grant.objects.create(user=analyst, tenant=tenant, role=Grant.Role.ANALYST)
        with granted([tenant.pk]):
            cases = [str(key) for key in QueueEntry.objects.values_list("public_id", flat=True)]
        web = Browser(self.processes)
        web.sign_in(analyst.username)
        web.post("/names/toggle/", on="yes")
        self.shown = web.post("/names/", case=cases[:50])
        self.found = web.post("/search/", text=self.person)
        score = f"/secure-score/{self.slug}/"
        self.steps = web.get(f"{score}{CONTROL}/")
        for path in ("/", "/analytics/", "/analytics/entities/", "/chain/", "/health/", "/audit/",
                     f"/tenants/{self.slug}/", score, "/secure-score/", "/findings/"):  # fmt: skip
            web.get(path)
        web.get(f"/?text={self.person}")
        for case in cases[:3]:
            for tab in ("overview", "alerts", "timeline", "sign-ins", "related", "raw", "print"):
                web.get(f"/cases/{case}/?tab={tab}")
            for what in ("advice", "notes", "raw"):
                web.post(f"/cases/{case}/live/{what}/", alert=1)
        web.get("/entities/")
        web.get(f"/{self.person}/")  # 404
        call_api(web.url, analyst, self.marks, cases[0], self.person)
        self.reports = read_reports(web.url, web.read, tenant)

    def queue_up(self) -> None:
        """Workers stand still while beat goes on, so that tasks lie in the broker."""
        for name in ("worker", "slow"):
            self.processes.send(name, signal.SIGSTOP)
        make_due(self.slug)
        Tenant.objects.filter(slug=self.slug).update(next_delivery_at=datetime.now(UTC))


def _is_storable(document: object) -> bool:
    """The simulator wants an id."""
    return isinstance(document, dict) and isinstance(document.get("id"), str)


def start(simulator: Simulator, processes: Processes) -> Scenario:
    slug = new_slug("canary")
    customer(simulator, slug)
    return Scenario(Marks(), slug, simulator, processes)


def quarantined(slug: str) -> int:
    with scope(reread(slug)):
        return Quarantined.objects.filter(resolved_at=None).count()
