"""What a customer consists of: people, machines, addresses, cloud resources. Made from a seed."""

import uuid
from dataclasses import dataclass
from random import Random

from simulator.stories import names

Place = tuple[str, str, str, str, float, float]
Agent = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Person:
    oid: str
    given: str
    surname: str
    upn: str
    sam: str
    sid: str
    ad_guid: str
    title: str
    department: str
    vip: bool
    rid: int

    @property
    def name(self) -> str:
        return f"{self.given} {self.surname}"


@dataclass(frozen=True, slots=True)
class Machine:
    mde_id: str
    aad_id: str
    host: str
    fqdn: str
    os: str
    build: int
    version: str
    inside_ip: str
    group: str
    vm_resource: str = ""


@dataclass(frozen=True, slots=True)
class App:
    app_id: str
    object_id: str
    name: str
    publisher: str


@dataclass(frozen=True, slots=True)
class Estate:
    guid: str
    slug: str
    domain: str
    netbios: str
    ad_domain: str
    people: tuple[Person, ...]
    machines: tuple[Machine, ...]  # one a person, same order
    servers: tuple[Machine, ...]
    apps: tuple[App, ...]
    office_ips: tuple[str, ...]
    place: Place
    subscription: str

    @property
    def staff(self) -> tuple[Person, ...]:
        return tuple(person for person in self.people if not person.vip)

    @property
    def vips(self) -> tuple[Person, ...]:
        return tuple(person for person in self.people if person.vip)

    def machine_of(self, person: Person) -> Machine:
        return self.machines[self.people.index(person)]

    def resource(self, kind: str, name: str, group: str = "rg-prod") -> str:
        """An Azure resource id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def guid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def hex_of(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(digits * 4):0{digits}x}"


def build(directory_guid: str, slug: str, domain: str, index: int, seed: int) -> Estate:
    rng = Random(f"estate-{seed}-{slug}")
    netbios = "".join(part for part in slug.upper() if part.isalnum())[:15]
    ad_domain = f"corp.{domain}"
    sid_base = "S-1-5-21-" + "-".join(str(rng.randrange(10**9, 4 * 10**9)) for _ in range(3))
    subscription = guid(rng)
    people = _people(rng, domain, sid_base)
    return Estate(
        guid=directory_guid,
        slug=slug,
        domain=domain,
        netbios=netbios,
        ad_domain=ad_domain,
        people=people,
        machines=tuple(
            _machine(rng, _host(rng, netbios, place), ad_domain, "Clients")
            for place in range(len(people))
        ),
        servers=_servers(rng, ad_domain, subscription),
        apps=_apps(rng),
        office_ips=(
            f"203.0.113.{10 + index % 200}",
            f"203.0.113.{11 + index % 200}",
            f"2001:db8:{index + 1:x}::25",
        ),
        place=names.HOME[index % len(names.HOME)],
        subscription=subscription,
    )


def _people(rng: Random, domain: str, sid_base: str) -> tuple[Person, ...]:
    order = list(names.PEOPLE)
    rng.shuffle(order)
    made = []
    for place, (given, surname, local) in enumerate(order):
        vip = place < len(names.LEADERS)
        title, department = names.LEADERS[place] if vip else names.STAFF[place % len(names.STAFF)]
        made.append(
            Person(
                oid=guid(rng),
                given=given,
                surname=surname,
                upn=f"{local}@{domain}",
                sam=local[:20],
                sid=f"{sid_base}-{1100 + place}",
                ad_guid=guid(rng),
                title=title,
                department=department,
                vip=vip,
                rid=1100 + place,
            )
        )
    return tuple(made)


def _host(rng: Random, netbios: str, place: int) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
    if place % 3 == 0:
        return "DESKTOP-" + "".join(rng.choice(letters) for _ in range(7))
    return (
        f"{netbios[:3]}-LT-{rng.randrange(1000, 9999)}"
        if place % 3 == 1
        else f"w11-{netbios[:4].lower()}-{place:03d}"
    )


def _machine(rng: Random, host: str, ad_domain: str, group: str) -> Machine:
    windows = rng.choice(
        (
            ("Windows11", 26200, "25H2"),
            ("Windows11", 22631, "23H2"),
            ("Windows10", 19045, "22H2"),
            ("macOS", 25, "26.1"),
        )
    )
    return Machine(
        mde_id=hex_of(rng, 40),
        aad_id=guid(rng),
        host=host,
        fqdn=f"{host.lower()}.{ad_domain}",
        os=windows[0],
        build=windows[1],
        version=windows[2],
        inside_ip=f"10.{rng.randrange(10, 60)}.{rng.randrange(256)}.{rng.randrange(2, 254)}",
        group=group,
    )


def _servers(rng: Random, ad_domain: str, subscription: str) -> tuple[Machine, ...]:
    made: list[Machine] = []
    for host, system in (
        ("DC01", "WindowsServer2022"),
        ("DC02", "WindowsServer2022"),
        ("SRV-FILE01", "WindowsServer2019"),
        ("SRV-SQL01", "WindowsServer2022"),
        ("web-prod-01", "Linux"),
        ("SRV-AADC01", "WindowsServer2022"),
    ):
        group = f"/subscriptions/{subscription}/resourceGroups/rg-prod"
        vm = f"{group}/providers/Microsoft.Compute/virtualMachines/{host}"
        made.append(
            Machine(
                mde_id=hex_of(rng, 40),
                aad_id=guid(rng),
                host=host,
                fqdn=f"{host.lower()}.{ad_domain}",
                os=system,
                build=20348,
                version="Other",
                inside_ip=f"10.1.0.{len(made) + 10}",
                group="Servers",
                vm_resource=vm if host in {"web-prod-01", "SRV-SQL01"} else "",
            )
        )
    return tuple(made)


def _apps(rng: Random) -> tuple[App, ...]:
    listed = (
        ("Contract Signer", "Unverified Publisher Ltd"),
        ("PDF Turbo Reader", "pdfturbo"),
        ("Backup Sync Service", "Internal"),
        ("Payroll Connector", "Internal"),
        ("Mail Merge Pro", "mm-pro"),
    )
    return tuple(App(guid(rng), guid(rng), name, publisher) for name, publisher in listed)
