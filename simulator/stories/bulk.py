"""Many plain alerts at once, for load tests: quick to make, each with its own entities."""

from collections.abc import Iterator
from datetime import timedelta

from simulator.store import Document
from simulator.stories.script import Script

KINDS = (
    "unfamiliar",
    "pua",
    "url_click",
    "hidden_file",
    "impossible_travel",
    "encoded_powershell",
    "dlp_mail",
    "ssh_brute_force",
)


def bulk_alerts(script: Script, count: int, hours: float) -> Iterator[Document]:
    estate, make, rng = script.estate, script.make, script.rng
    for number in range(count):
        person = rng.choice(estate.people)
        machine = estate.machine_of(person)
        at = script.start + timedelta(hours=hours * number / count)
        address = f"198.51.{rng.randrange(1, 255)}.{rng.randrange(1, 255)}"
        key = KINDS[number % len(KINDS)]
        evidence = [make.user(person, at), make.ip(address, at)]
        if key in {"pua", "hidden_file", "encoded_powershell"}:
            evidence += [
                make.device(machine, at, person),
                make.file(f"sample{number}.exe", "C:\\Temp", at, machine),
            ]
        yield script.alert(
            key,
            at,
            evidence,
            kind="bulk",
            incident=str(number // 4),
            user=person.name,
            host=machine.host,
            extra=f"item {number}",
        )
