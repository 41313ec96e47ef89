"""What second parties and a beacon give to a draw's seed: in its time, once, and only what was committed to."""

import gzip
import json
from dataclasses import dataclass, field

import pytest

from flows.drawing import (
    AFTER,
    CLOSES,
    OPENS,
    enter_now,
    entry,
    file_of_draw,
    join,
    look,
    nothing_moves,
    offers,
    open_draw,
    seconds,
    sold_out,
    the_draw,
)
from hospital import NOW_US, add_people, assert_sound, events, rows
from shouhao.booking.beacon import published_at_us
from shouhao.booking.draw_tables import draw_contributions, draw_files
from shouhao.booking.extra import SecondPersonNeeded
from shouhao.booking.release.policy import DrawRules
from shouhao.booking.release.seal import commitment
from shouhao.booking.store import draws as draw_store
from shouhao.flows.contribute import (
    FALL_BACK_AFTER_S,
    ContributionNotWanted,
    accept_fetched_beacon,
    commit_witness,
    enter_beacon,
    fall_back,
    fetch_beacons,
    reveal_witness,
)
from shouhao.flows.draws import missing
from shouhao.kernel.errors import InvalidInput, NotFound, Tampered, Unavailable

SECRET = "5a" * 32
VALUE, OTHER = "ab" * 32, "cd" * 32
WITNESS = {"kind": "draw", "draw": {"witnesses": 1}}
TWO = {"kind": "draw", "draw": {"witnesses": 2}}
BEACON = {"kind": "draw", "draw": {"beacon": "drand"}}


def commit(db, draw_id, *, who="op_w", secret=SECRET, now_us=OPENS + 1, value=None):
    promised = value or commitment(draw_id, bytes.fromhex(secret), who=who)
    with db.write() as connection:
        commit_witness(connection, draw_id=draw_id, staff_id=who, commitment=promised, now_us=now_us)


def reveal(db, draw_id, *, who="op_w", value=SECRET, now_us=AFTER):
    with db.write() as connection:
        reveal_witness(connection, draw_id=draw_id, staff_id=who, value=value, now_us=now_us)


def write_down(db, draw_id, *, who="op_1", value=VALUE, now_us, number=None):
    number = number or the_draw(db)["beacon_round"]
    with db.write() as connection:
        return enter_beacon(connection, draw_id=draw_id, staff_id=who, number=number, value=value, now_us=now_us)


def go_on(db, draw_id, *, now_us, reason="见证方失联"):
    with db.write() as connection:
        return fall_back(connection, draw_id=draw_id, staff_id="op_boss", reason=reason, now_us=now_us)


def lacks(db, draw_id):
    with db.read() as connection:
        return missing(draw_store.find_draw(connection, draw_id), draw_store.contributions_of(connection, draw_id))


def published_us(db):
    return published_at_us(the_draw(db)["beacon_round"], DrawRules())


def entered(db, draw_id, people=3):
    enter_now(db, *(entry(p, draw_id=draw_id, wishes=["S1"]) for p in add_people(db, people)), now_us=OPENS)


@dataclass
class Beacon:
    """Publishes what it is told to."""

    name: str = "drand"
    values: dict[int, bytes] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    fails: Exception | None = None

    def value(self, number: int) -> bytes | None:
        self.asked.append(number)
        if self.fails is not None:
            raise self.fails
        return self.values.get(number)


def test_a_draw_waits_for_its_witness_and_names_them_in_its_file(db):
    draw_id = open_draw(db, body=WITNESS)["id"]
    entered(db, draw_id)
    commit(db, draw_id)
    look(db, AFTER)
    assert the_draw(db)["state"] == "sealed"
    assert lacks(db, draw_id) == ["witness:op_w"]
    reveal(db, draw_id)
    look(db, AFTER + seconds(1))
    file = file_of_draw(db, draw_id)
    (given,) = file["contributions"]
    assert (given["kind"], given["who"], given["value"]) == ("witness", "op_w", SECRET)
    assert file["trust"]["level"] == "witnessed"
    assert [json.loads(e["detail"]) for e in events(db, "draw_contribution")] == [
        {"draw_id": draw_id, "kind": "witness", "who": "op_w", "what": what} for what in ("committed", "revealed")
    ]
    assert SECRET not in str(events(db, "draw_contribution"))
    assert_sound(db)


def test_a_witness_commits_before_the_close_once_and_only_where_one_is_wanted(db):
    draw_id = open_draw(db, body=WITNESS)["id"]
    nothing_moves(db, lambda: commit(db, draw_id, now_us=CLOSES), "booking.contribution_not_now")
    nothing_moves(db, lambda: commit(db, "dw_none"), "booking.draw_unknown")
    for bad in ("5A" * 32, "5a" * 31, "5a" * 33, "zz" * 32, ""):
        with pytest.raises(InvalidInput):
            commit(db, draw_id, value=bad or "5")
    commit(db, draw_id)
    nothing_moves(db, lambda: commit(db, draw_id, secret="11" * 32), "booking.contribution_known")
    nothing_moves(db, lambda: commit(db, draw_id, who="op_second"), "booking.contribution_not_wanted")


def test_a_draw_whose_policy_names_nobody_takes_nothing(db):
    draw_id = open_draw(db)["id"]
    nothing_moves(db, lambda: commit(db, draw_id), "booking.contribution_not_wanted")
    look(db, CLOSES)
    with pytest.raises(ContributionNotWanted):
        write_down(db, draw_id, number=1, now_us=CLOSES)


def test_the_order_of_a_waitlist_takes_no_contribution(db):
    sold_out(db)
    join(db, *add_people(db, 1), now_us=NOW_US)
    draw_id = the_draw(db, "waitlist")["id"]
    nothing_moves(db, lambda: commit(db, draw_id), "booking.contribution_not_wanted")


def test_a_value_is_taken_after_the_seal_once_and_only_the_one_committed_to(db):
    draw_id = open_draw(db, body=WITNESS)["id"]
    commit(db, draw_id)
    nothing_moves(db, lambda: reveal(db, draw_id, now_us=CLOSES - 1), "booking.contribution_not_now")
    nothing_moves(db, lambda: reveal(db, draw_id), "booking.contribution_not_now")  # closed, and not sealed yet
    look(db, AFTER)
    nothing_moves(db, lambda: reveal(db, draw_id, value="11" * 32), "booking.commitment_mismatch")
    nothing_moves(db, lambda: reveal(db, draw_id, who="op_other"), "not_found")
    reveal(db, draw_id)
    nothing_moves(db, lambda: reveal(db, draw_id), "booking.contribution_known")


def test_a_commitment_copied_from_another_witness_opens_nothing(db):
    draw_id = open_draw(db, body=TWO)["id"]
    commit(db, draw_id)
    commit(db, draw_id, who="op_copy", value=commitment(draw_id, bytes.fromhex(SECRET), who="op_w"))
    look(db, AFTER)
    reveal(db, draw_id)
    nothing_moves(db, lambda: reveal(db, draw_id, who="op_copy"), "booking.commitment_mismatch")


def test_two_people_write_the_beacons_value_down_and_it_counts_when_they_agree(db):
    draw_id = open_draw(db, body=BEACON)["id"]
    entered(db, draw_id)
    look(db, AFTER)
    at = published_us(db)
    assert write_down(db, draw_id, now_us=at) == "waiting"
    look(db, at)
    assert the_draw(db)["state"] == "sealed"
    with pytest.raises(SecondPersonNeeded):
        write_down(db, draw_id, now_us=at)
    assert write_down(db, draw_id, who="op_2", now_us=at) == "counts"
    nothing_moves(db, lambda: write_down(db, draw_id, who="op_3", now_us=at), "booking.contribution_known")
    look(db, at + 1)
    file = file_of_draw(db, draw_id)
    assert (file["trust"]["level"], file["contributions"][0]["value"]) == ("public", VALUE)


def test_two_people_who_read_different_values_both_look_again(db):
    draw_id = open_draw(db, body=BEACON)["id"]
    look(db, AFTER)
    at = published_us(db)
    write_down(db, draw_id, now_us=at)
    assert write_down(db, draw_id, who="op_2", value=OTHER, now_us=at) == "differs"
    assert rows(db, draw_contributions) == []
    assert write_down(db, draw_id, value=OTHER, now_us=at) == "waiting"
    assert write_down(db, draw_id, value=VALUE, now_us=at) == "waiting"  # one's own mistake is written anew
    assert write_down(db, draw_id, who="op_2", now_us=at) == "counts"
    whats = [json.loads(e["detail"])["what"] for e in events(db, "draw_contribution")]
    assert whats == ["entered", "dropped", "entered", "entered", "confirmed"]


def test_nobody_writes_down_what_is_not_published_or_another_round(db):
    draw_id = open_draw(db, body=BEACON)["id"]
    nothing_moves(db, lambda: write_down(db, draw_id, number=1, now_us=OPENS + 1), "booking.contribution_not_now")
    look(db, AFTER)
    at, number = published_us(db), the_draw(db)["beacon_round"]
    early = nothing_moves(db, lambda: write_down(db, draw_id, now_us=at - 1), "booking.beacon_round_not_published")
    assert early[0].data["round"] == number
    for wrong in (number - 1, number + 1):
        with pytest.raises(InvalidInput):
            write_down(db, draw_id, number=wrong, now_us=at)


def test_the_worker_fetches_each_round_once_when_it_is_published(db):
    draw_id = open_draw(db, body=BEACON)["id"]
    look(db, AFTER)
    at, number = published_us(db), the_draw(db)["beacon_round"]
    beacon = Beacon(values={number: bytes.fromhex(VALUE)})
    assert fetch_beacons(db, beacon, now_us=at - 1) == 0
    assert beacon.asked == []
    write_down(db, draw_id, value=OTHER, now_us=at)  # a value that nobody confirmed gives way
    assert fetch_beacons(db, beacon, now_us=at) == 1
    assert fetch_beacons(db, beacon, now_us=at) == 0
    assert beacon.asked == [number]
    look(db, at)
    assert file_of_draw(db, draw_id)["contributions"][0]["value"] == VALUE
    with db.write() as connection:
        assert not accept_fetched_beacon(connection, draw_id=draw_id, value=b"x" * 32, now_us=at)


def test_a_beacon_that_is_late_away_or_lies_gives_nothing(db):
    draw_id = open_draw(db, body=BEACON)["id"]
    look(db, AFTER)
    at = published_us(db)
    assert fetch_beacons(db, Beacon(), now_us=at) == 0
    assert fetch_beacons(db, Beacon(fails=Tampered("another round")), now_us=at) == 0
    assert fetch_beacons(db, Beacon(name="nist"), now_us=at) == 0
    with pytest.raises(Unavailable):
        fetch_beacons(db, Beacon(fails=Unavailable("beacon")), now_us=at)
    assert lacks(db, draw_id) == ["beacon:drand"]


def test_a_draw_goes_on_without_a_silent_witness_by_a_person_and_says_so(db):
    draw_id = open_draw(db, body=TWO)["id"]
    entered(db, draw_id)
    commit(db, draw_id)
    commit(db, draw_id, who="op_silent")
    nothing_moves(db, lambda: go_on(db, draw_id, now_us=OPENS + 1), "booking.contribution_not_now")
    look(db, AFTER)
    reveal(db, draw_id)
    soon = AFTER + seconds(FALL_BACK_AFTER_S)
    nothing_moves(db, lambda: go_on(db, draw_id, now_us=soon - 1), "booking.fall_back_too_soon")
    with pytest.raises(InvalidInput):
        go_on(db, draw_id, now_us=soon, reason="")
    assert go_on(db, draw_id, now_us=soon) == ["witness:op_silent"]
    nothing_moves(db, lambda: go_on(db, draw_id, now_us=soon), "booking.nothing_missing")
    # Whoever may still choose between two outcomes chooses: nothing is taken any more.
    nothing_moves(db, lambda: reveal(db, draw_id, who="op_silent", now_us=soon), "booking.contribution_not_now")
    look(db, soon + 1)
    file = file_of_draw(db, draw_id)
    assert [one["who"] for one in file["contributions"]] == ["op_w"]
    assert the_draw(db)["fallen_back"] == "见证方失联"
    assert "见证方失联" not in str(events(db, "draw_contribution"))
    assert len(offers(db)) == 2
    assert_sound(db)


def test_a_draw_goes_on_at_once_without_a_witness_who_never_committed(db):
    draw_id = open_draw(db, body=WITNESS)["id"]
    look(db, CLOSES)
    assert lacks(db, draw_id) == ["witness"]
    assert go_on(db, draw_id, now_us=CLOSES) == ["witness"]
    look(db, CLOSES + 1)
    (kept,) = rows(db, draw_files, draw_id=draw_id)
    assert b'"level":"sealed"' in gzip.decompress(kept["body_gz"])


def test_a_draw_goes_on_without_its_beacon_only_after_the_round_was_due(db):
    draw_id = open_draw(db, body=BEACON)["id"]
    look(db, AFTER)
    due = published_us(db) + seconds(FALL_BACK_AFTER_S)
    nothing_moves(db, lambda: go_on(db, draw_id, now_us=due - 1), "booking.fall_back_too_soon")
    go_on(db, draw_id, now_us=due)
    assert fetch_beacons(db, Beacon(values={the_draw(db)["beacon_round"]: b"v" * 32}), now_us=due) == 0
    nothing_moves(db, lambda: write_down(db, draw_id, now_us=due), "booking.contribution_not_now")
    look(db, due)
    assert file_of_draw(db, draw_id)["trust"]["level"] == "sealed"


def test_a_draw_that_lacks_nothing_cannot_be_lowered(db):
    draw_id = open_draw(db, body=WITNESS)["id"]
    commit(db, draw_id)
    look(db, AFTER)
    reveal(db, draw_id)
    nothing_moves(db, lambda: go_on(db, draw_id, now_us=AFTER + seconds(3600)), "booking.nothing_missing")
    with pytest.raises(NotFound):
        reveal(db, draw_id, who="op_1")
