"""`shouhao watchlist`: real models and photographs, from a list's beginning to its export, by operators with keys."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from lawful import go_live, make_lawful, operator
from shouhao.cli.main import app, main
from shouhao.flows.watchlist_exchange import ask_issuer
from shouhao.kernel.clock import DAY_US
from shouhao.settings import Settings
from shouhao.staff.approvals import decide
from shouhao.staff.store import authenticate, create_operator
from shouhao.staff.training import record_training
from shouhao.watch.bundle_seal import is_sealed, unseal
from shouhao.wiring import assemble
from watch.made_bundle import PUBLIC, bundle, given

RUN = CliRunner()


@pytest.fixture
def system(tmp_path, models_dir, monkeypatch):
    monkeypatch.setenv("SHOUHAO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SHOUHAO_MODELS", str(models_dir))
    monkeypatch.setenv("SHOUHAO_FACE_PACK", "arcface-onnx")
    monkeypatch.setenv("SHOUHAO_LOG_LEVEL", "ERROR")
    assert RUN.invoke(app, ["db", "upgrade"]).exit_code == 0
    opened = assemble(Settings())
    now_us = opened.clock.now_us()
    go_live(opened.db, "CAM1", now_us=now_us)
    make_lawful(opened.db, now_us=now_us)
    yield opened
    opened.close()


@pytest.fixture
def key_file(system, tmp_path):
    """The key of a trained member of the security office."""
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        made, key = create_operator(
            connection, "保卫处", roles=frozenset({"security"}), now_us=now_us, randomness=system.randomness
        )
        training = {"trained_by": "信息科", "document": "T-1", "until_us": now_us + 30 * DAY_US}
        record_training(connection, made.id, **training, now_us=now_us)
    path = tmp_path / "operator.key"
    path.touch(mode=0o600)
    path.write_text(key + "\n")
    return path


@pytest.fixture
def photographs(faces_dir):
    """Two photographs each of some people."""
    several = [one for one in sorted((faces_dir / "lfw-dev").iterdir()) if len(list(one.iterdir())) > 1]
    return [sorted(one.iterdir())[:2] for one in several[2:5]]


def run(*words, code=0, **more):
    said = RUN.invoke(app, ["watchlist", *map(str, words)], **more)
    assert said.exit_code == code, (said.output, said.exception)
    return said.output


def agree(system, approval_id, *roles):
    now_us = system.clock.now_us()
    for role in roles:
        who = operator(system.db, role, now_us=now_us)
        with system.db.write() as connection:
            decide(connection, approval_id, operator=who, approve=True, reason="已核对", now_us=now_us)


def test_a_list_begins_somebody_is_proposed_approved_listed_and_exported(system, key_file, photographs, tmp_path):
    key = ["--key-file", key_file]
    run("add-list", "own", "--name", "本院号贩子", "--ground", "维护秩序", "--false-alarms-a-day", "1", *key)
    about = tmp_path / "person.json"
    about.write_text(json.dumps({"name": "雷某", "ground": "当场查获", "reason": "多次查获"}))
    paper = tmp_path / "decision.pdf"
    paper.write_bytes(b"%PDF-1.7 decision")
    first = photographs[0][0]
    said = run(
        *("propose", about, "--list", "own", "--ground-code", "resale", "--photo", first, "--document", paper), *key
    )
    entry_id, approval_id = said.split()[0], said.split()[-1]
    agree(system, approval_id, "approver", "security")
    run("apply")
    (entry,) = json.loads(run("entries", "--json"))
    assert (entry["entry_id"], entry["state"]) == (entry_id, "approved")
    (one,) = json.loads(run("lists", "--json"))
    assert (one["entries"], one["thresholds"][0]["basis"]) == ({"approved": 1}, "manifest")
    assert 0.3976 < one["thresholds"][0]["similarity_cos"] < 0.4598  # FMR 5e-5, between two stated points
    asked = run("export", "--list", "own", "--recipient", "邻院", "--reason", "联防", *key).strip()
    agree(system, asked, "data_protection")
    theirs = X25519PrivateKey.generate()
    public = theirs.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    out = tmp_path / "own.bundle"
    run("export", "--approval", asked, "--to-key", public, "--out", out, *key)
    assert is_sealed(out.read_bytes())
    assert out.stat().st_mode & 0o077 == 0
    assert first.read_bytes() in unseal(out.read_bytes(), key=theirs)
    assert "0" in run("expire")
    assert run("review") == ""


def test_a_bundle_is_compared_and_what_cannot_be_taken_is_named(system, key_file, photographs, tmp_path):
    key = ["--key-file", key_file]
    run("add-list", "police", "--name", "警方名单", "--ground", "通报", "--false-alarms-a-day", "1", *key)
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        who = authenticate(connection, key_file.read_text().strip())
        asked = ask_issuer(
            connection,
            name="某市公安局",
            source="police",
            public_key=PUBLIC,
            reason="核对指纹",
            operator=who,
            now_us=now_us,
        )
    agree(system, asked, "approver", "security")
    run("apply")
    photos = [pair[0].read_bytes() for pair in photographs]
    issued = {"issued_at": "2026-11-01T00:00:00+08:00", "expires_at": "2099-01-01T00:00:00+08:00"}
    entries = [given(f"E{n}", one, expires_at="2099-01-01T00:00:00+08:00") for n, one in enumerate(photos)]
    broken = given("E9", b"no photograph", expires_at="2099-01-01T00:00:00+08:00")
    file = tmp_path / "police.bundle"
    file.write_bytes(bundle([*entries, broken], *photos, b"no photograph", **issued))
    said = json.loads(run("import", file, "--list", "police", "--reason", "核对无误", "--json", *key, code=1))
    assert said["new"] == ["E0", "E1", "E2"]
    assert [one["place"] for one in said["refused"]] == ["entries[3].photos", "entries[3].photos[0]"]
    agree(system, said["approval_id"], "approver", "security")
    run("apply")
    assert [one["source"] for one in json.loads(run("entries", "--list", "police", "--json"))] == ["police"] * 3


def test_a_key_that_others_can_read_opens_nothing(system, key_file, monkeypatch, capsys):
    key_file.chmod(0o644)
    words = ["--name", "x", "--ground", "x", "--false-alarms-a-day", "1", "--key-file", str(key_file)]
    monkeypatch.setattr("sys.argv", ["shouhao", "watchlist", "add-list", "own", *words])
    assert main() == 1
    assert "0600" in capsys.readouterr().err


def test_public_keys_are_shown_and_are_this_hospital_s_own(system):
    said = run("keys")
    assert said.startswith("签发方 issuer\tis_")
    assert len(said.splitlines()[1].split("\t")[1]) == 64
    assert Path(system.settings.data_dir, "master.key").read_bytes().hex() not in said
