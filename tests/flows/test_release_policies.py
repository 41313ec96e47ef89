"""Release policies as staff set them: versions begin within no window, fit every session, and can be taken back."""

import pytest

from flows.drawing import AFTER, CLOSES, DRAW, OPENS, look, open_draw, seconds, set_release, sold_out, the_draw
from hospital import NOW_US, add_department, add_session, dump, events, rows
from shouhao.booking.release.policy import INHERIT, release_body, release_from
from shouhao.booking.release.policy_changes import ReleaseWindowOpen
from shouhao.booking.store.release_policies import policies_in_force
from shouhao.booking.tables import sessions
from shouhao.flows.release_policies import (
    add_release_policy,
    difference,
    history_of,
    retire_release_policy,
    roll_back_release_policy,
    scopes_that_stand,
    try_release_policy,
)
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.store.policies import policies

HALF = {"kind": "mixed", "mixed": {"parts": {"draw": "50%", "window": 2}}}
FIRST_COME = {"kind": "first_come"}


def add(db, body, *, scope="everywhere", at=None, now_us=NOW_US, **how):
    with db.write() as connection:
        return add_release_policy(
            connection,
            scope=scope,
            body=body,
            effective_at_us=now_us if at is None else at,
            staff_id="op_1",
            reason="试行",
            now_us=now_us,
            **how,
        )


def retire(db, scope, *, at=None, now_us=NOW_US):
    with db.write() as connection:
        return retire_release_policy(
            connection,
            scope=scope,
            effective_at_us=now_us if at is None else at,
            staff_id="op_1",
            reason="停用",
            now_us=now_us,
        )


def kinds(db, *, now_us=NOW_US):
    with db.read() as connection:
        return {scope: by.policy.kind for scope, by in policies_in_force(connection, now_us=now_us).items()}


def test_a_version_begins_at_its_moment_and_is_on_record(db):
    assert add(db, DRAW) == 1
    assert add(db, HALF, at=NOW_US + DAY_US) == 2
    assert kinds(db) == {"release:everywhere": "draw"}
    assert kinds(db, now_us=NOW_US + DAY_US) == {"release:everywhere": "mixed"}
    with db.read() as connection:
        (stands,) = scopes_that_stand(connection, now_us=NOW_US)
        states = [(v.version, state) for v, state in history_of(connection, "everywhere", now_us=NOW_US)]
    assert (stands.scope, stands.now.version, stands.next.version) == ("everywhere", 1, 2)
    assert states == [(1, "in_force"), (2, "planned")]
    (first, _) = events(db, "policy_changed")
    assert first["staff_id"] == "op_1"
    (kept, _) = rows(db, policies)
    assert kept["reason"] == "试行"


def test_what_a_version_leaves_to_defaults_is_written_down_whole(db):
    add(db, DRAW)
    with db.read() as connection:
        ((version, _),) = history_of(connection, "everywhere", now_us=NOW_US)
    assert dict(version.body) == release_body(release_from(DRAW))


def test_a_version_behind_a_newer_one_never_begins(db):
    add(db, DRAW, at=NOW_US + DAY_US)
    add(db, FIRST_COME)
    with db.read() as connection:
        states = [state for _, state in history_of(connection, "everywhere", now_us=NOW_US)]
        assert [state for _, state in history_of(connection, "everywhere", now_us=NOW_US + 2 * DAY_US)] == [
            "never",
            "in_force",
        ]
    assert states == ["never", "in_force"]
    assert kinds(db, now_us=NOW_US + 2 * DAY_US) == {"release:everywhere": "first_come"}


@pytest.mark.parametrize(
    ("scope", "body", "at", "field"),
    [
        ("nowhere", DRAW, None, "scope"),
        ("kind:royal", DRAW, None, "scope"),
        ("everywhere", {"kind": "auction"}, None, "kind"),
        ("everywhere", {"kind": "inherit", "draw": {}}, None, "kind"),
        ("everywhere", {"draw": {"wishes_max": 0}}, None, "draw.wishes_max"),
        ("everywhere", DRAW, NOW_US - 1, "effective_at"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(sqlite_db, scope, body, at, field):
    before = dump(sqlite_db)
    with pytest.raises(InvalidInput) as refusal:
        add(sqlite_db, body, scope=scope, at=at)
    assert refusal.value.field == field
    assert dump(sqlite_db) == before


@pytest.mark.parametrize("scope", ["department:NONE", "doctor:NOBODY"])
def test_a_scope_that_nobody_knows_is_refused(db, scope):
    with pytest.raises(NotFound):
        add(db, DRAW, scope=scope)


def test_parts_that_do_not_fit_a_planned_session_are_refused(db):
    add_department(db)
    add_session(db, "S1", seats=8, state="planned", release_at_us=CLOSES + DAY_US)
    add_session(db, "S2", seats=3, state="planned", release_at_us=CLOSES + DAY_US, half="pm")
    with pytest.raises(InvalidInput) as refusal:
        add(db, {"kind": "mixed", "mixed": {"parts": {"window": 4}}}, scope="department:OBS")
    assert refusal.value.field == "mixed.parts"
    set_release(db, FIRST_COME, "doctor:D1")  # a narrower policy rules both, so the wider one need not fit them
    assert add(db, {"kind": "mixed", "mixed": {"parts": {"window": 4}}}, scope="department:OBS") == 1


@pytest.mark.parametrize("moment", [OPENS, CLOSES - 1, AFTER])
def test_nothing_changes_while_a_draw_of_the_scope_takes_entries_or_is_not_made(db, moment):
    open_draw(db, body={"kind": "draw", "draw": {"witnesses": 1}})
    look(db, moment)
    assert the_draw(db)["state"] == ("sealed" if moment == AFTER else "open")
    for scope in ("everywhere", "department:OBS", "doctor:D1", "kind:expert"):
        with pytest.raises(ReleaseWindowOpen):
            add(db, FIRST_COME, scope=scope, now_us=moment)
    assert add(db, FIRST_COME, scope="kind:general", now_us=moment) == 1


def test_a_wider_scope_may_change_while_a_narrower_one_draws(db):
    add_department(db)
    add_session(db, state="planned", release_at_us=CLOSES)
    set_release(db, DRAW, "doctor:D1")
    look(db, OPENS)
    assert the_draw(db)["scope"] == "release:doctor:D1"
    assert add(db, FIRST_COME, scope="department:OBS", now_us=OPENS) == 1


@pytest.mark.parametrize(
    ("before", "after"), [(DRAW, FIRST_COME), (FIRST_COME, DRAW), (DRAW, {"kind": "draw", "draw": {"wishes_max": 1}})]
)
def test_no_version_begins_within_an_announced_window(db, before, after):
    add_department(db)
    release_at_us = CLOSES + DAY_US
    add_session(db, state="planned", release_at_us=release_at_us)
    set_release(db, before)
    window_us = seconds(120)
    for at in (release_at_us - window_us, release_at_us - 1):
        with pytest.raises(ReleaseWindowOpen):
            add(db, after, at=at)
    assert add(db, after, at=release_at_us - window_us - 1) == 2
    assert add(db, after, at=release_at_us) == 3


def test_a_longer_window_has_to_begin_before_it_would_open(db):
    add_department(db)
    release_at_us = CLOSES + DAY_US
    add_session(db, state="planned", release_at_us=release_at_us)
    set_release(db, DRAW)
    longer = {"kind": "draw", "draw": {"entry_window_s": 600}}
    with pytest.raises(ReleaseWindowOpen):
        add(db, longer, at=release_at_us - seconds(300))
    assert add(db, longer, at=release_at_us - seconds(601)) == 2


def test_a_retired_scope_falls_back_to_the_wider_one(db):
    add_department(db)
    add_session(db, state="planned", release_at_us=CLOSES)
    add(db, DRAW, scope="department:OBS", now_us=OPENS - DAY_US)
    add(db, FIRST_COME, now_us=OPENS - DAY_US)
    with pytest.raises(NotFound):
        retire(db, "doctor:D1")
    assert retire(db, "department:OBS", at=OPENS - seconds(1), now_us=OPENS - DAY_US) == 2
    with pytest.raises(NotFound):
        retire(db, "department:OBS")
    assert kinds(db, now_us=OPENS) == {"release:everywhere": "first_come"}
    look(db, OPENS)
    look(db, AFTER)
    (session,) = rows(db, sessions, id="S1")
    assert (session["state"], session["draw_id"]) == ("released", None)
    assert '"first_come"' in session["release_policy"]
    with db.read() as connection:
        (department, _) = scopes_that_stand(connection, now_us=AFTER)
    assert dict(department.now.body) == INHERIT


def test_rolling_back_adds_the_old_words_as_the_next_version(db):
    add(db, DRAW)
    add(db, HALF)
    with db.write() as connection:
        version = roll_back_release_policy(
            connection,
            scope="everywhere",
            version=1,
            effective_at_us=NOW_US,
            staff_id="op_2",
            reason="恢复",
            now_us=NOW_US,
        )
        assert version == 3
        assert difference(connection, "everywhere", 1, 3) == []
        changed = {c.field: (c.before, c.after) for c in difference(connection, "everywhere", 1, 2)}
    assert changed["kind"] == ("draw", "mixed")
    assert changed["mixed.parts.window"] == (None, 2)
    assert changed["mixed.parts.draw"] == (None, "50%")
    assert set(changed) == {"kind", "mixed.parts.window", "mixed.parts.draw"}
    with pytest.raises(NotFound), db.write() as connection:
        difference(connection, "everywhere", 1, 9)


def test_a_dry_run_gives_past_demand_out_again_and_writes_nothing(db):
    sold_out(db, seats=3)
    before = dump(db)
    with db.read() as connection:
        tried = try_release_policy(
            connection, scope="department:OBS", body=DRAW, days=30, runs=5, now_us=NOW_US + seconds(60)
        )
    assert (tried.outcome.kind, len(tried.demand.sessions)) == ("draw", 1)
    assert tried.outcome.figure("asked").as_it_was == 3
    assert dump(db) == before
    with pytest.raises(InvalidInput) as refusal, db.read() as connection:
        try_release_policy(connection, scope="department:OBS", body=INHERIT, days=30, runs=5, now_us=NOW_US)
    assert refusal.value.field == "kind"
