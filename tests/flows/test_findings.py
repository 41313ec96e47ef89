"""Findings: a night is taken in once, kept sealed, and shown masked; people judge, and their word stays."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from detect import test_live as live
from flows import made_findings as made
from flows.made_findings import ACCOUNT, OTHER, RAW, RING_ID
from flows.nights import make_night
from lawful import operator
from shouhao.cli.analyze_live import _write_report
from shouhao.detect.live.follow import Follower, Schedule
from shouhao.detect.live.source import EventLogSource
from shouhao.detect.live.store import open_store
from shouhao.detect.store import tables
from shouhao.detect.store.findings import INVARIANTS, Wanted
from shouhao.flows.finding_duty import FindingFolders, erase_old_findings, take
from shouhao.flows.finding_judging import judge, look
from shouhao.flows.finding_listing import finding_masked, findings_of_run
from shouhao.flows.finding_views import FindingDetail, FindingsView
from shouhao.flows.findings import Taken, take_in
from shouhao.kernel.clock import DAY_US, MINUTE_US
from shouhao.kernel.errors import InvalidInput, NotFound, Tampered
from shouhao.staff.model import Operator, RoleMissing
from shouhao.staff.register import search
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.invariants import check
from shouhao.store.vault import Vault

NOW_US = 1_772_500_000_000_000
KEEP_US = 180 * DAY_US
VAULT = Vault(b"v" * 32)


@pytest.fixture
def security(db: Database) -> Operator:
    return operator(db, "security", now_us=NOW_US)


def taken(db: Database, folder: Path, *, name: str | None = None, now_us: int = NOW_US) -> Taken:
    with db.write() as connection:
        return take_in(connection, VAULT, folder, name=name, now_us=now_us)


def listed(db: Database, who: Operator, *, run_id: str | None = None, after: str | None = None, most: int = 50, **only):
    with db.read() as connection:
        asked = Wanted(**only)
        return findings_of_run(connection, VAULT, who, run_id=run_id, wanted=asked, after=after, most=most)


def shown(db: Database, who: Operator, finding_id: str) -> FindingDetail:
    with db.read() as connection:
        return finding_masked(connection, VAULT, who, finding_id)


def judged(db: Database, who: Operator, finding_id: str, judgement: str, *, now_us: int = NOW_US) -> None:
    with db.write() as connection:
        judge(connection, VAULT, who, finding_id, judgement=judgement, reason="已核对就诊记录", now_us=now_us)


def told(db: Database, kind: str) -> list[dict]:
    with db.read() as connection:
        return [row["detail"] for rows in event_log.read(connection) for row in rows if row["kind"] == kind]


def ids(found: FindingsView) -> list[str]:
    return [one.finding_id for one in found.findings]


def test_a_real_night_is_taken_in_whole(db, security, tmp_path):
    came = taken(db, make_night(tmp_path / "2026-03-05"))
    assert (came.again, came.agree, came.new) == (False, True, came.findings)
    found = listed(db, security, most=200)
    (run,) = found.runs
    assert (run.name, run.rings, sum(run.findings.values())) == ("2026-03-05", came.rings, came.findings)
    assert run.hits > 0
    assert run.events > 0
    assert run.from_at < run.to_at
    assert min(run.findings.values()) > 0
    scores = [one.score for one in found.findings]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == came.findings
    best = next(one for one in found.findings if one.subject.kind == "ring")
    ring = shown(db, security, best.finding_id)
    members = [node for node in ring.ring.nodes if node.shared_by is None]
    assert len(members) >= 5
    assert any(node.finding_id for node in members)
    assert all(edge.n >= 1 and edge.first_at <= edge.last_at for edge in ring.ring.edges)
    assert any(one.speaks_for for one in found.findings)
    total = ring.base + sum(one.weight for one in (*ring.reasons, *ring.speaks_for))
    assert total == pytest.approx(ring.score, abs=0.002)
    whole = look(db, VAULT, security, best.finding_id, reason="核查团伙", now_us=NOW_US)
    assert any(block.lines for blocks in whole.lines.reasons for block in blocks)
    assert len(whole.lines.reasons) == len(whole.reasons)
    assert len(whole.lines.speaks_for) == len(whole.speaks_for)


def test_taking_in_twice_is_once(db, security, tmp_path):
    folder = made.night(tmp_path / "a")
    first = taken(db, folder, name="周一")
    again = taken(db, folder, name="另一个名字")
    assert (first.again, first.new, again.again, again.new) == (False, 4, True, 0)
    assert again.run_id == first.run_id
    found = listed(db, security)
    assert [run.name for run in found.runs] == ["周一"]
    assert ids(found) == ["f-ring", "f-1", "f-2", "f-3"]
    assert len(told(db, "findings_taken")) == 1
    made.night(tmp_path / "copy")
    assert taken(db, tmp_path / "copy").again  # the same findings in another folder


def test_two_at_once_take_in_one_run(db, security, tmp_path):
    folder = made.night(tmp_path / "a")
    came: list[Taken] = []
    start = threading.Barrier(4)

    def go() -> None:
        start.wait()
        came.append(take(db, VAULT, folder, name=None, now_us=NOW_US, keep_us=KEEP_US))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.new for one in came) == [0, 0, 0, 4]
    assert len({one.run_id for one in came}) == 1
    assert len(listed(db, security).findings) == 4
    assert len(told(db, "findings_taken")) == 1


def test_whoever_reads_sees_no_whole_id_and_no_raw_line(db, security, tmp_path):
    taken(db, made.night(tmp_path / "a"))
    for finding_id in ("f-ring", "f-1", "f-3"):
        said = repr(shown(db, security, finding_id)) + repr(listed(db, security))
        for secret in (ACCOUNT, OTHER, "dev-aa1700f3", "203.0.113.9", "POST /api"):
            assert secret not in said
    ring = shown(db, security, "f-ring")
    assert (ring.subject.id, ring.ring.nodes[0].label, ring.ring.nodes[2].label) == (RING_ID, "ac…12", "de…f3")
    assert shown(db, security, "f-3").subject.id == "203.0.*.*"
    assert ring.lines is None


def test_nothing_of_a_subject_is_stored_in_the_clear(db, tmp_path):
    taken(db, made.night(tmp_path / "a"))
    with db.read() as connection:
        stored = "".join(
            repr(row) for table in tables.findings.metadata.sorted_tables for row in connection.execute(select(table))
        )
    for secret in (ACCOUNT, OTHER, RING_ID, "dev-aa1700f3", "203.0.113.9", "快得不像手动操作"):
        assert secret not in stored


def test_a_look_stands_in_the_register_before_anything_is_shown(db, security, tmp_path, monkeypatch):
    taken(db, made.night(tmp_path / "a"))
    whole = look(db, VAULT, security, "f-ring", reason="核查团伙", authority="京公（2026）12 号", now_us=NOW_US)
    assert [member.id for member in whole.members] == [ACCOUNT, OTHER]
    assert whole.lines.reasons[0][0].lines == (RAW,)
    with db.read() as connection:
        (row,) = search(connection)
    assert (row.operator_id, row.reason, row.authority, row.records) == (
        security.id,
        "核查团伙",
        "京公（2026）12 号",
        3,
    )
    assert "f-ring" in row.what
    for reason, authority in (("", "x"), (" ", "x"), ("核查", "")):
        with pytest.raises(InvalidInput):
            look(db, VAULT, security, "f-1", reason=reason, authority=authority, now_us=NOW_US)
    with pytest.raises(NotFound):
        look(db, VAULT, security, "f-none", reason="核查", now_us=NOW_US)
    with db.read() as connection:
        assert len(search(connection)) == 1
    monkeypatch.setattr("shouhao.staff.register.store.add", _fails)
    opened: list[object] = []
    monkeypatch.setattr("shouhao.flows.finding_judging.detail_of", lambda *a, **_: opened.append(a))
    with pytest.raises(RuntimeError):
        look(db, VAULT, security, "f-1", reason="核查", now_us=NOW_US)
    assert opened == []


def _fails(*_args: object, **_more: object) -> None:
    raise RuntimeError


def test_a_member_leads_to_its_ring_and_the_ring_to_its_members(db, security, tmp_path):
    taken(db, made.night(tmp_path / "a"))
    judged(db, security, "f-2", "watched")
    ring = shown(db, security, "f-ring")
    assert [(member.finding_id, member.state) for member in ring.members] == [("f-1", "open"), ("f-2", "watched")]
    assert [(node.finding_id, node.shared_by) for node in ring.ring.nodes] == [("f-1", None), ("f-2", None), (None, 2)]
    edge = ring.ring.edges[0]
    assert (edge.a, edge.b, edge.kind, edge.bridge, edge.n) == (0, 2, "device", True, 3)
    assert ring.ring_id is None
    assert shown(db, security, "f-1").ring_id == "f-ring"
    assert shown(db, security, "f-3").ring_id is None


def test_a_person_judges_and_may_judge_otherwise_later(db, security, tmp_path):
    taken(db, made.night(tmp_path / "a"))
    office = operator(db, "outpatient_office", now_us=NOW_US)
    judged(db, security, "f-1", "upheld")
    judged(db, office, "f-1", "dismissed")  # in the same microsecond, and still the later one
    one = shown(db, security, "f-1")
    assert (one.state, [j.judgement for j in one.judgements]) == ("dismissed", ["dismissed", "upheld"])
    assert one.judgements[0].operator_name == office.name
    assert ids(listed(db, security, state="dismissed")) == ["f-1"]
    assert [(d["judgement"], d["was"]) for d in told(db, "finding_judged")] == [
        ("upheld", "open"),
        ("dismissed", "upheld"),
    ]
    with db.read() as connection:
        assert check(connection, INVARIANTS) == []
        stored = repr(connection.execute(select(tables.finding_judgements)).all())
        assert "已核对就诊记录" not in stored
    with db.write() as connection:
        connection.execute(text("UPDATE findings SET state = 'upheld' WHERE finding_id = 'f-1'"))
    with db.read() as connection:
        assert [broken.examples for broken in check(connection, INVARIANTS)] == [("f-1",)]


@pytest.mark.parametrize("role", ["it", "police_liaison", "auditor", "monitoring"])
def test_nobody_else_judges(db, tmp_path, role):
    taken(db, made.night(tmp_path / "a"))
    other = operator(db, role, now_us=NOW_US)
    with pytest.raises(RoleMissing):
        judged(db, other, "f-1", "dismissed")


def test_the_same_subject_is_known_again_on_a_later_night(db, security, tmp_path):
    taken(db, made.night(tmp_path / "monday"))
    judged(db, security, "f-1", "dismissed")
    later = made.report_of([]).sources[0]
    night = made.write(tmp_path / "tuesday", [made.line("f-9", score=4.0)], sources=(_a_day_later(later),))
    taken(db, night, now_us=NOW_US + DAY_US)
    one = shown(db, security, "f-9")
    assert (one.state, one.seen_before) == ("open", 1)
    (before,) = one.earlier
    assert (before.finding_id, before.name, before.state) == ("f-1", "monday", "dismissed")
    assert shown(db, security, "f-1").earlier == ()
    found = listed(db, security)
    assert [run.name for run in found.runs] == ["tuesday", "monday"]
    assert [(one.finding_id, one.seen_before) for one in found.findings] == [("f-9", 1)]
    monday = listed(db, security, run_id=found.runs[1].run_id)
    assert {one.finding_id: one.seen_before for one in monday.findings} == dict.fromkeys(ids(monday), 0)


def _a_day_later(source):
    return replace(source, first_at_us=source.first_at_us + DAY_US, last_at_us=source.last_at_us + DAY_US)


def test_files_read_anew_keep_what_was_judged(db, security, tmp_path):
    taken(db, made.night(tmp_path / "a"))
    judged(db, security, "f-1", "upheld")
    lines = [made.line("f-1", score=3.75)]  # the same files, looked at with another table of networks
    came = taken(db, made.write(tmp_path / "b", lines), now_us=NOW_US + 1)
    (one,) = listed(db, security, run_id=came.run_id).findings
    assert (one.state, one.seen_before, one.score) == ("upheld", 0, 3.75)
    judged(db, security, "f-1", "watched", now_us=NOW_US + 2)
    with db.read() as connection:
        states = connection.execute(
            select(tables.findings.c.state).where(tables.findings.c.finding_id == "f-1")
        ).scalars()
        assert list(states) == ["watched", "watched"]
        assert check(connection, INVARIANTS) == []


def test_a_list_is_turned_page_by_page_and_filtered(db, security, tmp_path):
    lines = [made.line(f"f-{n:03}", of=f"acct-{n:08}", score=n // 3 / 8) for n in range(30)]
    lines += [
        made.line("f-ip", "ip", "198.51.100.7", level="lead", score=-2.0, reasons=[made.reason("rotation.networks")])
    ]
    taken(db, made.write(tmp_path / "a", lines))
    seen: list[str] = []
    after = None
    for _ in range(20):
        page = listed(db, security, after=after, most=7)
        seen += ids(page)
        after = page.next
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 31
    assert seen[-1] == "f-ip"
    assert ids(listed(db, security, level="lead")) == ["f-ip"]
    assert ids(listed(db, security, kind="ip", reason="rotation.networks")) == ["f-ip"]
    assert ids(listed(db, security, reason="rotation.one_pace")) == []
    found = listed(db, security)
    assert found.levels == {"certain-pattern": 0, "strong": 30, "lead": 1}
    assert found.reasons["hand_over.pair"].count == 30
    assert found.reasons["rotation.networks"].zh
    with pytest.raises(InvalidInput):
        listed(db, security, after="somewhere")
    with pytest.raises(NotFound):
        listed(db, security, run_id="fr_none")


def test_nights_on_which_nothing_was_found_are_runs_too(db, security, tmp_path):
    later = _a_day_later(made.report_of([]).sources[0])
    for name, sources in (("a", made.report_of([]).sources), ("b", (_renamed(later),))):
        assert taken(db, made.write(tmp_path / name, [], sources=sources)).findings == 0
    assert taken(db, tmp_path / "a").again
    found = listed(db, security)
    assert ([run.name for run in found.runs], found.findings) == (["b", "a"], ())


def _renamed(source):
    return replace(source, sha256="cd" * 32)


def test_a_live_run_is_followed_line_by_line(db, security, tmp_path):
    folder = made.write(tmp_path / "live", [made.live_line("f-1", 1), made.live_line("f-2", 1, of=OTHER)], sources=())
    follow = FindingFolders(db, VAULT, tmp_path, keep_days=180)
    assert follow(NOW_US) == 2
    assert follow(NOW_US) == 0
    judged(db, security, "f-2", "upheld")
    made.add(folder, [made.live_line("f-1", 2, stands=False), made.live_line("f-2", 2, of=OTHER, score=7.5)])
    made.add(folder, [made.live_line("f-3", 1, kind="ip", of="203.0.113.9")])
    with (folder / "findings.jsonl").open("ab") as file:
        file.write(b'{"finding_id":"f-4","version":1,')  # it is being written just now
    assert follow(NOW_US + 1) == 1
    found = listed(db, security)
    assert [(one.finding_id, one.score, one.state) for one in found.findings] == [
        ("f-2", 7.5, "upheld"),
        ("f-3", 3.5, "open"),
    ]
    assert len(found.runs) == 1
    assert found.levels["strong"] == 2
    gone = shown(db, security, "f-1")
    assert gone.stands is False
    assert len(told(db, "findings_taken")) == 2
    with db.read() as connection:
        assert check(connection, INVARIANTS) == []


def test_what_the_real_engine_says_live_is_taken_in_as_it_grows(sqlite_db, tmp_path):
    who, out = operator(sqlite_db, "security", now_us=NOW_US), tmp_path / "live"
    live.write(sqlite_db, live.morning(until=39))
    _followed(sqlite_db, out)
    with pytest.raises(InvalidInput):
        taken(sqlite_db, out)  # the detectors have not looked yet
    live.write(sqlite_db, [live.viewed(live.at(45), "a0")])
    _followed(sqlite_db, out)
    first = taken(sqlite_db, out, now_us=live.at(45))
    assert first.new == first.findings > 0
    more = [live.viewed(live.at(46) + n * 1_000_000 // 3, "second-script") for n in range(600)]
    live.write(sqlite_db, [*more, live.viewed(live.at(85), "a0")])
    _followed(sqlite_db, out)
    second = taken(sqlite_db, out, now_us=live.at(85))
    assert (second.run_id, second.again) == (first.run_id, True)
    assert second.new > 0
    again = taken(sqlite_db, out, now_us=live.at(86))
    assert (again.new, again.findings) == (0, second.findings)
    found = listed(sqlite_db, who, most=200)
    assert sum(found.levels.values()) == second.findings == sum(one.stands for one in found.findings)
    assert any(shown(sqlite_db, who, one.finding_id).rhythm for one in found.findings)
    with sqlite_db.read() as connection:
        assert check(connection, INVARIANTS) == []


def _followed(db: Database, out: Path) -> None:
    """Everything that is in the log, as `shouhao analyze --live` would follow it."""
    with open_store(out) as kept:
        follower = Follower(
            EventLogSource(db),
            kept,
            Schedule(fast_us=30 * DAY_US, full_us=40 * MINUTE_US, allowed=live.ALLOWED),
            clock=None,
            report=lambda tables, analysis, after: _write_report(out, tables, analysis, after),
        )
        while follower.step():
            pass


def test_a_live_runs_rings_come_with_its_report(db, security, tmp_path):
    ring = {**made.ring_line(), "version": 1, "stands": True}
    folder = made.write(tmp_path / "live", [ring], sources=(), rings=())
    assert taken(db, folder).new == 1
    assert shown(db, security, "f-ring").ring is None
    made.write_report_file(made.report_of([ring], sources=()), folder)
    assert taken(db, folder, now_us=NOW_US + 1).new == 0
    assert len(shown(db, security, "f-ring").ring.nodes) == 3


def test_the_worker_takes_in_what_is_whole_and_says_once_what_is_not(db, security, tmp_path):
    follow = FindingFolders(db, VAULT, tmp_path / "nights", keep_days=180)
    assert follow(NOW_US) == 0  # there is no folder yet
    whole = made.night(tmp_path / "nights" / "a")
    (tmp_path / "nights" / "half").mkdir()
    (tmp_path / "nights" / "half" / "findings.jsonl").write_bytes(b"")
    broken = made.night(tmp_path / "nights" / "broken")
    (broken / "findings.jsonl").write_bytes(b"{}\n")
    (tmp_path / "nights" / "a file").write_text("x")
    with capture_logs() as logs:
        assert follow(NOW_US) == 4
        assert follow(NOW_US) == 0
    assert [(one["event"], one["folder"]) for one in logs] == [("findings_not_taken", "broken")]
    assert logs[0]["field"].startswith("findings.jsonl:1")
    assert [run.name for run in listed(db, security).runs] == [whole.name]
    made.write(broken, [made.line("f-77", of="acct-mended01")])
    assert follow(NOW_US) == 1


def test_findings_are_erased_when_their_time_is_over_and_do_not_come_back(db, security, tmp_path):
    old, new = made.night(tmp_path / "old"), made.write(tmp_path / "new", [made.line("f-8", of="acct-77777777")])
    taken(db, old)
    judged(db, security, "f-1", "upheld")
    taken(db, new, now_us=NOW_US + 100 * DAY_US)
    assert erase_old_findings(db, keep_days=180, now_us=NOW_US + 179 * DAY_US) == 0
    assert erase_old_findings(db, keep_days=180, now_us=NOW_US + 181 * DAY_US) == 4
    assert erase_old_findings(db, keep_days=180, now_us=NOW_US + 181 * DAY_US) == 0
    assert [run.name for run in listed(db, security).runs] == ["new"]
    with db.read() as connection:
        for table in (tables.finding_bodies, tables.finding_reasons, tables.findings):
            assert {row.finding_id for row in connection.execute(select(table))} == {"f-8"}
        assert connection.execute(select(tables.finding_members)).all() == []
        assert connection.execute(select(tables.finding_judgements)).all() == []
        assert check(connection, INVARIANTS) == []
    with pytest.raises(NotFound):
        shown(db, security, "f-1")
    again = taken(db, old, now_us=NOW_US + 181 * DAY_US)
    assert (again.erased, again.new) == (True, 0)
    assert told(db, "findings_erased") == [{"count": 4}]


def test_what_was_changed_in_the_database_does_not_open(db, security, tmp_path):
    taken(db, made.night(tmp_path / "a"))
    with db.write() as connection:
        one = select(tables.finding_bodies.c.sealed).where(tables.finding_bodies.c.finding_id == "f-2")
        other = connection.execute(one).scalar_one()
        connection.execute(
            tables.finding_bodies.update().where(tables.finding_bodies.c.finding_id == "f-1").values(sealed=other)
        )
    with pytest.raises(Tampered):
        shown(db, security, "f-1")


@pytest.mark.parametrize("role", ["monitoring", "guard", "window", "reviewer", "approver", "administrator"])
def test_other_roles_see_nothing(db, tmp_path, role):
    taken(db, made.night(tmp_path / "a"))
    other = operator(db, role, now_us=NOW_US)
    with pytest.raises(RoleMissing):
        listed(db, other)
    with pytest.raises(RoleMissing):
        shown(db, other, "f-1")
    with pytest.raises(RoleMissing):
        look(db, VAULT, other, "f-1", reason="好奇", now_us=NOW_US)
    with db.read() as connection:
        assert search(connection) == []
