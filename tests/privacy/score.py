"""A customer's Secure Score whose texts, people and ids are canaries, read by command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from simulator import Simulator
from tests import payloads
from tests.alerts.documents import stamp
from tests.lab import Processes
from tests.privacy.canaries import Marks

CONTROL = "NonOwnerAccess"
# Words of Microsoft's lists; texts, people and ids of the directory are planted.
METADATA = frozenset(
    {"id", "controlName", "controlCategory", "service", "tier", "userImpact", "state", "basis",
     "implementationCost", "actionType", "threats"}
)  # fmt: skip


def read_score(simulator: Simulator, processes: Processes, marks: Marks, slug: str) -> dict:
    """What the command said: a score that fell, so that a finding names the control."""
    profile = marks.plant(
        payloads.load("microsoft/securescorecontrolprofile-update-response"), METADATA
    )
    profile["title"] = f"Ask <b>{marks.like('anna@b')}</b> at {marks.like('https://x')}"
    simulator.control.add_rows(slug, "profiles", profile)
    document = payloads.load("microsoft/securescore-get")
    now = datetime.now(UTC)
    for back, points in ((1, 20.0), (0, 1.0)):
        rows = [
            {"controlName": CONTROL, "score": points, "description": marks.like("x"),
             "implementationStatus": marks.like("a@b"), "controlCategory": "Data"},
            {"controlName": marks.like("a@b"), "score": 1.0},
        ]  # fmt: skip
        numbers = {"createdDateTime": stamp(now - timedelta(days=back)), "currentScore": points}
        day = {**marks.plant(document, METADATA), **numbers, "id": f"d-{back}", "maxScore": 40.0}
        simulator.control.add_rows(slug, "scores", {**day, "controlScores": rows})
    done = processes.manage("sync", slug, "--source", "secure-score", "--json")
    processes.logs.joinpath("score.log").write_text(done.stdout + done.stderr)
    return dict(json.loads(done.stdout))
