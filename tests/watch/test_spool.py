"""The spool keeps what it took through crashes and full disks, in order, sealed, and erases what was worked off."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from itertools import count
from pathlib import Path

import pytest

from shouhao.kernel.errors import Unavailable
from shouhao.store.vault import Vault
from shouhao.watch.model import Arrival
from shouhao.watch.spool import Spool, SpoolLimits
from shouhao.watch.spool_format import HEADER, Place, key_path, segment_path, segments_in
from shouhao.watch.spool_reader import Position, SpoolReader

VAULT = Vault(b"s" * 32)
SEALER = VAULT.sealer("watch.spool")
SMALL = SpoolLimits(bytes_max=1_000_000, free_bytes_min=0, segment_bytes=20_000, segment_s=10)
START_US = 1_800_000_000_000_000
CANARY = b"a face that matched nobody"


def arrival(n, *, device="d1", body=None, at_us=None):
    return Arrival(
        source="gat1400",
        device_id=device,
        proven=True,
        path="/VIID/Faces",
        content_type="application/json",
        body=b"%d " % n + (CANARY if body is None else body),
        arrived_at_us=START_US + n if at_us is None else at_us,
    )


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.us = START_US

    def __call__(self):
        return self.us


def spool(folder, writer="receiver", *, limits=SMALL, now=None):
    return Spool(folder, writer, sealer=SEALER, now_us=now or Time(), limits=limits)


def numbers(items):
    return [int(item.arrival.body.split()[0]) for item in items if item.arrival is not None]


def all_of(reader, **options):
    found = []
    while some := reader.read(**options):
        found += some
    return found


def read_all(folder, positions=None):
    with SpoolReader(folder, SEALER, positions) as reader:
        return numbers(all_of(reader))


def test_what_was_appended_is_read_in_its_order_over_many_segments(tmp_path):
    with spool(tmp_path) as writer:
        for n in range(300):
            writer.append([arrival(n, body=b"x" * 500)])
    assert len(segments_in(tmp_path / "receiver")) > 3
    assert read_all(tmp_path) == list(range(300))


def test_an_arrival_comes_back_as_it_was_handed_in(tmp_path):
    given = arrival(7, body=bytes(range(256)) * 100)
    with spool(tmp_path) as writer:
        writer.append([given])
    with SpoolReader(tmp_path, SEALER) as reader:
        (item,) = reader.read()
    assert item.arrival == given
    assert not item.again


def test_a_reader_sees_what_is_appended_after_it_had_reached_the_end(tmp_path):
    with spool(tmp_path) as writer, SpoolReader(tmp_path, SEALER) as reader:
        assert reader.read() == []
        writer.append([arrival(1)])
        assert numbers(reader.read()) == [1]
        assert reader.read() == []
        writer.append([arrival(2), arrival(3)])
        assert numbers(reader.read()) == [2, 3]


def test_two_writers_are_merged_by_arrival_and_each_keeps_its_order(tmp_path):
    with spool(tmp_path, "receiver") as one, spool(tmp_path, "pull-1") as other:
        for n in range(0, 100, 2):
            one.append([arrival(n, device="a")])
            other.append([arrival(n + 1, device="b")])
        one.append([arrival(200, device="a", at_us=START_US + 5)])  # its clock was set back
        assert read_all(tmp_path) == [*range(99), 200, 99]


def test_many_threads_lose_nothing_and_share_their_writes(tmp_path, monkeypatch):
    synced = count()
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (next(synced), real(handle))[1])
    with spool(tmp_path, limits=SpoolLimits(free_bytes_min=0)) as writer:

        def push(thread):
            for n in range(50):
                writer.append([arrival(thread * 1000 + n)])

        threads = [threading.Thread(target=push, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = read_all(tmp_path)
    assert sorted(found) == sorted(thread * 1000 + n for thread in range(16) for n in range(50))
    for thread in range(16):
        assert [n % 1000 for n in found if n // 1000 == thread] == list(range(50))
    assert next(synced) < 800


def test_a_second_process_may_not_write_under_the_same_name_nor_read_at_the_same_time(tmp_path):
    with spool(tmp_path), SpoolReader(tmp_path, SEALER):
        with pytest.raises(Unavailable, match="writer"):
            spool(tmp_path)
        with pytest.raises(Unavailable, match="reader"):
            SpoolReader(tmp_path, SEALER)
    spool(tmp_path).close()


def test_nothing_lies_open_on_the_disk_and_only_its_owner_may_read(tmp_path):
    with spool(tmp_path) as writer:
        writer.append([arrival(1)])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        assert CANARY not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_a_torn_tail_is_cut_and_told_and_the_rest_stands(tmp_path, capsys):
    with spool(tmp_path) as writer:
        for n in range(5):
            writer.append([arrival(n)])
    (number,) = segments_in(tmp_path / "receiver")
    path = segment_path(tmp_path / "receiver", number)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])  # as a power cut leaves it
    with spool(tmp_path) as writer:
        writer.append([arrival(9)])
    assert "spool_tail_cut" in capsys.readouterr().out
    assert len(path.read_bytes()) == len(HEADER) + (len(whole) - len(HEADER)) * 4 // 5
    assert read_all(tmp_path) == [0, 1, 2, 3, 9]


def test_a_tail_that_is_still_being_written_is_waited_for(tmp_path):
    with spool(tmp_path) as writer:
        writer.append([arrival(1)])
        writer.append([arrival(2)])
    (number,) = segments_in(tmp_path / "receiver")
    path = segment_path(tmp_path / "receiver", number)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with SpoolReader(tmp_path, SEALER) as reader:
        assert numbers(all_of(reader)) == [1]
        path.write_bytes(whole)
        assert numbers(all_of(reader)) == [2]


def test_a_damaged_frame_is_told_and_the_next_ones_are_read(tmp_path, capsys):
    with spool(tmp_path) as writer:
        for n in range(3):
            writer.append([arrival(n)])
        first = segments_in(tmp_path / "receiver")[0]
    with spool(tmp_path) as writer:
        writer.append([arrival(3)])
    path = segment_path(tmp_path / "receiver", first)
    bytes_of = bytearray(path.read_bytes())
    bytes_of[len(HEADER) + 40] ^= 1
    path.write_bytes(bytes_of)
    with SpoolReader(tmp_path, SEALER) as reader:
        items = all_of(reader)
    assert numbers(items) == [1, 2, 3]
    assert len(items) == 4  # the lost one is passed with its place
    assert "spool_damaged" in capsys.readouterr().out


def test_a_frame_put_in_anothers_place_does_not_open(tmp_path, capsys):
    with spool(tmp_path) as writer:
        writer.append([arrival(1, body=b"same size")])
        writer.append([arrival(2, body=b"same size")])
    (number,) = segments_in(tmp_path / "receiver")
    path = segment_path(tmp_path / "receiver", number)
    whole = path.read_bytes()
    frame = (len(whole) - len(HEADER)) // 2
    one, other = whole[len(HEADER) : len(HEADER) + frame], whole[len(HEADER) + frame :]
    path.write_bytes(whole[: len(HEADER)] + other + one)
    assert read_all(tmp_path) == []
    assert "spool_tampered" in capsys.readouterr().out


def test_after_a_restart_reading_goes_on_at_the_stored_place_and_says_what_comes_again(tmp_path):
    with spool(tmp_path) as writer:
        for n in range(60):
            writer.append([arrival(n, body=b"y" * 900)])
    with SpoolReader(tmp_path, SEALER) as reader:
        items = reader.read(most=40)
    position = Position(done=items[29].end, kept=items[10].start)
    with SpoolReader(tmp_path, SEALER, {"receiver": position}) as reader:
        later = all_of(reader)
    assert numbers(later) == list(range(10, 60))
    assert [item.again for item in later] == [True] * 20 + [False] * 30


def test_worked_off_segments_are_erased_their_keys_first_and_the_rest_stands(tmp_path):
    now = Time()
    with spool(tmp_path, now=now) as writer:
        for n in range(60):
            writer.append([arrival(n, body=b"y" * 900)])
        folder = tmp_path / "receiver"
        before = segments_in(folder)
        with SpoolReader(tmp_path, SEALER) as reader:
            items = reader.read(most=50)
            place = items[-1].end
            erased = reader.erase_done({"receiver": Position(done=place, kept=place)}, now_us=now.us)
            assert erased == len([number for number in before if number < place.segment])
            assert segments_in(folder) == [number for number in before if number >= place.segment]
            assert not key_path(folder, before[0]).exists()
            assert numbers(all_of(reader)) == list(range(50, 60))


def test_a_passage_that_is_open_keeps_its_segment(tmp_path):
    now = Time()
    with spool(tmp_path, now=now) as writer:
        for n in range(60):
            writer.append([arrival(n, body=b"y" * 900)])
        folder = tmp_path / "receiver"
        before = segments_in(folder)
        with SpoolReader(tmp_path, SEALER) as reader:
            items = all_of(reader)
            position = Position(done=items[-1].end, kept=items[2].start)
            assert reader.erase_done({"receiver": position}, now_us=now.us + 3_600_000_000) == 0
            assert segments_in(folder) == before


def test_the_segment_being_written_goes_too_once_it_is_old_and_the_writer_begins_another(tmp_path):
    now = Time()
    with spool(tmp_path, now=now) as writer, SpoolReader(tmp_path, SEALER) as reader:
        writer.append([arrival(1)])
        (item,) = reader.read()
        position = {"receiver": Position(done=item.end, kept=item.end)}
        assert reader.erase_done(position, now_us=now.us) == 0  # too young: each arrival would make a key
        now.us += 11_000_000
        assert reader.erase_done(position, now_us=now.us) == 1
        assert [path.name for path in (tmp_path / "receiver").iterdir()] == ["writer.lock"]
        writer.append([arrival(2)])
        assert numbers(reader.read()) == [2]


def test_an_arrival_that_came_meanwhile_keeps_the_segment(tmp_path):
    now = Time()
    with spool(tmp_path, now=now) as writer, SpoolReader(tmp_path, SEALER) as reader:
        writer.append([arrival(1)])
        (item,) = reader.read()
        writer.append([arrival(2)])
        now.us += 11_000_000
        position = {"receiver": Position(done=item.end, kept=item.end)}
        assert reader.erase_done(position, now_us=now.us) == 0
        assert numbers(reader.read()) == [2]


def test_numbers_of_segments_are_never_used_twice_even_when_the_clock_is_set_back(tmp_path):
    now = Time()
    with spool(tmp_path, now=now) as writer:
        writer.append([arrival(1)])
        first = segments_in(tmp_path / "receiver")[0]
        segment_path(tmp_path / "receiver", first).unlink()
        now.us -= 1_000_000_000
        writer.append([arrival(2)])
        assert segments_in(tmp_path / "receiver")[0] > first
    with spool(tmp_path, now=now) as writer:
        writer.append([arrival(3)])
    assert read_all(tmp_path, {"receiver": Position(done=Place(first, 99), kept=Place(first, 99))}) == [2, 3]


def test_a_spool_that_is_full_refuses_whole_appends_and_takes_more_once_it_was_read(tmp_path):
    now = Time()
    limits = SpoolLimits(bytes_max=100_000, free_bytes_min=0, segment_bytes=20_000)
    with spool(tmp_path, now=now, limits=limits) as writer:
        taken = 0
        while writer._size + 7_000 < limits.bytes_max:
            writer.append([arrival(taken, body=b"z" * 5_000)])
            taken += 1
        with pytest.raises(Unavailable, match="spool"):
            writer.append([arrival(taken, body=b"z" * 5_000)])
        assert taken > 10
        with SpoolReader(tmp_path, SEALER) as reader:
            items = all_of(reader)
            assert numbers(items) == list(range(taken))
            place = items[-1].end
            assert reader.erase_done({"receiver": Position(done=place, kept=place)}, now_us=now.us + 20_000_000)
        writer.append([arrival(taken)])


def test_a_disk_that_is_nearly_full_is_left_to_the_database(tmp_path):
    limits = SpoolLimits(free_bytes_min=1 << 60)
    with spool(tmp_path, limits=limits) as writer, pytest.raises(Unavailable, match="spool"):
        writer.append([arrival(1)])
    assert read_all(tmp_path) == []


_FULL = """
    import resource, signal, sys
    from pathlib import Path
    from tests.watch.test_spool import arrival, spool
    from shouhao.kernel.errors import Unavailable

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with spool(Path(sys.argv[1])) as writer:
        writer.append([arrival(0)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            writer.append([arrival(1), arrival(2, body=b"w" * 5_000)])
        except Unavailable as error:
            print("refused", error.what)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        writer.append([arrival(3)])
"""


def child(code, *arguments, **options):
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_write_that_the_disk_cuts_short_leaves_nothing_of_it_and_the_next_one_is_kept(tmp_path):
    process = child(_FULL, tmp_path)
    told, _ = process.communicate(timeout=60)
    assert "refused spool" in told
    assert process.returncode == 0
    assert read_all(tmp_path) == [0, 3]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


_ENDLESS = """
    import sys
    from pathlib import Path
    from itertools import count
from pathlib import Path
    from tests.watch.test_spool import arrival, spool

    with spool(Path(sys.argv[1]), limits=None) as writer:
        for n in count():
            writer.append([arrival(n, body=b"k" * 3_000)])
            print(n, flush=True)
"""


@pytest.mark.parametrize("after", [1, 40, 150])
def test_what_was_confirmed_before_a_kill_is_there_in_order_and_once(tmp_path, after):
    process = child(_ENDLESS, tmp_path)
    confirmed = -1
    for line in process.stdout:
        if line.strip().isdigit():
            confirmed = int(line)
        if confirmed >= after:
            process.send_signal(signal.SIGKILL)
            break
    rest = process.communicate(timeout=60)[0].split()
    confirmed = max([confirmed, *(int(n) for n in rest if n.isdigit())])
    spool(tmp_path, limits=None).close()  # the next writer takes the folder over
    found = read_all(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) > confirmed
