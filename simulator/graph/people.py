"""Graph users, groups, directory roles and the organization."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator import odata
from simulator.answers import graph_error
from simulator.directory import Directory
from simulator.graph import gate
from simulator.graph.query import Listing, listed
from simulator.store import Document

READ = ("User.Read.All", "Directory.Read.All", "User.ReadWrite.All")
_DEFAULT = (
    "id",
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
)
USERS = Listing(
    name="users",
    type_name="microsoft.graph.user",
    table=lambda directory: directory.users,
    order="createdDateTime",
    schema={
        "id": "string",
        "displayName": "string",
        "userPrincipalName": "string",
        "mail": "string",
        "jobTitle": "string",
        "department": "string",
        "accountEnabled": "bool",
        "userType": "string",
        "givenName": "string",
        "surname": "string",
        "createdDateTime": "date",
        "onPremisesSamAccountName": "string",
    },
    options=frozenset(("$filter", "$top", "$count", "$select", "$orderby", "$search", "$expand")),
    most=999,
)


def shown_user(request: Request, user: Document) -> Any:
    """Default properties unless $select names others; what starts with '_' is ours."""
    names = request.query_params.get("$select")
    wanted = [name.strip() for name in names.split(",")] if names else list(_DEFAULT)
    row = {name: user[name] for name in wanted if name in user and not name.startswith("_")}
    return {"id": user["id"], **row}


async def list_users(request: Request) -> Response:
    directory = gate.enter(request, *READ)
    return listed(request, directory, USERS, lambda user: shown_user(request, user))


async def get_user(request: Request) -> Response:
    directory = gate.enter(request, *READ)
    return gate.reply(request, shown_user(request, _user(request, directory)))


def _user(request: Request, directory: Directory) -> Document:
    wanted = request.path_params["id"].lower()
    for user in directory.users.values():
        if wanted in {user["id"], str(user["userPrincipalName"]).lower()}:
            return user
    text = (
        f"Resource '{request.path_params['id']}' does not exist or one of its queried "
        "reference-property objects are not present."
    )
    raise graph_error(request, 404, "Request_ResourceNotFound", text)


async def member_groups(request: Request) -> Response:
    """POST /users/{id}/checkMemberGroups with {"groupIds": [...]}"""
    directory = gate.enter(request, *READ, "GroupMember.Read.All")
    user = _user(request, directory)
    asked = (await gate.body_of(request)).get("groupIds") or []
    groups = [
        key for key in asked if user["id"] in directory.groups.get(key, {}).get("members", [])
    ]
    return gate.reply(request, {"value": groups})


async def transitive_member_of(request: Request) -> Response:
    directory = gate.enter(request, *READ, "GroupMember.Read.All")
    user = _user(request, directory)
    rows = [
        {"@odata.type": "#microsoft.graph.group", "id": key, "displayName": group["displayName"]}
        for key, group in directory.groups.items()
        if user["id"] in group["members"]
    ]
    rows += [
        {
            "@odata.type": "#microsoft.graph.directoryRole",
            "id": key,
            "displayName": role["displayName"],
            "roleTemplateId": role["roleTemplateId"],
        }
        for key, role in directory.role_members.items()
        if user["id"] in role["members"]
    ]
    return gate.reply(request, {"value": rows})


async def list_groups(request: Request) -> Response:
    directory = gate.enter(request, "GroupMember.Read.All", "Directory.Read.All", "Group.Read.All")
    rows: list[Document] = [
        {key: value for key, value in group.items() if key != "members"}
        for group in directory.groups.values()
    ]
    text = request.query_params.get("$filter")
    if text:
        try:
            keep = odata.parse(
                text, {"displayName": "string", "id": "string"}, "microsoft.graph.group"
            )
        except odata.BadFilter as err:
            raise gate.bad(request, f"Invalid filter clause: {err}") from None
        rows = [row for row in rows if keep(row)]
    return gate.reply(request, {"value": rows})


async def group_members(request: Request) -> Response:
    directory = gate.enter(request, "GroupMember.Read.All", "Directory.Read.All", "Group.Read.All")
    group = directory.groups.get(request.path_params["id"])
    if group is None:
        raise gate.not_found(request)
    return gate.reply(request, {"value": _members(request, directory, group)})


def _members(request: Request, directory: Directory, holder: Document) -> list[Any]:
    return [
        {"@odata.type": "#microsoft.graph.user", **shown_user(request, directory.users[key])}
        for key in holder["members"]
        if key in directory.users
    ]


async def directory_roles(request: Request) -> Response:
    directory = gate.enter(request, "RoleManagement.Read.Directory", "Directory.Read.All")
    rows = [
        {key: value for key, value in role.items() if key != "members"}
        for role in directory.role_members.values()
    ]
    return gate.reply(request, {"value": rows})


async def role_members(request: Request) -> Response:
    directory = gate.enter(request, "RoleManagement.Read.Directory", "Directory.Read.All")
    role = directory.role_members.get(request.path_params["id"])
    if role is None:
        raise gate.not_found(request)
    return gate.reply(request, {"value": _members(request, directory, role)})


async def role_assignments(request: Request) -> Response:
    """GET /roleManagement/directory/roleAssignments, with $expand=principal,roleDefinition"""
    directory = gate.enter(request, "RoleManagement.Read.Directory", "Directory.Read.All")
    expand = request.query_params.get("$expand", "")
    rows = []
    for role in directory.role_members.values():
        for key in role["members"]:
            row = {
                "id": f"{role['id']}-{key}",
                "principalId": key,
                "directoryScopeId": "/",
                "roleDefinitionId": role["roleTemplateId"],
            }
            if "principal" in expand and key in directory.users:
                user = shown_user(request, directory.users[key])
                row["principal"] = {"@odata.type": "#microsoft.graph.user", **user}
            if "roleDefinition" in expand:
                row["roleDefinition"] = {
                    "id": role["roleTemplateId"],
                    "displayName": role["displayName"],
                }
            rows.append(row)
    return gate.reply(request, {"value": rows})


async def organization(request: Request) -> Response:
    directory = gate.enter(request, "Organization.Read.All", "Directory.Read.All", "User.Read.All")
    plans = [
        ("AAD_PREMIUM", "41781fb2-bc02-4b7c-bd55-b576c07bb09d", "entra_id_p1"),
        ("AAD_PREMIUM_P2", "eec0eb4f-6444-4f95-aba0-50c24d67f998", "entra_id_p2"),
        ("WINDEFATP", "871d91ec-ec1a-452b-a83f-bd76c7d770ef", "defender"),
        ("THREAT_INTELLIGENCE", "8e0c0a52-6a6c-4d40-8370-dd62790dcd70", "defender"),
    ]
    held = [
        {"service": plan, "capabilityStatus": "Enabled", "servicePlanId": plan_id}
        for plan, plan_id, licence in plans
        if directory.config["licences"].get(licence)
    ]
    row = {
        "id": directory.guid,
        "displayName": directory.config["name"],
        "tenantType": "AAD",
        "countryLetterCode": "CH",
        "verifiedDomains": [
            {"name": directory.domain, "isDefault": True, "isInitial": False, "type": "Managed"}
        ],
        "assignedPlans": held,
    }
    return gate.reply(request, {"value": [row]})
