"""The audit log in the database: nobody changes it, and what was changed anyway is found."""

from __future__ import annotations

import io
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from tenants import audit_seals
from tenants.audit import record
from tenants.audit_proof import BadArchive, archive, forget_archived, verify, verify_file
from tenants.audit_seals import head, seal_new
from tenants.models import AuditArchive, AuditEntry, AuditSeal, Tenant
from tenants.scope import owner, scope

pytestmark = pytest.mark.usefixtures("simulator", "db")
TABLES = ("tenants_auditentry", "tenants_auditseal", "tenants_auditarchive")
OFF = tuple(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in TABLES)
ON = tuple(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in TABLES)


def write(count: int = 3, days: int = 0) -> list[int]:
    """Entries of so many days ago."""
    ids = []
    for number in range(count):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tenants_auditentry (at, actor, action, subject, facts) "
                "VALUES (%s, %s, 'tested', '', '{\"n\": 1.50, \"é\": null}') RETURNING id",
                [timezone.now() - timedelta(days=days, seconds=-number), f"user-{number}"],
            )
            ids.append(cursor.fetchone()[0])
    return ids


def break_in(*statements: str) -> None:
    """What somebody can do who has the whole database."""
    with owner(), connection.cursor() as cursor:
        for statement in (*OFF, *statements, *ON):
            cursor.execute(statement)


def start_anew() -> None:
    """Tests with other processes may have left entries."""
    break_in(*(f"DELETE FROM {table}" for table in reversed(TABLES)))


def attempt(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


class TestAppendOnly:
    """Neither the portal, nor a tenant, nor the owner of the tables."""

    STATEMENTS = (
        *(f"{verb} {table}" for table in TABLES for verb in ("DELETE FROM", "TRUNCATE")),
        "UPDATE tenants_auditentry SET actor = 'nobody'",
        "UPDATE tenants_auditentry SET facts = '{}' WHERE false",
        "UPDATE tenants_auditseal SET mac = ''",
        "UPDATE tenants_auditarchive SET last = 99",
        "INSERT INTO tenants_auditseal (seq, entry_id, mac, key) VALUES (1, 1, '', '') "
        "ON CONFLICT (seq) DO UPDATE SET mac = ''",
        "MERGE INTO tenants_auditentry e USING (SELECT 1 AS one) s ON true "
        "WHEN MATCHED THEN UPDATE SET actor = 'nobody'",
    )

    @pytest.mark.parametrize("statement", STATEMENTS)
    @pytest.mark.parametrize("who", ["portal", "tenant", "owner"])
    def test_it_is_refused(self, who: str, statement: str, qa: Tenant) -> None:
        write()
        seal_new()
        standing = {"portal": None, "tenant": scope(qa), "owner": owner()}[who]
        if standing is None:
            with pytest.raises(DatabaseError):
                attempt(statement)
        else:
            with standing, pytest.raises(DatabaseError):
                attempt(statement)
        assert verify().broken is None

    @pytest.mark.parametrize("table", TABLES)
    def test_a_tenant_reads_nothing(self, table: str, qa: Tenant) -> None:
        with scope(qa), pytest.raises(DatabaseError):
            attempt(f"SELECT * FROM public.{table}")


class TestChain:
    def test_entries_are_sealed_once_and_in_order(self) -> None:
        ids = write(5)
        assert seal_new() >= 5
        assert seal_new() == 0
        seals = AuditSeal.objects.filter(entry_id__in=ids).order_by("seq")
        assert list(seals.values_list("entry_id", flat=True)) == ids
        proof = verify()
        assert (proof.broken, proof.unsealed) == (None, 0)
        assert proof.head == head()[:2]

    def test_many_need_several_batches(self, monkeypatch) -> None:
        monkeypatch.setattr(audit_seals, "BATCH", 3)
        write(8)
        seal_new()
        assert verify().unsealed == 0

    def test_one_that_committed_late_is_sealed_too(self, monkeypatch) -> None:
        """Its id is lower than those of the head: far lower ones are found by the daily look."""
        late, *_ = write(1)
        seal_new()
        (sealed,) = AuditSeal.objects.filter(entry_id=late)
        break_in(f"DELETE FROM tenants_auditseal WHERE seq = {sealed.seq}")
        newer = write(1)
        monkeypatch.setattr(audit_seals, "LATE", 0)
        AuditSeal.objects.create(
            seq=sealed.seq, entry_id=newer[0], mac=b"", key=sealed.key
        )  # the head has gone on
        assert seal_new() == 0
        assert seal_new(everything=True) == 1
        assert AuditSeal.objects.get(entry_id=late).seq == sealed.seq + 1

    @pytest.mark.parametrize(
        ("statement", "why"),
        [
            ("UPDATE tenants_auditentry SET actor = 'nobody' WHERE id = {id}", "changed"),
            ("UPDATE tenants_auditentry SET at = at + interval '1 us' WHERE id = {id}", "changed"),
            ("UPDATE tenants_auditentry SET facts = '{{}}' WHERE id = {id}", "changed"),
            ("UPDATE tenants_auditentry SET tenant_id = 1 WHERE id = {id}", "changed"),
            ("DELETE FROM tenants_auditentry WHERE id = {id}", "entry is missing"),
            ("DELETE FROM tenants_auditseal WHERE entry_id = {id}", "seal is missing"),
            ("UPDATE tenants_auditseal SET mac = sha256('x') WHERE entry_id = {id}", "changed"),
            ("UPDATE tenants_auditseal SET key = 'other' WHERE entry_id = {id}", "version"),
        ],
    )
    def test_what_was_changed_is_found_first(self, statement: str, why: str) -> None:
        ids = write(4)
        seal_new()
        seq = AuditSeal.objects.get(entry_id=ids[1]).seq
        break_in(statement.format(id=ids[1]))
        broken = verify().broken
        assert broken is not None
        assert (broken.seq, why in broken.why) == (seq, True)

    def test_a_cut_end_is_found_by_who_noted_the_head(self) -> None:
        ids = write(4)
        seal_new()
        noted = verify().head
        assert verify(noted).broken is None
        break_in(
            f"DELETE FROM tenants_auditentry WHERE id >= {ids[2]}",
            f"DELETE FROM tenants_auditseal WHERE entry_id >= {ids[2]}",
        )
        assert verify().broken is None  # as docs/architecture.md says
        broken = verify(noted).broken
        assert broken is not None
        assert "end of the chain" in broken.why
        write(4)
        seal_new()
        other = verify(noted).broken
        assert other is not None
        assert "not the seal that was noted" in other.why

    def test_one_put_in_behind_our_back_is_found(self) -> None:
        old, *_ = write(1, days=2)
        write(2)
        seal_new()
        break_in(f"DELETE FROM tenants_auditseal WHERE entry_id = {old}")
        proof = verify()
        assert proof.broken is not None

    def test_cut_beginning_is_found(self) -> None:
        ids = write(3)
        seal_new()
        break_in(
            f"DELETE FROM tenants_auditentry WHERE id <= {ids[0]}",
            f"DELETE FROM tenants_auditseal WHERE entry_id <= {ids[0]}",
        )
        broken = verify().broken
        assert broken is not None
        assert broken.seq == 1


@pytest.mark.usefixtures("committed")
class TestWriters:
    def test_writers_and_sealers_at_once_make_one_chain(self) -> None:
        barrier = threading.Barrier(6)

        def run(number: int) -> None:
            barrier.wait()
            try:
                for turn in range(15):
                    if number < 4:
                        record(f"writer-{number}", "tested", facts={"turn": turn})
                    else:
                        seal_new()
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seal_new()
        try:
            proof = verify()
            assert (proof.broken, proof.unsealed) == (None, 0)
            assert AuditEntry.objects.filter(actor__startswith="writer-").count() == 60
        finally:
            start_anew()


class TestArchive:
    @pytest.fixture
    def old(self) -> list[int]:
        start_anew()
        ids = write(4, days=400)
        seal_new()
        return ids

    def store(self, days: int = 365) -> bytes:
        out = io.BytesIO()
        archive(out, timezone.now() - timedelta(days=days))
        return out.getvalue()

    def test_what_left_stays_provable_and_so_does_the_rest(self, old: list[int]) -> None:
        write(3)
        seal_new()
        noted = (AuditSeal.objects.get(entry_id=old[0]).seq, b"")
        content = self.store()
        assert forget_archived(timezone.now()) >= 4
        assert not AuditEntry.objects.filter(pk__in=old).exists()
        assert not AuditSeal.objects.filter(entry_id__in=old).exists()
        proof, part = verify(noted), verify_file(io.BytesIO(content))
        assert (proof.broken, part.broken) == (None, None)
        assert proof.checked == AuditSeal.objects.count()
        assert part.checked >= 4
        with pytest.raises(BadArchive, match="nothing so old"):
            self.store()
        write(1)
        seal_new()
        assert verify().broken is None

    def test_archives_follow_each_other(self, old: list[int]) -> None:
        write(2, days=200)
        seal_new()
        first, second = self.store(), self.store(days=100)
        rows = AuditArchive.objects.order_by("first")
        assert rows[1].first == rows[0].last + 1
        assert forget_archived(timezone.now()) >= 6
        assert verify().broken is None
        for content in (first, second):
            assert verify_file(io.BytesIO(content)).broken is None

    @pytest.mark.parametrize(
        ("before", "after"),
        [(b'"user-1"', b'"user-9"'), (b'"seq": ', b'"seq": 1'), (b"tested", b"nothing")],
    )
    def test_a_changed_archive_is_found(self, before: bytes, after: bytes, old) -> None:
        content = self.store()
        assert verify_file(io.BytesIO(content.replace(before, after))).broken is not None

    def test_a_line_less_at_the_end_is_found(self, old: list[int]) -> None:
        content = self.store()
        cut = b"".join(content.splitlines(keepends=True)[:-1])
        assert verify_file(io.BytesIO(cut)).broken is not None

    def test_another_file_is_no_archive(self) -> None:
        for content in (b"", b"{}\n", b"hello\n", b"[1]\n", b'{"first": 1, "before": "zz"}\n'):
            with pytest.raises(BadArchive):
                verify_file(io.BytesIO(content))

    def test_what_is_young_or_in_no_archive_can_not_leave(self, old: list[int]) -> None:
        young = write(2, days=80)
        seal_new()
        self.store(days=70)
        assert forget_archived(timezone.now()) == 0
        for ids in (old, young):
            with owner(), pytest.raises(DatabaseError):
                attempt(f"DELETE FROM tenants_auditseal WHERE entry_id = {ids[0]}")
        with owner(), pytest.raises(DatabaseError):
            attempt(f"DELETE FROM tenants_auditentry WHERE id = {young[0]}")
        assert verify().broken is None

    def test_what_is_archived_is_followed_as_long_as_it_is_here(self, old: list[int]) -> None:
        """Nor does it help to take the beginning away, as if it had left with the archive."""
        write(2)
        seal_new()
        self.store()
        break_in(
            f"DELETE FROM tenants_auditentry WHERE id = {old[0]}",
            f"DELETE FROM tenants_auditseal WHERE entry_id = {old[0]}",
            f"UPDATE tenants_auditentry SET actor = 'nobody' WHERE id = {old[2]}",
        )
        assert verify().broken is not None

    def test_a_made_up_archive_hides_nothing(self, old: list[int]) -> None:
        write(2)
        seal_new()
        last = AuditSeal.objects.get(entry_id=old[-1])
        AuditArchive.objects.create(
            first=1, last=last.seq, last_mac=last.mac, digest=b"x" * 32, at=timezone.now(),
            key=last.key, mac=b"x" * 32,
        )  # fmt: skip
        forget_archived(timezone.now())
        broken = verify().broken
        assert broken is not None
        assert "archive" in broken.why
