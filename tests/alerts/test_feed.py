"""Documents that the database can't hold are set aside alone."""

from __future__ import annotations

import pytest

from alerts.feed import take_documents
from alerts.models import Alert, Quarantined
from tenants.scope import scope
from tests.alerts.documents import alert, user


@pytest.mark.parametrize(
    "odd",
    [
        {"title": "half a pair \ud800 in the title"},
        {"title": "a NUL \x00 in the title", "productName": "x\x00y"},
        {"createdDateTime": "9999-12-31T23:59:59.9999999Z"},
        {"createdDateTime": "0001-01-01T00:00:00Z"},
        {"severity": {"a": 1}, "status": [1], "incidentId": 7.5},
        {"evidence": {"a": {"b": [None, 1, "x", {"@odata.type": 7}]}}},
        {"evidence": "text", "mitreTechniques": "T1566", "categories": 3},
    ],
)
def test_an_odd_document_never_stops_its_page(qa, pseudonymiser, odd):
    page = [alert("a1", user("anna")), alert("odd", user("bert")) | odd, alert("a2", user("carl"))]
    counts, newest = take_documents(qa, page, pseudonymiser)
    with scope(qa):
        stored = set(Alert.objects.values_list("provider_id", flat=True))
        assert stored >= {"a1", "a2"}
        assert Quarantined.objects.count() == 3 - len(stored)
    assert counts.new + counts.quarantined == 3
    assert newest is not None
