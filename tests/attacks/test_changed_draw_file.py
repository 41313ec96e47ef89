"""Attack: a published draw is changed, by a byte or by someone who makes all the rest fit again."""

import ast
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from published_draw import DRAW, ENTRIES, EVERYBODY, file_of, witness
from shouhao.booking.release.draw import Entry, allocate, rank
from shouhao.booking.release.draw_file import canonical, read, sealed_root, verify
from shouhao.booking.release.draw_form import TRUST
from shouhao.booking.release.seal import Contribution, commitment, final_seed
from shouhao.kernel.errors import InvalidInput
from warm_command import run_command

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "verify_draw.py"
ALONE = runpy.run_path(str(SCRIPT))
GOOD = {level: canonical(file_of(contributions=EVERYBODY[:count])) for level, count in (("sealed", 0), ("public", 3))}


def verifies(raw):
    try:
        return all(check.holds for check in verify(read(raw)))
    except InvalidInput:
        return False


def verifies_alone(raw, tmp_path):
    path = tmp_path / "draw.json"
    path.write_bytes(raw)
    return ALONE["main"]([str(path)]) == 0


def by_script(path):
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), str(path)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode


def resealed(file, *, secret=None, **changed):
    """What someone can publish who has the secret and makes everything fit again."""
    file = {**file, **changed}
    file["secret"] = file["secret"] if secret is None else secret.hex()
    given = [
        Contribution(**{**one, "value": bytes.fromhex(one["value"]), "commitment": one["commitment"]})
        for one in file["contributions"]
    ]
    entries = [Entry(id=one["id"], people=tuple(one["people"]), wishes=tuple(one["wishes"])) for one in file["entries"]]
    root = sealed_root(file["draw"], entries)
    seed = final_seed(draw_id=file["draw"]["id"], root=root, secret=bytes.fromhex(file["secret"]), contributions=given)
    result = allocate(rank(entries, seed=seed), {one["id"]: one["seats"] for one in file["draw"]["targets"]})
    return file | {
        "root": root.hex(),
        "seed": seed.hex(),
        "order": list(result.order),
        "wins": [{"id": win.entry_id, "target": win.target} for win in result.wins],
    }


@pytest.mark.parametrize("level", GOOD)
def test_no_byte_can_be_changed(level, tmp_path, capsys):
    good = GOOD[level]
    assert verifies(good)
    assert verifies_alone(good, tmp_path)
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 7
        assert not verifies(bytes(changed)), (position, good[position - 20 : position + 20])
        assert not verifies_alone(bytes(changed), tmp_path), (position, good[position - 20 : position + 20])


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_no_byte_can_be_added_taken_or_moved(level, data):
    good = GOOD[level]
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(0, len(good) - 1))
    added = good[:at] + data.draw(st.binary(min_size=1, max_size=3)) + good[at:]
    taken = good[:at] + good[at + 1 :]
    moved = bytearray(good)
    moved[at], moved[other] = moved[other], moved[at]
    for changed in {added, taken, bytes(moved)} - {good}:
        assert not verifies(changed)


def changes():
    """Files in which everything that can be computed anew was computed anew."""
    file = json.loads(GOOD["public"])
    fewer = [one for one in file["entries"] if one["id"] != "de_003"]
    winner, loser = file["wins"][0]["id"], file["order"][-1]
    yield "the order was turned", {**file, "order": file["order"][::-1]}
    yield "a winner was exchanged", {**file, "wins": [{**file["wins"][0], "id": loser}, *file["wins"][1:]]}
    yield "a winner was dropped", {**file, "wins": file["wins"][1:]}
    yield "a winner was written twice", {**file, "wins": [file["wins"][0], *file["wins"]]}
    yield "another secret than was committed to", resealed(file, secret=b"x" * 32)
    yield (
        "another value than the witness committed to",
        resealed(file, contributions=[*file["contributions"][:2], {**file["contributions"][2], "value": "00" * 32}]),
    )
    yield (
        "a witness who never committed",
        resealed(
            file,
            contributions=[*file["contributions"], {**file["contributions"][-1], "who": "z", "commitment": None}],
        ),
    )
    yield (
        "another round of the beacon",
        resealed(file, contributions=[{**file["contributions"][0], "round": 1}, *file["contributions"][1:]]),
    )
    yield (
        "the hospital as its own witness",
        resealed(
            file,
            contributions=[
                file["contributions"][0],
                {"kind": "witness", "who": "hospital", "round": None, "value": file["secret"]}
                | {"commitment": file["draw"]["commitment"]},
            ],
        ),
    )
    yield "the beacon left out and the level kept", resealed(file, contributions=file["contributions"][1:])
    twice = [{**one, "people": ["t1"]} if one["id"] == "de_100" else one for one in fewer]
    yield "one person in two entries", {**file, "entries": twice}
    yield "an entry that was left out", {**file, "draw": {**file["draw"], "left_out": [{"id": winner, "reason": "x"}]}}
    yield "a number more in an entry", {**file, "entries": [{**one, "at": 1} for one in file["entries"]]}
    yield "a field more", {**file, "note": "x"}
    yield (
        "a seat of another kind",
        resealed(file, draw={**file["draw"], "targets": [{**one, "seats": 2.0} for one in file["draw"]["targets"]]}),
    )
    yield "other words for the rule", {**file, "rule": {"zh": "x", "en": "x"}}
    yield "other words for the trust", {**file, "trust": {**TRUST["sealed"], "level": "public"}}
    yield "the secret in capitals", {**file, "secret": file["secret"].upper()}
    yield "another format", {**file, "format": "other"}
    yield "another version", {**file, "version": 2}
    yield "a version that only equals one", {**file, "version": True}


CHANGES = dict(changes())


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_made_to_fit_again_is_refused_by_both_verifiers(change, tmp_path, capsys):
    raw = canonical(CHANGES[change])
    assert raw != GOOD["public"]
    assert not verifies(raw)
    assert not verifies_alone(raw, tmp_path)


def test_what_was_sealed_is_seen_by_its_root():
    """Who has every value can make another draw that fits in itself; the root that was published shows it."""
    file = json.loads(GOOD["sealed"])
    fewer = resealed(file, entries=[one for one in file["entries"] if one["id"] != "de_003"])
    more = [{**one, "seats": one["seats"] + 1} for one in file["draw"]["targets"]]
    richer = resealed(file, draw={**file["draw"], "targets": more})
    for other in (fewer, richer):
        assert verifies(canonical(other))
        assert other["root"] != file["root"]


def test_a_made_up_value_of_a_beacon_is_seen_by_comparing_it_with_the_beacons():
    """No signature of a beacon is checked here; the file and the command show the value, and say to compare it."""
    file = json.loads(GOOD["public"])
    first = {**file["contributions"][0], "value": "00" * 32}
    forged = resealed(file, contributions=[first, *file["contributions"][1:]])
    assert verifies(canonical(forged))
    assert "Compare it there" in forged["trust"]["en"]


def test_a_contribution_of_another_draw_is_worth_nothing():
    elsewhere = witness("NotaryOffice", b"1" * 32, draw_id="dr_2")
    assert elsewhere.commitment != commitment(DRAW, elsewhere.value, who=elsewhere.who)


@pytest.mark.parametrize(
    "raw",
    [
        GOOD["public"],
        GOOD["sealed"],
        GOOD["public"][:-1],
        GOOD["public"].replace(b"NotaryOffice", b"notaryoffice"),
        b"",
        b"{}",
        b"[]",
        b"[" * 200_000,
        b"\xff",
        b"null",
        b'{"draw":1e999}',
        b'{"a":' + b"9" * 9_000 + b"}",
    ],
)
def test_the_script_alone_gives_the_same_verdict(raw, tmp_path):
    path = tmp_path / "draw.json"
    path.write_bytes(raw)
    assert by_script(path) == (0 if verifies(raw) else 1)


def test_the_script_alone_says_no_to_what_is_no_file_and_how_it_is_used(tmp_path):
    assert by_script(tmp_path) == 1
    assert by_script(tmp_path / "nothing") == 1
    done = subprocess.run([sys.executable, "-I", "-S", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Exit status" in done.stderr


def test_the_script_is_short_enough_to_be_read_and_needs_nothing():
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    named = [node.module if isinstance(node, ast.ImportFrom) else alias.name for node in found for alias in node.names]
    assert {name.split(".")[0] for name in named if name} <= sys.stdlib_module_names


def test_the_script_is_written_in_the_python_that_old_machines_have():
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.fixture
def shouhao(tmp_path):
    def run(*words):
        done = run_command(["draw", "verify", *words], cwd=tmp_path, env={**os.environ, "COLUMNS": "200"})
        assert "Traceback" not in done.stderr
        return done

    return run


def test_the_command_shows_checks_trust_seats_and_winners(shouhao, tmp_path):
    path = tmp_path / "draw.json"
    path.write_bytes(GOOD["public"])
    file = json.loads(GOOD["public"])
    done = shouhao(path)
    assert done.returncode == 0
    assert TRUST["public"]["zh"] in done.stdout
    assert TRUST["public"]["en"] in done.stdout
    for win in file["wins"]:
        assert win["id"] in done.stdout
    said = json.loads(shouhao(path, "--json").stdout)
    assert (said["verifies"], said["trust"]["level"], said["wins"]) == (True, "public", file["wins"])
    assert all(check["holds"] for check in said["checks"])
    assert {one["id"]: one["seats"] for one in said["targets"]} == {"S1": 2, "S2": 3}


def test_the_command_shows_where_an_entry_stands(shouhao, tmp_path):
    path = tmp_path / "draw.json"
    path.write_bytes(GOOD["public"])
    file = json.loads(GOOD["public"])
    first, last = file["order"][0], file["order"][-1]
    said = json.loads(shouhao(path, "--json", "--entry", first).stdout)
    assert said["entry"] == {"id": first, "place": 1, "won": file["wins"][0]["target"]}
    assert f"place {len(ENTRIES)}" in shouhao(path, "--entry", last).stdout
    assert "booking.restricted" in shouhao(path, "--entry", "de_777").stdout
    unknown = shouhao(path, "--entry", "de_nobody")
    assert (unknown.returncode, "does not know" in unknown.stdout) == (1, True)


def test_the_command_says_no_and_why(shouhao, tmp_path):
    path = tmp_path / "draw.json"
    path.write_bytes(canonical(CHANGES["a winner was exchanged"]))
    done = shouhao(path)
    assert done.returncode == 1
    assert done.stdout.count("FAIL") == 1
    said = json.loads(shouhao(path, "--json").stdout)
    assert [check["code"] for check in said["checks"] if not check["holds"]] == ["wins"]
    path.write_bytes(canonical({**json.loads(GOOD["public"]), "note": "x"}))
    assert shouhao(path).returncode == 1


def test_the_command_says_no_to_what_is_no_draw_file(shouhao, tmp_path):
    path = tmp_path / "draw.json"
    for raw in (b"", b"not json", b"[" * 200_000, b"\xff\xfe"):
        path.write_bytes(raw)
        assert shouhao(path).returncode == 1
    with path.open("wb") as huge:
        huge.truncate(1 << 40)  # no byte of it is written
    assert shouhao(path).returncode == 1
    assert shouhao(tmp_path).returncode == 1
    assert shouhao(tmp_path / "nothing").returncode == 1
    assert shouhao().returncode == 2
    assert shouhao(path, "--nonsense").returncode == 2
