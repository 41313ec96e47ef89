"""Who comes too often: groups by density, faces that tell nothing without a secret, keys that die with their day."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.kernel.errors import NotFound, Tampered
from shouhao.store.vault import Vault
from shouhao.watch.frequent import FrequentRules, Visit, Visits, turn, turn_back, turning
from shouhao.watch.store import frequent as store
from shouhao.watch.store.frequent import Salt, Seen, WindowKeys
from shouhao.watch.store.frequent_tables import visits as visit_rows

DIMS = 32
RULES = FrequentRules(same_cos=0.5, interval_s=3_600, core_visits=3, days_more_than=2, crowd_visits=20)
HOUR_US = 3_600_000_000
NOW_US = 1_772_413_200_000_000


def axis(*numbers):
    """A vector half-way between some axes."""
    vector = np.zeros(DIMS, np.float32)
    vector[list(numbers)] = 1
    return vector / np.linalg.norm(vector)


def near_to(vector, seed, noise=0.05):
    moved = vector + noise * np.random.default_rng(seed).standard_normal(DIMS).astype(np.float32)
    return (moved / np.linalg.norm(moved)).astype(np.float32)


def at(visits, vector, name, *, day, hour=0.0):
    return visits.count(name, vector, day=day, at_us=int((day * 24 + hour) * HOUR_US))


def names(visits):
    return [one.id for one in visits]


def test_somebody_who_is_there_on_more_days_than_the_rules_allow_becomes_a_lead():
    visits = Visits(RULES, dims=DIMS)
    said = [at(visits, near_to(axis(1), day), f"a{day}", day=day) for day in (1, 2, 3)]
    assert [one.is_lead(RULES) for one in said] == [False, False, True]
    assert (said[-1].days, names(said[-1].group)) == (3, ["a1", "a2", "a3"])
    other = at(visits, axis(9), "b1", day=3)
    assert (other.near, other.group, other.days) == ((), (), 0)


def test_one_visit_is_counted_once_however_often_it_is_captured():
    visits = Visits(RULES, dims=DIMS)
    assert at(visits, axis(1), "a", day=1).visit is not None
    assert at(visits, near_to(axis(1), 1), "b", day=1, hour=0.9).visit is None
    assert at(visits, near_to(axis(1), 2), "c", day=1, hour=1.8).visit is None  # close to the last one, and so on
    assert at(visits, near_to(axis(1), 3), "d", day=1, hour=3).visit is not None
    assert len(visits) == 2


def test_three_visits_of_one_day_are_a_group_and_no_lead():
    visits = Visits(RULES, dims=DIMS)
    said = [at(visits, near_to(axis(1), n), f"a{n}", day=1, hour=n * 3) for n in range(6)]
    assert (len(said[-1].group), said[-1].days, said[-1].is_lead(RULES)) == (6, 1, False)


def mixture(**parts):
    vector = np.zeros(DIMS, np.float32)
    for name, share in parts.items():
        vector[int(name[1:])] = share
    return vector / np.linalg.norm(vector)


def two_people():
    """Four visits each, all cores, nobody of one alike to anybody of the other."""
    visits = Visits(FrequentRules(same_cos=0.5, core_visits=4, interval_s=3_600), dims=DIMS)
    for n in (1, 2, 3, 4):
        at(visits, mixture(**{"_1": 1, f"_{10 + n}": 0.4}), f"a{n}", day=n)
        at(visits, mixture(**{"_2": 1, f"_{20 + n}": 0.4}), f"b{n}", day=n)
    assert names(visits.group_of("a1")) == ["a1", "a2", "a3", "a4"]
    return visits


def test_a_face_that_is_no_core_joins_the_group_it_is_most_like_and_never_two():
    visits = two_people()
    between = at(visits, mixture(_1=0.5, _11=0.7, _2=0.5, _21=0.8), "x", day=5)
    assert between.near == ("a1", "b1")
    assert names(between.group) == ["b1", "b2", "b3", "b4", "x"]
    assert names(visits.group_of("a1")) == ["a1", "a2", "a3", "a4"]


def test_a_face_that_is_no_core_extends_no_group():
    visits = two_people()
    edge = at(visits, mixture(_1=0.5, _11=0.8), "x", day=5)
    assert (edge.near, names(edge.group)) == (("a1",), ["a1", "a2", "a3", "a4", "x"])
    beyond = at(visits, axis(11), "y", day=6)
    assert (beyond.near, beyond.group) == (("x",), ())
    assert names(visits.group_of("a1")) == ["a1", "a2", "a3", "a4", "x"]


def test_a_crowd_is_no_person():
    visits = Visits(RULES, dims=DIMS)
    said = [at(visits, near_to(axis(1), n, 0.01), f"v{n}", day=n) for n in range(22)]
    assert [one.is_lead(RULES) for one in said[18:]] == [True, True, False, False]
    assert said[-1].crowd
    ordinary = [at(visits, near_to(axis(1), n, 0.01), f"v{n}", day=n) for n in range(22, 60)]
    assert ordinary[-1].visit is None  # nor are its links kept
    assert len(visits) <= 2 * RULES.crowd_visits + 1


def test_days_that_leave_the_window_leave_nothing_and_take_the_lead_with_them():
    visits = Visits(RULES, dims=DIMS)
    for day in (1, 2, 3, 4):
        at(visits, near_to(axis(1), day), f"a{day}", day=day)
    assert visits.drop({1, 2}) == 2
    assert (len(visits), visits.days()) == (2, {3, 4})
    assert np.count_nonzero(np.abs(visits._vectors).sum(1)) == 2
    assert visits.group_of("a3") == ()  # two are no core
    found = at(visits, near_to(axis(1), 5), "a5", day=5)
    assert (found.days, found.is_lead(RULES)) == (3, True)
    assert visits.group_of("a1") == ()
    visits.drop_all()
    assert len(visits) == 0
    assert not visits._vectors.any()


def test_what_is_read_back_is_what_was_counted():
    one, other = Visits(RULES, dims=DIMS), Visits(RULES, dims=DIMS)
    kept = []
    for n in range(1_100):
        vector = near_to(near_to(axis(0), n % 90, noise=9.0), n)
        counted = at(one, vector, f"v{n:04d}", day=n)
        kept.append((counted.visit, vector, counted.near))
    for visit, vector, near in kept:
        other.restore(visit, vector, near)
    for visit, _, _ in kept[::37]:
        assert one.group_of(visit.id) == other.group_of(visit.id)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 1000)), max_size=30), st.randoms())
def test_the_order_in_which_visits_come_changes_no_group(drawn, chance):
    faces = [(f"v{n:02d}", near_to(axis(a, b), seed, 0.08), n) for n, (a, b, seed) in enumerate(drawn)]
    mixed = list(faces)
    chance.shuffle(mixed)
    found = []
    for given_faces in (faces, mixed):
        visits = Visits(RULES, dims=DIMS)
        for name, vector, day in given_faces:
            at(visits, vector, name, day=day)
        found.append({name: set(names(visits.group_of(name))) for name, _, _ in faces})
    assert found[0] == found[1]


@pytest.mark.parametrize("dims", [2, 32, 128, 512])
def test_turned_faces_keep_their_cosines_and_tell_nothing_across_windows(dims):
    chance = np.random.default_rng(dims)
    faces = chance.standard_normal((20, dims)).astype(np.float32)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    one, other = turning(b"a" * 32, dims), turning(b"b" * 32, dims)
    assert np.allclose(one @ one.T, np.eye(dims), atol=1e-12)
    turned = np.stack([turn(one, face) for face in faces])
    assert np.allclose(turned @ turned.T, faces @ faces.T, atol=1e-5)
    assert np.allclose(turn_back(one, turned), faces, atol=1e-5)
    assert np.array_equal(turning(b"a" * 32, dims), one)
    if dims >= 128:  # the same face in two windows, and unturned, is as unlike as two strangers
        again = np.stack([turn(other, face) for face in faces])
        assert np.abs(np.einsum("nd,nd->n", turned, again)).max() < 0.45
        assert np.abs(np.einsum("nd,nd->n", turned, faces)).max() < 0.45


def keys_in(folder):
    return WindowKeys(folder=folder / "keys", sealer=Vault(b"v" * 32).sealer("frequent"))


def keep(db, keys, *, day, name):
    with db.write() as connection:
        sealer = store.open_day(connection, keys, day, now_us=NOW_US)
        seen = Seen(at_us=day, camera_id="CAM-CANARY", near=(), vector=store.packed_vector(axis(1)))
        store.add_visit(connection, sealer, Visit(id=name, day=day, at_us=day), seen=seen, salt_id="fs_1")


def test_when_the_key_of_a_day_is_gone_nothing_of_it_opens_in_no_copy_of_the_rows(db, tmp_path):
    keys = keys_in(tmp_path)
    for day in (100, 101):
        keep(db, keys, day=day, name=f"fv_{day}")
    with db.read() as connection:
        assert len(list(store.read_visits(connection, keys, salt_id="fs_1"))) == 2
        backup = [dict(row) for row in connection.execute(visit_rows.select()).mappings()]
    assert all(b"CANARY" not in row["sealed"] for row in backup)
    with db.write() as connection:
        assert store.purge(connection, keys, before_day=101, now_us=NOW_US) == [100]
        assert store.live_days(connection) == [101]
        assert [visit.id for visit, _ in store.read_visits(connection, keys, salt_id="fs_1")] == ["fv_101"]
    assert keys.names() == ["day-101"]
    with db.write() as connection:  # somebody restores a backup of the database
        connection.execute(store.days.insert().values(day=100, made_at_us=NOW_US))
        connection.execute(visit_rows.insert().values(**backup[0]))
        assert [visit.id for visit, _ in store.read_visits(connection, keys, salt_id="fs_1")] == ["fv_101"]
        assert store.find_visits(connection, keys, ["fv_100"]) == []
    other = keys.make("day-100")  # a new key of that name opens nothing either
    with pytest.raises(Tampered):
        other.open(backup[0]["sealed"], context=b"fv_100")


def test_a_salt_takes_the_place_of_the_one_before_and_its_key_dies(db, tmp_path):
    keys = keys_in(tmp_path)
    for number in (1, 2):
        salt = Salt(id=f"fs_{number}", pack="p", dims=DIMS, secret=bytes([number]) * 32, made_at_us=number)
        with db.write() as connection:
            store.put_salt(connection, keys, salt)
            assert store.find_salt(connection, keys) == salt
            store.erase_salts(connection, keys)
        assert keys.names() == [f"salt-fs_{number}"]


def test_a_lead_dies_with_its_day_and_with_it_its_pictures(db, tmp_path):
    keys = keys_in(tmp_path)
    keep(db, keys, day=100, name="fv_1")
    keep(db, keys, day=101, name="fv_2")
    with db.write() as connection:
        sealer = store.open_day(connection, keys, 100, now_us=NOW_US)
        lead = store.raise_lead(connection, sealer, day=100, visit_ids=["fv_1", "fv_2"], days_seen=5, now_us=NOW_US)
        today = store.open_day(connection, keys, 101, now_us=NOW_US)
        assert store.add_still(connection, today, lead, day=101, picture=b"a picture")
        assert not store.add_still(connection, today, lead, day=101, picture=b"another")
        assert store.visits_of_lead(connection, keys, lead) == ["fv_1", "fv_2"]
        assert store.stills_of_lead(connection, keys, lead) == {101: b"a picture"}
        store.purge(connection, keys, before_day=101, now_us=NOW_US)
        with pytest.raises(NotFound):
            store.find_lead(connection, lead)
        assert store.stills_of_lead(connection, keys, lead) == {}
        assert store.live_days(connection) == [101]
        store.purge_all(connection, keys, now_us=NOW_US)
        assert store.live_days(connection) == []
    assert keys.names() == []
