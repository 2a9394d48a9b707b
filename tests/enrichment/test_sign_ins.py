"""Sign-in records: read, matched, counted, pseudonymised."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from enrichment.facts import MatchedBy, Mfa, Prompts
from enrichment.sign_ins import (
    SignIn,
    Wanted,
    facts_of_sign_in,
    match,
    prompts_before,
    read_sign_ins,
)
from tenants.pseudonyms import Pseudonymiser, derive_key
from tests import payloads
from tests.enrichment.records import APP, AT, DENIED, DEVICE, PASSWORD, REQUEST, SILENT, record

PSEUDONYMS = Pseudonymiser([("1", derive_key(b"m" * 32, uuid.UUID(int=1)))])
HERE = frozenset({"203.0.113.7"})


def read(*documents: Any) -> list[SignIn]:
    return read_sign_ins(documents)


def test_a_record_is_read() -> None:
    (one,) = read(record())
    assert (one.id, one.at, one.error_code) == (REQUEST, AT + timedelta(0), 0)
    assert (one.address, one.device_id, one.is_managed_device) == ("203.0.113.7", DEVICE, True)
    assert (one.country, one.city, one.risk, one.is_interactive) == ("DE", "Bonn", "low", True)
    assert (one.mfa, one.method, one.app_name) == (Mfa.PERFORMED, "app", "OfficeHome")


@pytest.mark.parametrize("change", [{"id": None}, {"createdDateTime": "soon"}, {"id": {}}])
def test_a_record_without_id_or_time_is_left_out(change: dict[str, Any]) -> None:
    assert read({**record(), **change}) == []


@pytest.mark.parametrize("name", list(record()))
@pytest.mark.parametrize("value", [None, "", 7, [], {}, "unknownFutureValue", ["x"], {"y": None}])
def test_no_field_has_to_be_there(name: str, value: Any) -> None:
    for one in read({**record(), name: value}):
        assert one.country in ("", "DE")
        assert facts_of_sign_in(one, None, PSEUDONYMS).at == one.at


def test_what_nobody_knows_is_none() -> None:
    (one,) = read({"id": REQUEST, "createdDateTime": "2026-11-20T08:00:00.1234567Z"})
    assert (one.error_code, one.is_interactive, one.is_managed_device) == (None, None, None)
    assert one.mfa is Mfa.UNKNOWN
    assert not one.succeeded


def test_microsofts_own_examples_are_read() -> None:
    (one,) = read(payloads.load("microsoft/signin-get-beta"))
    assert (one.error_code, one.mfa, one.country) == (50126, Mfa.UNKNOWN, "US")
    for name in ("signins-list-beta", "signins-list-beta-service-principal-or-noninteractive"):
        assert read(*payloads.load(f"microsoft/{name}")["value"])


def test_other_kinds_of_sign_in_are_told_by_their_kind() -> None:
    (one,) = read(record(signInEventTypes=["nonInteractiveUser"], isInteractive=True))
    assert one.is_interactive is False
    assert one.mfa is Mfa.CLAIM


# --- which one is it ------------------------------------------------------------------------------


def ids(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_a_request_id_is_the_surest() -> None:
    rows = read(record("a"), record("b", 1))
    found = match(rows, Wanted(AT, request_ids=ids("b"), addresses=HERE))
    assert (found.sign_in, found.by) == (rows[1], MatchedBy.REQUEST)


def test_an_id_that_is_not_there_is_waited_for() -> None:
    for wanted in (
        Wanted(AT, request_ids=ids("z"), addresses=HERE),
        Wanted(AT, correlation_ids=ids("z"), addresses=HERE),
    ):
        found = match(read(record("a")), wanted)
        assert (found.sign_in, found.is_ambiguous) == (None, False)


def test_all_that_is_named_is_waited_for() -> None:
    for wanted in (
        Wanted(AT, request_ids=ids("a", "z"), addresses=HERE),
        Wanted(AT, correlation_ids=ids("c-a", "c-z"), addresses=HERE),
    ):
        found = match(read(record("a")), wanted)
        assert (found.sign_in, found.is_ambiguous) == (None, False)


def test_several_addresses_over_some_time_are_several_sign_ins() -> None:
    there = HERE | {"198.51.100.9"}
    rows = read(record("a"))
    assert match(rows, Wanted(AT, addresses=there, until=AT + timedelta(minutes=4))).is_ambiguous
    for wanted in (
        Wanted(AT, addresses=there, until=AT + timedelta(minutes=3)),
        Wanted(AT, addresses=HERE, until=AT + timedelta(hours=4)),
    ):
        assert match(rows, wanted).sign_in == rows[0]


def test_two_requests_are_no_match() -> None:
    found = match(read(record("a"), record("b")), Wanted(AT, request_ids=ids("a", "b")))
    assert found.is_ambiguous


def test_the_end_of_a_flow_counts_not_the_prompt_that_interrupted_it() -> None:
    rows = read(record("a", error=50074, correlationId="c"), record("b", 1, correlationId="c"))
    found = match(rows, Wanted(AT, correlation_ids=ids("c")))
    assert (found.sign_in, found.by) == (rows[1], MatchedBy.CORRELATION)
    assert match(rows, Wanted(AT, addresses=HERE)).sign_in == rows[1]


def test_one_correlation_id_with_two_ends_is_no_match() -> None:
    rows = read(record("a", correlationId="c"), record("b", 1, correlationId="c"))
    assert match(rows, Wanted(AT, correlation_ids=ids("c"))).is_ambiguous


@pytest.mark.parametrize("minutes", [-3, 0, 2.9])
def test_address_and_time_match_one_alone(minutes: float) -> None:
    rows = read(record("a", minutes), record("b", 0, ipAddress="198.51.100.9"), record("c", 30))
    found = match(rows, Wanted(AT, addresses=HERE))
    assert (found.sign_in, found.by) == (rows[0], MatchedBy.ADDRESS_AND_TIME)


def test_two_from_one_address_are_no_match() -> None:
    found = match(read(record("a"), record("b", 2)), Wanted(AT, addresses=HERE))
    assert (found.sign_in, found.is_ambiguous) == (None, True)


def test_without_an_address_nothing_is_guessed() -> None:
    found = match(read(record("a"), record("b", ipAddress=None)), Wanted(AT))
    assert (found.sign_in, found.is_ambiguous) == (None, False)


def test_the_same_record_twice_is_one() -> None:
    rows = read(record("a"), record("a"))
    assert match(rows, Wanted(AT, addresses=HERE)).sign_in == rows[0]


# --- prompts --------------------------------------------------------------------------------------


def prompts(*before: dict[str, Any]) -> Prompts:
    rows = read(record("it"), *before)
    return prompts_before(rows, rows[0])


def test_refused_and_unanswered_prompts_of_a_day_count() -> None:
    found = prompts(
        record("a", -5, error=500121, steps=[PASSWORD, DENIED]),
        record("a", -5, error=500121, steps=[PASSWORD, DENIED]),
        record("b", -600, error=500121, steps=[PASSWORD, SILENT]),
        record("c", -25 * 60, error=500121, steps=[PASSWORD, DENIED]),
        record("d", 5, error=500121, steps=[PASSWORD, DENIED]),
        record("e", -7, steps=[PASSWORD, APP]),
        record("f", -8, error=50126, steps=[]),
    )
    assert found == Prompts(denied=1, unanswered=1)


def test_a_prompt_that_was_granted_in_the_end_is_no_sign() -> None:
    granted = record("b", -5, correlationId="c")
    assert prompts(record("a", -6, error=50074, correlationId="c"), granted) == Prompts()
    assert prompts(record("a", -6, error=50074)) == Prompts(unanswered=1)


# --- what is kept ---------------------------------------------------------------------------------


def test_facts_hold_pseudonyms_like_those_of_entities() -> None:
    (one,) = read(record())
    facts = facts_of_sign_in(one, MatchedBy.REQUEST, PSEUDONYMS)
    assert facts.request == PSEUDONYMS.pseudonym("logon_request", f"request:{REQUEST}")
    assert facts.address == PSEUDONYMS.pseudonym("ip", "203.0.113.7")
    assert facts.device == PSEUDONYMS.pseudonym("device", DEVICE)
    assert facts.app == PSEUDONYMS.pseudonym("oauth_app", f"app:{one.app_id}")
    assert facts.session is not None
    assert facts.token is not None
    shown = repr(facts)
    for secret in (REQUEST, "203.0.113.7", DEVICE, "Bonn", "OfficeHome", "anna", f"T{REQUEST}"):
        assert secret not in shown


def test_what_is_missing_has_no_pseudonym() -> None:
    (one,) = read(record(ipAddress="", deviceDetail=None, sessionId=None, appId="x"))
    facts = facts_of_sign_in(one, None, PSEUDONYMS)
    assert (facts.address, facts.device, facts.session, facts.app) == (None, None, None, None)
