"""Which ticket fields Freshservice takes, and its words for the rest."""

import re
from typing import Any

Error = tuple[str, str, str]
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+$|[^@\s]+@localhost$")
_CHOICES = {
    "status": (2, 3, 4, 5),
    "priority": (1, 2, 3, 4),
    "urgency": (1, 2, 3),
    "impact": (1, 2, 3),
    "source": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18),
}
_KINDS: dict[str, tuple[type, ...]] = {
    "subject": (str,),
    "description": (str,),
    "email": (str,),
    "phone": (str,),
    "name": (str,),
    "type": (str,),
    "category": (str,),
    "sub_category": (str,),
    "item_category": (str,),
    "due_by": (str,),
    "fr_due_by": (str,),
    "requester_id": (int,),
    "responder_id": (int,),
    "group_id": (int,),
    "department_id": (int,),
    "email_config_id": (int,),
    "workspace_id": (int,),
    "tags": (list,),
    "cc_emails": (list,),
    "assets": (list,),
    "custom_fields": (dict,),
    "status": (int,),
    "priority": (int,),
    "urgency": (int,),
    "impact": (int,),
    "source": (int,),
    "requested_for_id": (int,),
}
_NAMES = {str: "String", int: "Integer", list: "Array", dict: "key/value pair"}
LONGEST_SUBJECT = 255
LONGEST_TAG = 255


def errors_of(body: dict[str, Any], creating: bool) -> list[Error]:
    """(field, message, code) of everything that is wrong; [] when the ticket is fine."""
    found = _missing(body) if creating else []
    for name, value in body.items():
        if name not in _KINDS:
            found.append((name, "Unexpected/invalid field in request", "invalid_field"))
        elif value is not None:
            found.extend(_wrong(name, value))
    return found


def _missing(body: dict[str, Any]) -> list[Error]:
    found: list[Error] = []
    for name in ("subject", "description"):
        if not body.get(name):
            found.append((name, "It should be a/an String", "missing_field"))
    for name in ("status", "priority"):
        if body.get(name) is None:
            choices = ",".join(str(choice) for choice in _CHOICES[name])
            found.append((name, f"It should be one of these values: '{choices}'", "missing_field"))
    if not any(body.get(name) for name in ("requester_id", "email", "phone")):
        text = "Please fill at least 1 of the following fields: requester_id, email, phone"
        found.append(("requester_id", text, "missing_field"))
    elif body.get("phone") and not (
        body.get("name") or body.get("email") or body.get("requester_id")
    ):
        found.append(("name", "It should be a/an String", "missing_field"))
    return found


def _wrong(name: str, value: Any) -> list[Error]:
    kinds: Any = _KINDS[name]
    if not isinstance(value, kinds) or isinstance(value, bool):
        return [(name, f"It should be a/an {_NAMES[kinds[0]]}", "datatype_mismatch")]
    if name in _CHOICES and value not in _CHOICES[name]:
        choices = ",".join(str(choice) for choice in _CHOICES[name])
        return [(name, f"It should be one of these values: '{choices}'", "invalid_value")]
    if name == "email" and not _MAIL.match(value):
        return [(name, "It should be a valid email address", "invalid_value")]
    if name == "subject" and len(value) > LONGEST_SUBJECT:
        text = f"Has {len(value)} characters, it can have maximum of {LONGEST_SUBJECT} characters"
        return [(name, text, "invalid_size")]
    if name == "type" and value != "Incident":
        return [(name, "It should be one of these values: 'Incident'", "invalid_value")]
    if name == "cc_emails" and not all(isinstance(one, str) and _MAIL.match(one) for one in value):
        return [
            (name, "It should contain elements of type valid email format only", "invalid_value")
        ]
    if name == "tags":
        if not all(isinstance(tag, str) for tag in value):
            return [(name, "It should contain elements of type String only", "datatype_mismatch")]
        if any(len(tag) > LONGEST_TAG or "," in tag for tag in value):
            return [
                (
                    name,
                    f"It should only contain elements that have maximum of {LONGEST_TAG} "
                    "characters",
                    "invalid_value",
                )
            ]
    return []
