"""Single people and things that somebody made a VIP or a crown jewel on their page.

They stand in classes of their own, beside uploaded lists and groups, which replace their members.
Inside the tenant's scope.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from alerts.assets import Refused
from alerts.marks import marks_of_entities
from alerts.members import open_cases
from alerts.models import AssetClass, AssetMember, Entity, EntityKey
from alerts.records import Kind
from alerts.rejudge import judge_again

MOST_KEYS = 200
_VIP, _JEWEL = str(AssetClass.Kind.VIP), str(AssetClass.Kind.CROWN_JEWEL)
_PEOPLE = ("VIPs set by hand", _VIP, str(AssetClass.Holds.PEOPLE))
_DEVICES = ("Devices set by hand", _JEWEL, str(AssetClass.Holds.DEVICES))
_APPS = ("Apps set by hand", _JEWEL, str(AssetClass.Holds.APPS))
_DATA = ("Data set by hand", _JEWEL, str(AssetClass.Holds.DATA))
_CLASSES: Mapping[str, tuple[str, str, str]] = {
    Kind.USER: _PEOPLE,
    Kind.DEVICE: _DEVICES,
    Kind.IOT_DEVICE: _DEVICES,
    Kind.CLOUD_APP: _APPS,
    Kind.OAUTH_APP: _APPS,
    Kind.SERVICE_PRINCIPAL: _APPS,
    Kind.MAILBOX: _DATA,
    Kind.FILE: _DATA,
    Kind.BLOB: _DATA,
    Kind.BLOB_CONTAINER: _DATA,
    Kind.CLOUD_RESOURCE: _DATA,
}


def class_for(kind: str) -> str:
    """VIP or crown jewel: what a thing of this kind can be; "" if neither."""
    return _CLASSES[kind][1] if kind in _CLASSES else ""


@transaction.atomic
def set_by_hand(entity_id: int, *, is_on: bool) -> tuple[str, ...]:
    """Into the class of its kind, or out of it; the classes that it stands in then. Twice is once.

    Raises Refused.
    """
    entity = Entity.objects.filter(pk=entity_id).first()
    if entity is None or not class_for(entity.kind):
        raise Refused("This can't be a VIP or a crown jewel.")
    name, kind, holds = _CLASSES[entity.kind]
    found, _ = AssetClass.objects.get_or_create(name=name, defaults={"kind": kind, "holds": holds})
    keys = EntityKey.objects.filter(entity_id=entity_id, is_identity=True)
    known = keys.values_list("pseudonym", flat=True)[:MOST_KEYS]
    pseudonyms = list(dict.fromkeys([*known, entity.pseudonym]))
    before = open_cases(found.pk)
    if is_on:
        AssetMember.objects.bulk_create(
            (
                AssetMember(asset_class=found, pseudonym=one, member=entity.pseudonym)
                for one in pseudonyms
            ),
            ignore_conflicts=True,
        )
    else:
        AssetMember.objects.filter(asset_class=found, pseudonym__in=pseudonyms).delete()
    judge_again(before | open_cases(found.pk))
    marks = marks_of_entities([entity_id]).get(entity_id, ())
    return tuple(dict.fromkeys(mark.asset_class for mark in marks))
