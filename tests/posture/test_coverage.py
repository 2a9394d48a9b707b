"""Which resources count as watched: a table, case by case."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from posture.coverage import UNREAD, Resource, Rule, State, Wanted, Why, explain, judge

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SELF, GROUP, SUBSCRIPTION, OLD_PLACE = (uuid.UUID(int=number) for number in range(1, 5))
KEYS = (SELF, GROUP, SUBSCRIPTION)
LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(seconds=1)

PLAIN = Rule((Wanted("monitored", ("true",)),))
CASED = Rule((Wanted("monitored", ("true",)),), exact_case=True)
ANY_VALUE = Rule((Wanted("soc"),))
VALUES = Rule((Wanted("soc", ("gold", "silver")),))
GROUPED = Rule((Wanted("monitored", ("true",)),), from_group=True)
INHERITED = Rule((Wanted("monitored", ("true",)),), from_group=True, from_subscription=True)
FROM_ABOVE = Rule((Wanted("monitored", ("true",)),), from_subscription=True)
EITHER = Rule((Wanted("monitored", ("true",)), Wanted("soc")))
BOTH = Rule((Wanted("monitored", ("true",)), Wanted("soc")), needs_all=True)
TYPES = Rule(PLAIN.tags, types=frozenset({"microsoft.network/networkwatchers", "vendor.x/*"}))

VM = "Microsoft.Compute/virtualMachines"
YES = {"monitored": "true"}
W, U, E, IG, N = State.WATCHED, State.UNWATCHED, State.EXEMPT, State.IGNORED, State.UNKNOWN


@dataclass(frozen=True)
class Case:
    name: str
    rule: Rule
    state: State
    why: Why
    tags: object = None
    group: object = None
    subscription: object = None
    kind: str = VM
    provisioning: str = "Succeeded"
    exempt: dict[uuid.UUID, datetime] = field(default_factory=dict)


CASES = [
    # the tag itself
    Case("the tag is there", PLAIN, W, Why.TAG, YES),
    Case("beside others", PLAIN, W, Why.TAG, {"env": "prod", **YES}),
    Case("no tags in the document", PLAIN, U, Why.NO_TAGS, None),
    Case("tags are empty", PLAIN, U, Why.NO_TAGS, {}),
    Case("only other tags", PLAIN, U, Why.MISSING, {"env": "prod"}),
    Case("the value is empty", PLAIN, U, Why.EMPTY, {"monitored": ""}),
    Case("the value is blank", PLAIN, U, Why.EMPTY, {"monitored": "  "}),
    Case("the value is null", PLAIN, U, Why.MISSING, {"monitored": None}),
    Case("another value", PLAIN, U, Why.OTHER_VALUE, {"monitored": "false"}),
    Case("a value that begins alike", PLAIN, U, Why.OTHER_VALUE, {"monitored": "true1"}),
    Case("a name that begins alike", PLAIN, U, Why.MISSING, {"monitored2": "true"}),
    Case("a value and no name", PLAIN, U, Why.MISSING, {"env": "true"}),
    # case
    Case("names know no case", PLAIN, W, Why.TAG, {"Monitored": "true"}),
    Case("names in capitals", CASED, W, Why.TAG, {"MONITORED": "true"}),
    Case("values without case", PLAIN, W, Why.TAG, {"monitored": "True"}),
    Case("values with case", CASED, U, Why.OTHER_VALUE, {"monitored": "True"}),
    Case("values with case, the same", CASED, W, Why.TAG, YES),
    Case("blanks around the value", CASED, W, Why.TAG, {"monitored": " true "}),
    Case("other letters, no case", Rule((Wanted("Größe", ("STRASSE",)),)), W, Why.TAG,
         {"GRÖSSE": "straße"}),
    # any value, several values
    Case("any value", ANY_VALUE, W, Why.TAG, {"SOC": "whatever"}),
    Case("any value, but empty", ANY_VALUE, U, Why.EMPTY, {"soc": ""}),
    Case("the first of two values", VALUES, W, Why.TAG, {"soc": "gold"}),
    Case("the second of two values", VALUES, W, Why.TAG, {"soc": "Silver"}),
    Case("none of two values", VALUES, U, Why.OTHER_VALUE, {"soc": "bronze"}),
    # several tags
    Case("either, the second", EITHER, W, Why.TAG, {"soc": "x"}),
    Case("either, none", EITHER, U, Why.MISSING, {"env": "x"}),
    Case("either, one wrong, one right", EITHER, W, Why.TAG, {"monitored": "no", "soc": "x"}),
    Case("both", BOTH, W, Why.TAG, {"monitored": "true", "soc": "x"}),
    Case("both, one missing", BOTH, U, Why.MISSING, YES),
    Case("both, one wrong and one missing", BOTH, U, Why.OTHER_VALUE, {"monitored": "no"}),
    # inheritance
    Case("a group's tag, not inherited", PLAIN, U, Why.NO_TAGS, None, YES),
    Case("a group's tag, inherited", GROUPED, W, Why.GROUP_TAG, None, YES),
    Case("a group's tag, other tags of its own", GROUPED, W, Why.GROUP_TAG, {"env": "x"}, YES),
    Case("a group's other value", GROUPED, U, Why.OTHER_VALUE, {}, {"monitored": "no"}),
    Case("its own 'false' beats the group", GROUPED, U, Why.OTHER_VALUE,
         {"monitored": "false"}, YES),
    Case("its own empty tag beats the group", GROUPED, U, Why.EMPTY, {"monitored": ""}, YES),
    Case("its own null does not", GROUPED, W, Why.GROUP_TAG, {"monitored": None}, YES),
    Case("its own 'true' beats the group", GROUPED, W, Why.TAG, YES, {"monitored": "false"}),
    Case("a subscription's tag, not inherited", GROUPED, U, Why.NO_TAGS, None, {}, YES),
    Case("a subscription's tag, inherited", INHERITED, W, Why.SUBSCRIPTION_TAG, None, None, YES),
    Case("the subscription alone", FROM_ABOVE, U, Why.NO_TAGS, None, YES, {}),
    Case("the group beats the subscription", INHERITED, U, Why.OTHER_VALUE, {},
         {"monitored": "no"}, YES),
    Case("the reason is the resource's", INHERITED, U, Why.MISSING, {"env": "x"}, None, None),
    # exemptions
    Case("exempt itself", PLAIN, E, Why.EXEMPT, exempt={SELF: LATER}),
    Case("exempt by its group", PLAIN, E, Why.EXEMPT, exempt={GROUP: LATER}),
    Case("exempt by its subscription", PLAIN, E, Why.EXEMPT, exempt={SUBSCRIPTION: LATER}),
    Case("an expired exemption", PLAIN, U, Why.EXPIRED, exempt={SELF: EARLIER}),
    Case("an exemption that ends now", PLAIN, U, Why.EXPIRED, exempt={SELF: NOW}),
    Case("one expired, one holds", PLAIN, E, Why.EXEMPT, exempt={SELF: EARLIER, GROUP: LATER}),
    Case("an exemption of another", PLAIN, U, Why.NO_TAGS, exempt={uuid.UUID(int=9): LATER}),
    Case("watched needs no exemption", PLAIN, W, Why.TAG, YES, exempt={SELF: LATER}),
    Case("moved away from its exemption", PLAIN, U, Why.NO_TAGS, exempt={OLD_PLACE: LATER}),
    # moved, deleted, types that don't matter
    Case("moved into a group with the tag", GROUPED, W, Why.GROUP_TAG, {}, YES),
    Case("moved out of a group with the tag", GROUPED, U, Why.MISSING, {"env": "x"}, {}),
    Case("being deleted", PLAIN, IG, Why.DELETED, provisioning="Deleting"),
    Case("a type that doesn't matter", TYPES, IG, Why.TYPE,
         kind="Microsoft.Network/networkWatchers"),
    Case("a family of types", TYPES, IG, Why.TYPE, kind="Vendor.X/things/parts"),
    Case("a type of which another is a part", TYPES, U, Why.NO_TAGS,
         kind="Microsoft.Network/networkWatchers/flowLogs"),
    # answers that are not what they should be
    Case("a filter by tag gives no tags", PLAIN, N, Why.UNREAD, UNREAD),
    Case("not read, but exempt", PLAIN, E, Why.EXEMPT, UNREAD, exempt={SELF: LATER}),
    Case("the group's tags were not read", GROUPED, N, Why.UNREAD, {}, UNREAD),
    Case("tags are a list", PLAIN, U, Why.NOT_TEXT, ["monitored", "true"]),
    Case("tags are a text", PLAIN, U, Why.NOT_TEXT, "monitored=true"),
    Case("a value is a truth", PLAIN, U, Why.NOT_TEXT, {"monitored": True}),
    Case("a value is a number", ANY_VALUE, U, Why.NOT_TEXT, {"soc": 1}),
    Case("a value is an object", ANY_VALUE, U, Why.NOT_TEXT, {"soc": {"a": "b"}}),
    Case("one name twice, one value wrong", PLAIN, U, Why.OTHER_VALUE,
         {"monitored": "true", "Monitored": "false"}),
    Case("hidden tags are no tags", PLAIN, U, Why.NO_TAGS,
         {"hidden-link:/subscriptions/x": "Resource", "hidden-title": "x"}),
    Case("hidden tags beside the tag", PLAIN, W, Why.TAG, {"hidden-title": "x", **YES}),
    Case("a rule can't mean a hidden tag", Rule((Wanted("hidden-title"),)), U, Why.NO_TAGS,
         {"hidden-title": "x"}),
    Case("without a rule nobody knows", Rule(), N, Why.NO_RULE, YES),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table(case: Case) -> None:
    resource = Resource(
        case.kind, case.tags, case.group, case.subscription, case.provisioning, KEYS
    )
    found = judge(resource, case.rule, case.exempt, NOW)
    assert (found.state, found.why) == (case.state, case.why)


def test_the_table_is_long_and_names_every_reason() -> None:
    assert len(CASES) >= 60
    assert {case.why for case in CASES} == set(Why)


def test_reasons_are_sentences_without_values_of_the_customer() -> None:
    assert explain(Why.MISSING, PLAIN) == "The tag monitored=true is missing."
    assert explain(Why.EMPTY, VALUES) == "The tag is there, but empty."
    for why in Why:
        assert explain(why, EITHER).endswith(".")
        assert explain(why, Rule())[0].isupper()
