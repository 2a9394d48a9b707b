"""Tells stories: fills a directory's past, lets new ones happen, and writes the truth down."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson

from simulator import moments
from simulator.directory import Directory
from simulator.store import Document
from simulator.stories import (
    benign,
    campaigns,
    cloud,
    deceptions,
    doubtful,
    endpoint,
    identity,
    posture,
)
from simulator.stories.bulk import bulk_alerts
from simulator.stories.estate import Estate, build
from simulator.stories.incidents import refreshed_incident
from simulator.stories.script import Script, Step
from simulator.world import World

logger = logging.getLogger(__name__)
Story = Callable[[Script], None]
STORIES: dict[str, Story] = {
    function.__name__: function
    for function in (
        identity.account_takeover,
        benign.business_trip,
        endpoint.ransomware,
        benign.junk,
        cloud.phishing_wave,
        benign.new_phone,
        identity.token_theft,
        benign.travel_without_proof,
        cloud.storage_theft,
        endpoint.hostile_names,
        cloud.container_attack,
        benign.repeated_detection,
        identity.domain_dominance,
        cloud.rare_things,
        benign.ssh_noise,
        identity.consent_phishing,
        cloud.leaver,
        benign.tor_blocked,
        doubtful.mfa_then_persistence,
        cloud.help_desk_call,
        benign.sentinel_only,
        doubtful.vip_leak,
        endpoint.persistence,
        endpoint.kerberos_attack,
        cloud.cloud_ransom,
        endpoint.nation_state,
        benign.everyday,
        campaigns.three_products,
        campaigns.issued_again,
        campaigns.office_sign_in,
        campaigns.scanner,
        campaigns.long_campaign,
        campaigns.late_bridge,
        deceptions.mfa_fatigue,
        deceptions.adversary_in_the_middle,
        deceptions.replayed_token,
        deceptions.sim_swap,
        deceptions.consent_after_sign_in,
        deceptions.travel_with_decoy,
        deceptions.slow_finger,
    )
}
# Told when asked for, and by live directories: the first 48 hours are full enough.
NOT_IN_HISTORY = frozenset(
    {
        "three_products", "issued_again", "office_sign_in", "scanner", "long_campaign",
        "late_bridge", "mfa_fatigue", "adversary_in_the_middle", "replayed_token", "sim_swap",
        "consent_after_sign_in", "travel_with_decoy", "slow_finger",
    }
)  # fmt: skip
# Stories of a live directory in turn: most are small, a big attack comes now and then.
LIVE = (
    "business_trip",
    "junk",
    "new_phone",
    "phishing_wave",
    "everyday",
    "travel_without_proof",
    "ssh_noise",
    "account_takeover",
    "repeated_detection",
    "tor_blocked",
    "hostile_names",
    "token_theft",
    "new_phone",
    "help_desk_call",
    "business_trip",
    "leaver",
    "persistence",
    "storage_theft",
    "sentinel_only",
    "mfa_then_persistence",
    "cloud_ransom",
    "container_attack",
    "vip_leak",
    "ransomware",
    "kerberos_attack",
    "consent_phishing",
    "domain_dominance",
    "nation_state",
    "rare_things",
    "three_products",
    "office_sign_in",
    "late_bridge",
    "issued_again",
    "mfa_fatigue",
    "adversary_in_the_middle",
    "sim_swap",
    "consent_after_sign_in",
    "travel_with_decoy",
)
# Stories that not every directory's past has: each directory lacks four of them.
OPTIONAL = (
    "nation_state", "kerberos_attack", "cloud_ransom", "persistence", "leaver", "ssh_noise",
    "tor_blocked", "sentinel_only", "vip_leak", "repeated_detection",
)  # fmt: skip
HISTORY_H = 48
TICK_S = 0.5


class Engine:
    def __init__(self, world: World) -> None:
        self._world = world
        self._pending = world.store.table("pending-step")
        self._estates: dict[str, Estate] = {}
        self._next_story_at = moments.now() + timedelta(seconds=15)
        self._turn = 0
        self._truth_is_stale = True

    def names(self) -> list[str]:
        return sorted(STORIES)

    def estate(self, directory: Directory) -> Estate:
        if directory.guid not in self._estates:
            config = directory.config
            self._estates[directory.guid] = build(
                directory.guid, config["slug"], config["domain"], config["index"], self._world.seed
            )
        return self._estates[directory.guid]

    def populate(self, directory: Directory, *, stories: bool) -> None:
        """People, machines, posture; with `stories` also the alerts of the last 48 hours."""
        posture.fill(directory, self.estate(directory), self._world.seed)
        if not stories:
            return
        rng = Random(f"history-{self._world.seed}-{directory.slug}")
        now = moments.now()
        first = directory.config["index"]
        absent = {OPTIONAL[(first * 3 + place) % len(OPTIONAL)] for place in range(4)}
        order = [name for name in STORIES if name not in absent | NOT_IN_HISTORY]
        share = HISTORY_H * 60 / len(order)
        steps: list[Step] = []
        for place, name in enumerate(order):
            # Evenly spread with some noise; the last are so young that they still go on.
            ago = HISTORY_H * 60 - place * share - rng.random() * share * 0.8
            script = self._script(directory, name, now - timedelta(minutes=ago), 1.0)
            STORIES[name](script)
            directory.truth.put_many(script.truth.items())
            steps += script.steps
        self._schedule(directory, steps, now)

    def _script(self, directory: Directory, name: str, start: datetime, scale: float) -> Script:
        number = directory.config["next_story"]
        directory.config["next_story"] = number + 1

        def next_incident() -> int:
            directory.config["incident_number"] += 1
            return int(directory.config["incident_number"])

        story = f"{directory.slug}-{number:05d}"
        rng = Random(f"{self._world.seed}-{story}-{name}")
        return Script(name, story, self.estate(directory), rng, start, scale, next_incident)

    def tell(
        self, directory: Directory, name: str | None, at: datetime | None, *, paced: bool
    ) -> Document:
        """Start a story. Without `at` it ends about now (or begins now if `paced`)."""
        name = name or LIVE[self._turn % len(LIVE)]
        if name not in STORIES:
            raise ValueError(f"no such story: {name}; known: {', '.join(self.names())}")
        now = moments.now()
        live = float(self._world.settings["live_scale"])
        scale = 1.0 if at is not None else live if paced else 0.002
        script = self._script(directory, name, at or now, scale)
        STORIES[name](script)
        directory.save()
        directory.truth.put_many(script.truth.items())
        self._schedule(
            directory, script.steps, now if paced else datetime.max.replace(tzinfo=now.tzinfo)
        )
        self._truth_is_stale = True
        self.write_truth()
        return {"story": script.story, "name": name, "alerts": list(script.truth.values())}

    def _schedule(self, directory: Directory, steps: list[Step], until: datetime) -> None:
        """Apply what is due by `until`; the rest waits, also over a restart."""
        steps.sort(key=lambda step: step.due)
        due = [step for step in steps if step.due <= until]
        later = [step for step in steps if step.due > until]
        self._apply(directory, due)
        self._pending.put_many(
            (
                f"{directory.guid}-{moments.stamp(step.due)}-{place}",
                {
                    "directory": directory.guid,
                    "due": moments.stamp(step.due),
                    "kind": step.kind,
                    "body": step.body,
                },
            )
            for place, step in enumerate(later)
        )
        directory.save()

    def _apply(self, directory: Directory, steps: list[Step]) -> None:
        rows: dict[str, list[Document]] = {"sign_in": [], "audit": [], "risk": []}
        alerts: dict[str, Document] = {}
        for step in steps:
            if step.kind == "alert":
                alerts[step.body["id"]] = step.body
            elif step.kind == "change":
                known = alerts.get(step.body["id"]) or directory.alerts.get(step.body["id"])
                if known is not None:
                    alerts[step.body["id"]] = {**known, **step.body}
            else:
                rows[step.kind].append(step.body)
        for kind, table in (
            ("sign_in", directory.sign_ins),
            ("audit", directory.audits),
            ("risk", directory.risk_detections),
        ):
            if rows[kind]:
                table.put_many((row["id"], row) for row in rows[kind])
        for row in rows["risk"]:
            directory.risky_users.put(row["userId"], _risky_user(row))
        if alerts:
            directory.put_alerts(alerts.values())
            touched = {row["incidentId"] for row in alerts.values()}
            directory.incidents.put_many(
                (key, refreshed_incident(directory, key)) for key in sorted(touched)
            )

    async def run(self) -> None:
        """The live part: due steps every half second, a new story every `pace_s`."""
        while True:
            await asyncio.sleep(TICK_S)
            self._advance(moments.now())

    def _advance(self, now: datetime) -> None:
        border = moments.stamp(now)
        ready = sorted(
            (row["due"], key) for key, row in self._pending.items() if row["due"] <= border
        )
        for _, key in ready:
            row = self._pending.drop(key)
            if row is not None and row["directory"] in self._world.directories:
                step = Step(now, row["kind"], row["body"])
                self._apply(self._world.directories[row["directory"]], [step])
        pace_s = float(self._world.settings["pace_s"])
        if pace_s > 0 and self._world.directories and now >= self._next_story_at:
            self._next_story_at = now + timedelta(seconds=pace_s)
            directories = list(self._world.directories.values())
            directory = directories[self._turn % len(directories)]
            name = LIVE[
                (self._turn // len(directories) + directory.config["index"] * 5) % len(LIVE)
            ]
            self._turn += 1
            self.tell(directory, name, None, paced=True)
            self._revive(directory)
        if self._truth_is_stale:
            self.write_truth()

    def _revive(self, directory: Directory) -> None:
        """An older alert moves on: investigated further, or just delivered again."""
        known = [row for row in directory.alerts.values() if row.get("status") != "resolved"]
        if not known:
            return
        rng = Random(f"revive-{self._world.seed}-{self._turn}")
        alert = rng.choice(known)
        stamp = moments.stamp(moments.now())
        changes = rng.choice(
            (
                {},
                {"investigationState": "running", "lastActivityDateTime": stamp},
                {"investigationState": "pendingApproval"},
                {"severity": "high"},
            )
        )
        self._apply(
            directory,
            [
                Step(
                    moments.now(),
                    "change",
                    {"id": alert["id"], **changes, "lastUpdateDateTime": stamp},
                )
            ],
        )

    def fill(self, directory: Directory, count: int, hours: float, seed: int) -> int:
        """Many stand-alone alerts, for load."""
        script = self._script(directory, "bulk", moments.now() - timedelta(hours=hours), 1.0)
        script.rng.seed(f"bulk-{seed}-{directory.slug}-{len(directory.alerts)}")
        directory.put_alerts(bulk_alerts(script, count, hours))
        # Sorted now, so that the first page is as quick as the others.
        directory.newest_first("security/alerts_v2", directory.alerts, "createdDateTime")
        directory.save()
        return count

    def truth(self) -> Document:
        """What is really the case; the shape is described in README.md."""
        return {
            "directories": {guid: _truth_of(one) for guid, one in self._world.directories.items()}
        }

    def write_truth(self) -> None:
        self._truth_is_stale = False
        _write(self._world, "truth", self.truth())

    def write_files(self) -> None:
        """environment.json and tenants.json in the state directory; truth.json follows soon."""
        _write(self._world, "environment", self._world.environment())
        _write(self._world, "tenants", self._world.tenants())
        self._truth_is_stale = True


def _write(world: World, name: str, content: Any) -> None:
    path = world.state / f"{name}.json"
    draft = path.with_suffix(".tmp")
    draft.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    draft.replace(path)


def _truth_of(directory: Directory) -> Document:
    rows = list(directory.truth.values())
    events: dict[str, list[str]] = {}
    matters: dict[str, list[str]] = {}
    stories: dict[str, Document] = {}
    for row in rows:
        matters.setdefault(row.get("matter", row["story"]), []).append(row["id"])
        events.setdefault(row["event"], []).append(row["id"])
        story = stories.setdefault(row["story"], {"name": row["story_name"], "alerts": []})
        story["alerts"].append(row["id"])
    return {
        "slug": directory.slug,
        "alerts": {row["id"]: row for row in rows},
        "same_event": [ids for ids in events.values() if len(ids) > 1],
        "belongs_together": [ids for ids in matters.values() if len(ids) > 1],
        "harmless": [row["id"] for row in rows if row["harmless"]],
        "stories": stories,
    }


def _risky_user(row: Document) -> Document:
    return {
        "id": row["userId"],
        "isDeleted": False,
        "isProcessing": False,
        "riskLevel": row["riskLevel"],
        "riskState": "atRisk",
        "riskDetail": "none",
        "riskLastUpdatedDateTime": row["lastUpdatedDateTime"],
        "userDisplayName": row["userDisplayName"],
        "userPrincipalName": row["userPrincipalName"],
    }
