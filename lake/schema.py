"""What the lake holds: tables, columns and what they mean. `docs/lake.md` is checked against it.

Columns are only ever added, each of a version; what older files lack reads as null. Texts are of
closed lists, scrubbed titles, Microsoft's own words for products, or pseudonyms.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

VERSION = 1
TEXT, WHOLE, SMALL, FLAG = pa.string(), pa.int64(), pa.int16(), pa.bool_()
SHARE, DAY, TIME = pa.float64(), pa.date32(), pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: pa.DataType
    says: str
    since: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """`key`: the column that tells rows apart. A row that changes comes again, with the same key
    and a higher `change`; the newest counts. `is_forgotten`: the database deletes old rows of it.
    """

    name: str
    says: str
    key: str
    columns: tuple[Column, ...]
    is_forgotten: bool = False

    @property
    def arrow(self) -> pa.Schema:
        return pa.schema([(one.name, one.type) for one in (*COMMON, *self.columns)])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.columns)


COMMON = (
    Column("tenant", TEXT, "The tenant's public id"),
    Column("change", WHOLE, "Id of the database's transaction that wrote the row; rises"),
)
"""In every table, before its own columns."""

_ENTITY = pa.struct([("kind", TEXT), ("pseudonym", TEXT)])
_AVERAGE = pa.struct([("basis", TEXT), ("percent", SHARE)])
_CONTROL = pa.struct([("name", TEXT), ("points", SHARE), ("most", SHARE)])


def is_of_records(kind: pa.DataType) -> bool:
    """Lists of records come as JSON from a database."""
    return bool(pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))


ALERTS = Table(
    "alerts",
    "Alerts of Microsoft's products, as they are known now.",
    "alert_id",
    (
        Column("alert_id", WHOLE, "The portal's number of the alert"),
        Column("case_id", WHOLE, "The case that it is in; null: none yet"),
        Column("title", TEXT, "Scrubbed of every entity's value"),
        Column("category", TEXT, "Microsoft's word"),
        Column("techniques", pa.list_(TEXT), "MITRE ATT&CK ids"),
        Column("severity", SMALL, "0 unknown, 1 informational, 2 low, 3 medium, 4 high"),
        Column("status", TEXT, "Microsoft's word: new, inProgress, resolved ..."),
        Column("classification", TEXT, "Microsoft's word: truePositive, falsePositive ..."),
        Column("determination", TEXT, "Microsoft's word"),
        Column("service_source", TEXT, "Product family, as Microsoft names it"),
        Column("detection_source", TEXT, "What detected it, as Microsoft names it"),
        Column("product", TEXT, "Product, as Microsoft names it"),
        Column("detector_id", TEXT, "Microsoft's id of the detection"),
        Column("pillars", SMALL, "Bits: 1 identity, 2 device, 4 app, 8 data, 16 infrastructure"),
        Column("created_at", TIME, "When Microsoft made the alert"),
        Column("updated_at", TIME, "When Microsoft changed it last"),
        Column("activity_at", TIME, "First activity that it tells of, else its creation"),
        Column("last_activity_at", TIME, "Last activity that it tells of"),
        Column("ingested_at", TIME, "When the portal first stored it"),
        Column("joined_by", TEXT, "Why it is in its case: incident, entity, overlap, hand ..."),
        Column("duplicate_of", WHOLE, "Alert that reported the same event before; null: none"),
        Column("entities", pa.list_(_ENTITY), "What it names: kind and pseudonym"),
    ),
)
CASES = Table(
    "cases",
    "What belongs together: the unit that people work on.",
    "case_id",
    (
        Column("case_id", WHOLE, "The portal's number of the case"),
        Column("public_id", TEXT, "Its id in addresses of the portal"),
        Column("status", TEXT, "new, in_progress, resolved, merged"),
        Column("verdict", TEXT, "truePositive, informationalExpectedActivity, falsePositive or ''"),
        Column("determination", TEXT, "Microsoft's word for what it was"),
        Column("verdict_reason", TEXT, "Why it was a false positive, of a closed list"),
        Column("closed_by", TEXT, "proof, rule or suppressed if the portal closed it; else ''"),
        Column("title", TEXT, "Of its worst alert, scrubbed of every entity's value"),
        Column("category", TEXT, "Of its worst alert"),
        Column("source", TEXT, "Product family of its worst alert"),
        Column("severity", SMALL, "0 unknown, 1 informational, 2 low, 3 medium, 4 high"),
        Column("priority", SMALL, "0 to 100"),
        Column("pillars", SMALL, "Bits, as of an alert"),
        Column("is_vip", FLAG, "Names a person who counts for more"),
        Column("alert_count", WHOLE, "Alerts in it"),
        Column("entity_count", WHOLE, "Different things that they name"),
        Column("assignee", WHOLE, "Number of the portal's user who has it; null: nobody"),
        Column("merged_into", WHOLE, "Case that goes on instead; null: none"),
        Column("continues", WHOLE, "Case that it continues, which was full; null: none"),
        Column("has_ticket", FLAG, "A ticket was made of it"),
        Column("first_activity_at", TIME, "First activity of its alerts"),
        Column("last_activity_at", TIME, "Last activity of its alerts"),
        Column("opened_at", TIME, "When the portal made it"),
        Column("changed_at", TIME, "When it changed last"),
    ),
)
EVENTS = Table(
    "events",
    "What happened to cases, line by line: by people, the portal, the ticket system, Microsoft. "
    "The view `verdicts` shows those that set a verdict.",
    "event_id",
    (
        Column("event_id", WHOLE, "Number of the event"),
        Column("case_id", WHOLE, "The case that it happened to"),
        Column("happened_at", TIME, "When"),
        Column("actor", WHOLE, "Number of the portal's user; null: no person of the portal"),
        Column("kind", TEXT, "assigned, started, resolved, reopened, judged, commented ..."),
        Column("status", SMALL, "Set to: 0 new, 1 in progress, 2 resolved; null: as before"),
        Column("verdict", TEXT, "Set to; null: as before"),
        Column("determination", TEXT, "Set to; null: as before"),
        Column("verdict_reason", TEXT, "Set to; null: as before"),
        Column("assignee", WHOLE, "Number of the user that it was given to; null: as before"),
    ),
)
DECISIONS = Table(
    "decisions",
    "What the portal decided about cases by itself, and on what basis.",
    "decision_id",
    (
        Column("decision_id", WHOLE, "Number of the decision"),
        Column("case_id", WHOLE, "The case that it is about"),
        Column("decided_at", TIME, "When"),
        Column("outcome", TEXT, "raised, waiting, closed, would_close, suppressed, snoozed ..."),
        Column("basis", TEXT, "proof, rule, suppression, evidence or default"),
        Column("rule", TEXT, "Id of the rule or suppression; null: none"),
        Column("rule_version", WHOLE, "Which version of it"),
        Column("priority", SMALL, "0 to 100"),
        Column("reasons", pa.list_(TEXT), "Codes of the reasons"),
    ),
)
SIGN_INS = Table(
    "sign_ins",
    "What was found out about the sign-in and the user behind an alert.",
    "alert_id",
    (
        Column("alert_id", WHOLE, "The alert"),
        Column("asked_at", TIME, "When Microsoft was asked last; null: never"),
        Column("person", TEXT, "Pseudonym of the user; null: none or several"),
        Column("sign_in_known", TEXT, "yes, pending, unknown, not_asked, no_licence ..."),
        Column("signed_in_at", TIME, "When the sign-in was"),
        Column("matched_by", TEXT, "How it was found: request_id, correlation_id ..."),
        Column("error_code", WHOLE, "0: it succeeded"),
        Column("mfa", TEXT, "performed, claim, not_required, denied, unanswered, unknown"),
        Column("method", TEXT, "Kind of second factor, or ''"),
        Column("is_phishing_resistant", FLAG, "Whether that factor is"),
        Column("is_interactive", FLAG, "A person was there; null: unknown"),
        Column("is_managed_device", FLAG, "null: unknown"),
        Column("country", TEXT, "ISO 3166 code, or ''"),
        Column("risk", TEXT, "Microsoft's level during the sign-in, or ''"),
        Column("address", TEXT, "Pseudonym of the IP address"),
        Column("device", TEXT, "Pseudonym of the device"),
        Column("app", TEXT, "Pseudonym of the application"),
        Column("prompts_denied", WHOLE, "Prompts that the user refused in the hours before"),
        Column("prompts_unanswered", WHOLE, "Prompts that nobody answered"),
        Column("person_risk", TEXT, "Identity Protection's level of the user; null: not known"),
        Column("risky_changes", pa.list_(TEXT), "Directory changes worth knowing, in our words"),
    ),
)
SCORES = Table(
    "scores",
    "Microsoft Secure Score, a row a day.",
    "day",
    (
        Column("day", DAY, "The day that Microsoft counted it for"),
        Column("points", SHARE, "Points"),
        Column("most_points", SHARE, "Points that can be had"),
        Column("licensed_users", WHOLE, "null: unknown"),
        Column("averages", pa.list_(_AVERAGE), "Microsoft's averages of others, in percent"),
        Column("controls", pa.list_(_CONTROL), "Points of each control, and the most it can give"),
    ),
    is_forgotten=True,
)
COVERAGE = Table(
    "coverage",
    "What a reading of the Azure inventory amounted to.",
    "read_id",
    (
        Column("read_id", WHOLE, "Number of the reading"),
        Column("is_full", FLAG, "All was read, not only changes"),
        Column("is_complete", FLAG, "It came to its end"),
        Column("began_at", TIME, "When it began"),
        Column("ended_at", TIME, "When it ended; null: not yet"),
        Column("watched", WHOLE, "Resources that the tenant's rule calls watched"),
        Column("unwatched", WHOLE, "Resources that should be watched"),
        Column("exempt", WHOLE, "Resources that need not be for a time"),
        Column("ignored", WHOLE, "Resources of kinds that do not matter"),
        Column("unknown", WHOLE, "Resources whose tags could not be read"),
    ),
    is_forgotten=True,
)

TABLES = {
    one.name: one for one in (ALERTS, CASES, EVENTS, DECISIONS, SIGN_INS, SCORES, COVERAGE)
}  # fmt: skip
