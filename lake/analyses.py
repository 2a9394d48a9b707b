"""Saved analyses: questions that come up again, as SQL for `manage.py lake query --saved`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Analysis:
    says: str
    sql: str


ANALYSES = {
    "false-positives": Analysis(
        "Detections that people judged at least five times, the most often wrong first.",
        """
SELECT slug, title, source, count(*) AS judged,
  count(*) FILTER (verdict = 'falsePositive') AS false_positive,
  round(100 * count(*) FILTER (verdict = 'falsePositive') / count(*), 1) AS percent
FROM cases JOIN tenants USING (tenant)
WHERE status = 'resolved' AND closed_by = '' AND verdict <> ''
GROUP BY slug, title, source HAVING count(*) >= 5
ORDER BY percent DESC, judged DESC LIMIT 100""",
    ),
    "times": Analysis(
        "Minutes from a case's beginning until a person first touched it, by month and severity.",
        """
SELECT strftime(c.opened_at, '%Y-%m') AS month, c.severity, count(*) AS cases,
  round(avg(epoch(t.first_at - c.opened_at)) / 60, 1) AS mean_min,
  round(median(epoch(t.first_at - c.opened_at)) / 60, 1) AS median_min
FROM cases c JOIN (
  SELECT tenant, case_id, min(happened_at) AS first_at FROM events
  WHERE actor IS NOT NULL GROUP BY ALL) AS t USING (tenant, case_id)
GROUP BY ALL ORDER BY month, severity DESC""",
    ),
    "mfa": Analysis(
        "What multi-factor authentication did in the sign-ins that alerts are about, by verdict.",
        """
SELECT s.mfa, c.verdict, count(*) AS alerts
FROM sign_ins s JOIN alerts a USING (tenant, alert_id) JOIN cases c USING (tenant, case_id)
WHERE s.sign_in_known = 'yes' GROUP BY ALL ORDER BY alerts DESC""",
    ),
    "recurring": Analysis(
        "Things that most cases name, by pseudonym.",
        """
SELECT slug, entity.kind, entity.pseudonym, count(DISTINCT case_id) AS cases
FROM (SELECT tenant, case_id, unnest(entities) AS entity FROM alerts)
JOIN tenants USING (tenant)
GROUP BY ALL HAVING count(DISTINCT case_id) > 1 ORDER BY cases DESC LIMIT 100""",
    ),
    "techniques": Analysis(
        "MITRE ATT&CK techniques by how many true positives show them.",
        """
SELECT technique, count(DISTINCT (tenant, case_id)) AS cases
FROM (SELECT tenant, case_id, unnest(techniques) AS technique FROM alerts)
JOIN cases c USING (tenant, case_id)
WHERE c.verdict = 'truePositive' GROUP BY technique ORDER BY cases DESC LIMIT 50""",
    ),
    "score": Analysis(
        "Secure Score in percent, by day.",
        """
SELECT slug, day, round(100 * points / most_points, 1) AS percent
FROM scores JOIN tenants USING (tenant) WHERE most_points > 0 ORDER BY slug, day""",
    ),
}
