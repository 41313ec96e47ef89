"""Search: the answer of a full scan, whatever the vectors; what was removed is gone from memory."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import simsimd
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.faces import scan, search
from shouhao.faces.quantised import MOST_DIMS, Quantised, estimates, float_width, quantise, similarities, widths
from shouhao.faces.rows import LEAST_ROWS, Block
from shouhao.faces.search import ExactIndex, VectorRefused
from shouhao.kernel.errors import Unavailable

DIMS = (1, 2, 3, 31, 64, 128, 512)
FAMILIES = ("random", "tight", "twins", "outlier", "level", "sparse", "steps", "opposed")


def unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def family(name, rng, rows, dims):
    """Vectors of one kind; most are chosen to make int8 copies as wrong as they get."""
    made = rng.standard_normal((rows, dims)) + 1e-9
    match name:
        case "tight":  # all nearly alike
            made = rng.standard_normal(dims) + 1e-3 * made
        case "twins":  # copies, and copies off by one bit
            few = unit(made[: max(1, rows // 3)])[rng.integers(0, max(1, rows // 3), rows)] if rows else unit(made)
            return np.where(rng.random(few.shape) < 1 / dims, np.nextafter(few, np.float32(1)), few)
        case "outlier":  # one huge component leaves no levels for the rest
            made[np.arange(rows), rng.integers(0, dims, rows)] *= 100 * math.sqrt(dims)
        case "level":  # all components the same, save their sign
            made = np.where(rng.random((rows, dims)) < 0.1, -1.0, 1.0)
        case "sparse":
            made[rng.random(made.shape) < 0.9] = 0
            made[:, 0] += 1e-3
        case "steps":  # every component halfway between two levels
            made = rng.integers(-100, 100, (rows, dims)) + 0.5
            made[:, 0] = 127
        case "opposed":
            made = made * np.where(rng.random((rows, 1)) < 0.5, 1.0, -1.0) - 3
    return unit(made)


@st.composite
def galleries(draw):
    """Vectors of one or more kinds, probes far from them and near, and where to split what is added."""
    dims = draw(st.sampled_from(DIMS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(0, 150))
    kinds = draw(st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=3))
    vectors = np.concatenate([family(kind, rng, rows, dims) for kind in kinds]).astype(np.float32)
    rng.shuffle(vectors)
    probes = [family(draw(st.sampled_from(FAMILIES)), rng, 1, dims)[0] for _ in range(draw(st.integers(1, 3)))]
    if len(vectors):
        probes.append(vectors[draw(st.integers(0, len(vectors) - 1))])
        probes.append(unit(vectors[0] + 0.05 * rng.standard_normal(dims)))
    lists = rng.integers(0, 4, len(vectors)).astype(np.int32)
    return np.ascontiguousarray(vectors, np.float32), np.array(probes, np.float32), lists


def exact(vectors, probe):
    """Similarities as they are defined, one by one: exact products, a sum of halves, one rounding."""
    result = []
    for vector in vectors.tolist():
        terms = [a * b for a, b in zip(vector, probe.tolist(), strict=True)]
        terms += [0.0] * ((1 << (len(terms) - 1).bit_length()) - len(terms))
        while len(terms) > 1:
            half = len(terms) // 2
            terms = [a + b for a, b in zip(terms[:half], terms[half:], strict=True)]
        result.append(np.float32(terms[0]))
    return np.array(result, np.float32)


def full_scan(vectors, labels, probe, *, count=None, floors=None):
    """Labels and similarities in the order of the answer, found without the index."""
    found = exact(vectors, probe)
    order = sorted(range(len(labels)), key=lambda n: (-found[n], labels[n]))
    if floors is not None:
        order = [n for n in order if found[n] >= floors[n]]
    order = order[:count]
    return [int(labels[n]) for n in order], [float(found[n]) for n in order]


def told(matches):
    return matches.labels.tolist(), [float(one) for one in matches.similarities_cos]


def filled(vectors, lists=0, labels=None, **options):
    index = ExactIndex(vectors.shape[1], **options)
    index.add(vectors, labels=labels, list_numbers=lists)
    return index


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@settings(deadline=None)  # the machine may be busy; what is slow is the plain way it is held against
@given(galleries(), st.integers(1, 40))
def test_the_nearest_are_those_of_a_full_scan(gallery, count):
    vectors, probes, lists = gallery
    index = filled(vectors, lists)
    assert len(index.nearest(probes, 10**12)[0]) == len(vectors)
    for probe, matches in zip(probes, index.nearest(probes, count), strict=True):
        assert told(matches) == full_scan(vectors, range(len(vectors)), probe, count=count)
        assert matches.list_numbers.tolist() == lists[matches.labels].tolist()


@settings(deadline=None)
@given(galleries(), st.lists(st.floats(-1.1, 1.1), min_size=4, max_size=4), st.data())
def test_every_row_above_the_threshold_of_its_list_is_found(gallery, thresholds, data):
    vectors, probes, lists = gallery
    if len(vectors):  # a threshold that a row just reaches
        thresholds[0] = float(exact(vectors[data.draw(st.integers(0, len(vectors) - 1))][None], probes[0])[0])
    thresholds[data.draw(st.integers(0, 3))] = math.inf
    index = filled(vectors, lists)
    by_list = np.array(thresholds, np.float32)
    for probe, matches in zip(probes, index.at_least(probes, by_list), strict=True):
        assert told(matches) == full_scan(vectors, range(len(vectors)), probe, floors=by_list[lists])
    [matches] = index.at_least(probes[:1], thresholds[1])
    assert told(matches) == full_scan(vectors, range(len(vectors)), probes[0], floors=[by_list[1]] * len(vectors))


@settings(deadline=None)
@given(galleries(), st.data())
def test_adding_and_removing_in_any_order_leaves_the_same_answers(gallery, data):
    vectors, probes, lists = gallery
    index = ExactIndex(vectors.shape[1])
    kept = {}
    parts = data.draw(st.integers(1, 4))
    for part in np.array_split(np.arange(len(vectors)), parts):
        kept |= dict(zip(index.add(vectors[part], list_numbers=lists[part]).tolist(), part.tolist(), strict=True))
        gone = data.draw(st.sets(st.sampled_from(sorted(kept)))) if kept else set()
        assert index.remove([*gone, 10**9]) == len(gone)
        kept = {label: row for label, row in kept.items() if label not in gone}
    assert len(index) == len(kept)
    rows = list(kept.values())
    for probe, matches in zip(probes, index.nearest(probes, 10), strict=True):
        assert told(matches) == full_scan(vectors[rows], list(kept), probe, count=10)


@settings(deadline=None)
@given(galleries())
def test_no_similarity_lies_outside_the_bounds_of_its_estimate(gallery):
    vectors, probes, _ = gallery
    if not len(vectors):
        return
    small, asked = Quantised.empty(*vectors.shape), Quantised.empty(*probes.shape)
    quantise(vectors, small)
    quantise(probes, asked)
    about = estimates(asked, small)
    width = widths(asked.residuals[:, None], small.residuals)
    by_float = probes @ vectors.T
    for n, probe in enumerate(probes):
        truth = exact(vectors, probe)
        assert (about[n] - width[n] <= truth).all()
        assert (truth <= about[n] + width[n]).all()
        assert (np.abs(by_float[n] - truth) <= float_width(len(probe))).all()


def test_the_bounds_hold_at_the_most_dims_and_the_longest_residual(rng):
    vectors = family("steps", rng, 50, MOST_DIMS)
    along = unit(rng.choice([-1.0, 1.0], MOST_DIMS))
    small, asked = Quantised.empty(*vectors.shape), Quantised.empty(2, MOST_DIMS)
    quantise(vectors, small)
    lost = vectors[0] - small.values[0].astype(np.float64) * small.scales[0]
    probes = np.stack([along, unit(lost)])  # the second is the worst there is for row 0
    quantise(probes, asked)
    off = np.abs(estimates(asked, small) - np.stack([exact(vectors, probe) for probe in probes]))
    width = widths(asked.residuals[:, None], small.residuals)
    assert (off <= width).all()
    assert off[1, 0] > width[1, 0] / 4


def test_a_row_of_zeros_is_quantised_without_loss():
    small = Quantised.empty(1, 8)
    quantise(np.zeros((1, 8), np.float32), small)
    assert not small.values.any()
    assert small.residuals[0] < 1e-40


@pytest.mark.parametrize("dims", [1, 5, 63, 64, 65, 128, 512, 1040, MOST_DIMS])
def test_int8_products_are_exact_at_every_length(rng, dims):
    """The bound takes the library at its word; this is the word."""
    probes = rng.integers(-127, 128, (3, dims), dtype=np.int8)
    rows = rng.integers(-127, 128, (40, dims), dtype=np.int8)
    probes[0], rows[0], rows[1] = 127, 127, -127
    told_ = np.asarray(simsimd.cdist(probes, rows, metric="dot", out_dtype="float32"))
    assert (told_ == (probes.astype(np.int64) @ rows.T.astype(np.int64)).astype(np.float32)).all()


@settings(deadline=None)
@given(galleries())
def test_a_similarity_is_the_same_bits_one_by_one_and_together(gallery):
    vectors, probes, _ = gallery
    for probe in probes:
        assert similarities(vectors, probe).tolist() == exact(vectors, probe).tolist()


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("dims", [64, 320])
def test_large_galleries_answer_alike_however_they_are_scanned(rng, kind, dims, monkeypatch):
    vectors = np.concatenate([family(kind, rng, 2_000, dims), family("random", rng, 7_000, dims)]).astype(np.float32)
    probes = np.concatenate([vectors[:2], family(kind, rng, 7, dims), family("random", rng, 7, dims)])
    probes = np.ascontiguousarray(probes, np.float32)
    one, two = filled(vectors, threads=1), filled(vectors, threads=2)
    together = two.nearest(probes, 20)  # in float32, as they are many
    monkeypatch.setattr(scan, "_STEP_ROWS", 1000)
    for probe, matches in list(zip(probes, together, strict=True))[::3]:
        truth = similarities(vectors, probe)
        best = np.lexsort((np.arange(len(truth)), -truth))[:20]
        assert told(matches) == (best.tolist(), truth[best].tolist())
        assert told(one.nearest(probe[None], 20)[0]) == told(matches)
        assert told(two.nearest(probe[None], 20)[0]) == told(matches)
        floor = truth[best[-1]]
        assert told(two.at_least(probe[None], floor)[0]) == full_scan_of(truth, floor)


def full_scan_of(truth, floor):
    order = [int(n) for n in np.lexsort((np.arange(len(truth)), -truth)) if truth[n] >= floor]
    return order, truth[order].tolist()


def test_few_rows_are_looked_at_in_full(rng):
    vectors = family("random", rng, 20_000, 128)
    probe = unit(vectors[5] + 0.05 * rng.standard_normal(128))
    index = filled(vectors)
    assert index.nearest(probe[None], 1)[0].rescored < 20
    assert index.at_least(probe[None], 0.5)[0].rescored < 20


def test_equally_alike_rows_come_by_label(rng):
    vectors = np.repeat(family("random", rng, 1, 128), 50, axis=0)
    labels = rng.permutation(1000)[:50]
    index = filled(vectors, labels=labels)
    assert index.nearest(vectors[:1], 7)[0].labels.tolist() == sorted(labels.tolist())[:7]
    assert index.at_least(vectors[:1], 0.9)[0].labels.tolist() == sorted(labels.tolist())


def mapped(index):
    """All the bytes that the index keeps its rows in."""
    return b"".join(bytes(memoryview(block.memory._map)) for block in index._blocks)


def test_a_removed_vector_is_nowhere_in_the_memory(rng):
    vectors = family("random", rng, 3_000, 64)
    index = filled(vectors)
    for block in index._blocks:
        small = block.quantised.values[: block.used].copy()
    gone = [0, 1, 1500, 2998, 2999]
    before = mapped(index)
    assert all(vectors[n].tobytes() in before and small[n].tobytes() in before for n in gone)
    assert index.remove(gone) == len(gone)
    after = mapped(index)
    assert not any(vectors[n].tobytes() in after or small[n].tobytes() in after for n in gone)
    assert not any(vectors[n, :4].tobytes() in after for n in gone)
    assert all(after.count(vectors[n].tobytes()) == 1 for n in (*range(2, 1500, 100), 2995, 2996, 2997))


def test_room_is_used_again_and_given_back(rng):
    vectors = family("random", rng, 5_000, 64)
    index = filled(vectors)
    size = index.memory_bytes
    for start in range(0, 5_000, 1_000):
        index.remove(range(start, start + 1_000))
        index.add(vectors[start : start + 1_000])
    assert index.memory_bytes == size
    assert len(index) == 5_000
    assert index.remove(range(20_000)) == 5_000
    assert index.memory_bytes == 0
    assert index.nearest(vectors[:1], 3)[0].labels.tolist() == []


def test_labels_that_were_removed_are_not_given_again(rng):
    vectors = family("random", rng, 4, 64)
    index = ExactIndex(64)
    assert index.add(vectors[:2]).tolist() == [0, 1]
    index.remove([1])
    assert index.add(vectors[2:3]).tolist() == [2]
    assert index.add(vectors[3:], labels=np.array([70])).tolist() == [70]
    assert index.add(vectors[1:2]).tolist() == [71]
    with pytest.raises(ValueError, match="in use"):
        index.add(vectors[:1], labels=np.array([70]))
    with pytest.raises(ValueError, match="differ"):
        index.add(vectors[:2], labels=np.array([80, 80]))


def test_memory_stays_within_a_third_of_the_vectors_more(rng):
    at_once = filled(family("random", rng, 20_000, 512))
    assert at_once.memory_bytes <= 1.3 * len(at_once) * 512 * 4


def test_rows_added_few_at_a_time_end_up_in_few_blocks(rng):
    vectors = family("random", rng, 60_000, 32)
    index = ExactIndex(32)
    for start in range(0, len(vectors), 500):
        index.add(vectors[start : start + 500])
    assert len(index._blocks) <= 8
    assert sum(block.capacity for block in index._blocks) <= 1.04 * len(index)
    for n in (0, 31_415, 59_999):
        assert index.nearest(vectors[n : n + 1], 1)[0].labels.tolist() == [n]


def test_an_addition_that_finds_no_memory_leaves_nothing_behind(rng, monkeypatch):
    vectors = family("random", rng, 1_500, 64)
    index = filled(vectors[:1000])

    def no_memory(*_):
        raise MemoryError

    def refused(*_, **__):
        raise Unavailable("memory")

    with monkeypatch.context() as patched:
        patched.setattr(search, "Block", refused)
        with pytest.raises(Unavailable):
            index.add(vectors[1000:])
    with monkeypatch.context() as patched:
        patched.setattr(Block, "take_over", no_memory)
        with pytest.raises(MemoryError):
            index.add(vectors[1000:])
    assert len(index) == 1000
    assert vectors[1000].tobytes() not in mapped(index)
    assert index.add(vectors[1000:]).tolist() == list(range(1000, 1500))
    assert index.nearest(vectors[1200:1201], 1)[0].labels.tolist() == [1200]


@pytest.mark.parametrize("moved", ["into a hole", "with its block"])
def test_a_row_that_moves_takes_its_bound_along(rng, monkeypatch, moved):
    """An even row loses nothing as int8, an uneven one much; it is still found where only even ones were."""
    even = family("level", rng, LEAST_ROWS, 64)
    [uneven] = family("outlier", rng, 1, 64)
    small = Quantised.empty(1, 64)
    quantise(uneven[None], small)
    probe = unit(uneven - small.values[0].astype(np.float64) * small.scales[0])
    if moved == "into a hole":
        monkeypatch.setattr(search, "_MOVED_ROWS", 0)
        index = filled(even)
        index.add(uneven[None], labels=np.array([5_000]), list_numbers=1)
        assert len(index._blocks) == 2
        index.remove([3])
    else:
        index = filled(uneven[None], 1, np.array([5_000]))
        first = index._blocks[0]
        index.add(even)
        assert index._blocks[0] is not first
    only_it = np.array([np.inf, exact(uneven[None], probe)[0]])
    assert index.at_least(probe[None], only_it)[0].labels.tolist() == [5_000]


@pytest.mark.parametrize(
    "vectors",
    [
        np.eye(64, 32),
        np.ones(64) / 8,
        np.zeros((1, 64)),
        np.full((1, 64), np.nan),
        np.full((1, 64), 1e30),
        np.eye(1, 64) * 1.001,
        np.eye(1, 64) * 0.999,
        np.stack([np.eye(1, 64)[0], np.ones(64)]),
    ],
    ids=["dims", "one vector", "zeros", "nan", "huge", "too long", "too short", "the second"],
)
def test_what_is_no_unit_vector_is_refused_everywhere(vectors):
    index = filled(np.eye(3, 64, dtype=np.float32))
    for call in (index.add, lambda them: index.nearest(them, 1), lambda them: index.at_least(them, 0.5)):
        with pytest.raises(VectorRefused) as refused:
            call(vectors.astype(np.float32))
        assert "64" in refused.value.says("en") or "length" in refused.value.says("en")
    assert len(index) == 3


def test_a_list_without_a_threshold_is_a_mistake(rng):
    vectors = family("random", rng, 3, 64)
    index = filled(vectors, np.array([0, 1, 2], np.int32))
    with pytest.raises(ValueError, match="2 thresholds for 3 lists"):
        index.at_least(vectors, np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="a number"):
        index.at_least(vectors, np.array([0.5, 0.5, np.nan]))


def test_a_closed_index_answers_nothing_and_holds_nothing(rng):
    vectors = family("random", rng, 100, 64)
    index = filled(vectors)
    held = index._blocks[0].vectors
    index.close()
    assert not held.any()
    for call in (lambda: index.nearest(vectors[:1], 1), lambda: index.add(vectors), lambda: index.remove([1])):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_a_removal_waits_for_searches_and_an_addition_does_not(rng, monkeypatch):
    vectors = family("random", rng, 100, 64)
    index = filled(vectors)
    inside, go_on = threading.Event(), threading.Event()

    def held_up(*them):
        inside.set()
        assert go_on.wait(30)
        return similarities(*them)

    monkeypatch.setattr(scan, "similarities", held_up)
    with ThreadPoolExecutor(3) as threads:
        try:
            searching = threads.submit(index.nearest, vectors[:1], 100)
            assert inside.wait(30)
            added = threads.submit(index.add, vectors[:5])
            assert added.result(30).tolist() == [100, 101, 102, 103, 104]
            removing = threads.submit(index.remove, [0])
            while not index._gate._writer:
                assert not removing.done()
            later = threads.submit(index.nearest, vectors[:1], 200)
            assert vectors[0].tobytes() in mapped(index)
        finally:
            go_on.set()
        assert searching.result(30)[0].labels[0] == 0
        assert len(searching.result()[0]) == 100
        assert removing.result(30) == 1
        assert later.result(30)[0].labels[0] == 100
    assert len(index) == 104


def test_a_search_in_a_forked_child_is_a_mistake_and_no_empty_answer(rng, monkeypatch):
    vectors = family("random", rng, 3, 64)
    index = filled(vectors)
    monkeypatch.setattr(search.os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="forked"):
        index.nearest(vectors[:1], 1)


def test_readers_see_whole_changes_only(rng):
    """Pairs of opposite vectors come and go together; half a change would show one without the other."""
    still = family("random", rng, 12_000, 64)
    axis = unit(np.eye(1, 64)[0])
    pair = np.stack([axis, -axis])
    index = filled(still)
    stop, asked = threading.Event(), []

    def read():
        while not stop.is_set():
            [there] = index.at_least(axis[None], 0.999)
            asked.append(len(there))
            every = index.nearest(axis[None], len(still) + 2)[0]
            high, low = every.similarities_cos[0] == 1, every.similarities_cos[-1] == -1
            assert high == low, "half a change"
            assert len(every) == len(still) + 2 * high
            assert (np.abs(every.similarities_cos[1:-1]) < 0.999).all(), "a row that nobody has"

    with ThreadPoolExecutor(2) as readers:
        reading = [readers.submit(read) for _ in range(2)]
        try:
            for n in range(40):
                index.add(pair, labels=np.array([50_000 + 2 * n, 50_001 + 2 * n]))
                assert index.remove([50_000 + 2 * n, 50_001 + 2 * n]) == 2
        finally:
            stop.set()
        for one in reading:
            one.result()
    assert asked
    assert set(asked) <= {0, 1}
