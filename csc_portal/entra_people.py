"""People of the provider's directory: the user for an account, and the rights that mappings give.

A user is found by directory and object id alone. Names and addresses may change hands, so a local
account is never taken over by whoever has its name in the directory.
"""

from __future__ import annotations

import uuid
from functools import lru_cache

from django.conf import settings
from django.db import transaction

from clients.errors import ApiError
from clients.microsoft.id_tokens import Person
from clients.microsoft.sign_in import SignedIn, SignIn
from csc_portal.own_directory import issuer_of, issuer_url, own_issuer
from tenants.audit import record
from tenants.directories import cloud
from tenants.grants import Where, follow_directory
from tenants.models import EntraIdentity, EntraMapping, Grant, User
from tenants.secrets import vault

APP_ROLE, GROUP = EntraMapping.Kind.APP_ROLE, EntraMapping.Kind.GROUP


class Refused(Exception):
    """Who signed in may not come in. `code` is for the audit log, the message for the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_configured() -> bool:
    return bool(issuer_url() and settings.OIDC_CLIENT_ID and settings.OIDC_CLIENT_SECRET_NAME)


def microsoft() -> SignIn:
    """The sign-in with the provider's directory. Raises Refused without usable settings."""
    try:
        url, directory = own_issuer()
    except ValueError as err:
        raise Refused("settings", str(err)) from None
    secret = settings.OIDC_CLIENT_SECRET_NAME
    return _microsoft(url, directory, settings.OIDC_CLIENT_ID, secret)


def arrive(signed_in: SignedIn, client: SignIn) -> User:
    """The user, with the rights that the mappings give now. Raises Refused.

    Somebody without any right gets no row: the directory may have many people.
    """
    person = signed_in.person
    matching = _matching(signed_in, client)
    identity = (
        EntraIdentity.objects.select_related("user")
        .filter(directory_id=person.directory, object_id=person.object_id)
        .first()
    )
    if identity is None and not matching:
        raise _no_role()
    with transaction.atomic():
        identity = identity or _new_identity(person)
        user = identity.user
        if not user.is_active:
            raise Refused("inactive", "Your account in this portal is switched off.")
        if user.first_name != person.name:
            user.first_name, user.last_name = person.name, ""
            user.save(update_fields=["first_name", "last_name"])
        identity.mappings.set(matching)
        follow(identity)
    if not Grant.objects.filter(user=user).exists():
        raise _no_role()
    return user


def follow(identity: EntraIdentity) -> None:
    """Make the user's grants those of the mappings that matched at the last sign-in."""
    rows = identity.mappings.select_related("tenant", "group")
    follow_directory(identity.user, [(row.role, Where(row.tenant, row.group)) for row in rows])


def save_mapping(actor: str, mapping: EntraMapping) -> None:
    """A new or changed mapping. A changed one counts at once, a new one from the next sign-in."""
    with transaction.atomic():
        mapping.save()
        for identity in mapping.identities.select_related("user"):
            follow(identity)
        record(
            actor, "mapping_saved", mapping.tenant, f"mapping {mapping.public_id}", _facts(mapping)
        )


def remove_mapping(actor: str, mapping: EntraMapping) -> None:
    """Takes back at once what it gave."""
    with transaction.atomic():
        identities = list(mapping.identities.select_related("user"))
        tenant, subject, facts = mapping.tenant, f"mapping {mapping.public_id}", _facts(mapping)
        mapping.delete()
        for identity in identities:
            follow(identity)
        record(actor, "mapping_removed", tenant, subject, facts)


def _facts(mapping: EntraMapping) -> dict[str, object]:
    where = mapping.group.slug if mapping.group else "" if mapping.tenant else "all tenants"
    return {"kind": mapping.kind, "role": mapping.role, **({"group": where} if where else {})}


def _matching(signed_in: SignedIn, client: SignIn) -> list[EntraMapping]:
    """The mappings that hold for this person. Too many groups for a token are asked of Graph."""
    mappings = list(EntraMapping.objects.all())
    groups = signed_in.person.groups
    if groups is None:
        asked = {row.value for row in mappings if row.kind == GROUP}
        try:
            groups = client.groups(signed_in, asked) if asked else frozenset()
        except ApiError as err:
            text = (
                "You are in too many groups to be told with the sign-in, and Microsoft Graph did "
                "not say which of them count here. Try again; if it stays so, ask your "
                "administrator to use app roles, or to consent to User.Read."
            )
            raise Refused("groups", text) from err
    held = {APP_ROLE: signed_in.person.roles, GROUP: groups}
    return [row for row in mappings if row.value in held[EntraMapping.Kind(row.kind)]]


def _new_identity(person: Person) -> EntraIdentity:
    name = person.username or f"entra-{person.object_id}"
    if User.objects.filter(username__iexact=name).exists():
        name = f"{name}#{str(person.object_id)[:8]}"
    user = User(username=name[:150], first_name=person.name)
    user.set_unusable_password()
    user.save()
    record(user.username, "user_created", subject=f"user {user.pk}", facts={"by": "directory"})
    return EntraIdentity.objects.create(
        user=user, directory_id=person.directory, object_id=person.object_id
    )


def _no_role() -> Refused:
    text = "You are signed in with Microsoft, but you have no role in this portal. Ask an "
    return Refused("no_role", text + "administrator of the portal to give you one.")


@lru_cache(maxsize=8)
def _microsoft(url: str, directory: uuid.UUID, client_id: str, secret: str) -> SignIn:
    return SignIn(
        issuer_of(url), directory, client_id, cloud().graph,
        lambda: vault().get(secret).value, lambda: vault().forget(secret),
    )  # fmt: skip
