"""Whatever several accounts do in whatever order, one document is one patient and no bound child is alone."""

import contextlib
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from flows.people import CHILD_BORN, NOW_US, VAULT, assert_sound, new_account, person, register
from shouhao.flows.guardians import add_guardian
from shouhao.flows.register import unbind_patient
from shouhao.flows.verify import verify_patient
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import Refused
from shouhao.patients.authority import FormatOnlyAuthority
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.tables import patients
from shouhao.store.engine import Database

ROOM_TABLES = "guardianships, bindings, identity_checks, photo_reviews, patient_edits, patients, accounts, events"
PEOPLE = [
    person("张三", order=1),
    person("李四", order=2),
    person("张小", born=CHILD_BORN, order=3),
    person("李小", born=CHILD_BORN, order=4),
]
POLICY = BindingPolicy(max_patients_per_account=3, bindings_without_cooling=4, max_guardians_per_child=1)

step = st.tuples(
    st.sampled_from(["register", "register", "misname", "unbind", "verify", "guardian"]),
    st.integers(0, 2),  # account
    st.integers(0, len(PEOPLE) - 1),
    st.one_of(st.none(), st.integers(0, len(PEOPLE) - 1)),  # guardian
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=8, max_size=24))
def test_no_interleaving_breaks_what_must_hold(db: Database, steps: list[tuple[str, int, int, int | None]]) -> None:
    with db.write() as connection:
        for table in ROOM_TABLES.split(", "):
            connection.execute(text(f"DELETE FROM {table}"))
    accounts = [new_account(db, n) for n in range(3)]
    ids: dict[int, str] = {}
    for number, (act, account, who, guardian) in enumerate(steps):
        with contextlib.suppress(Refused):
            _act(db, act, accounts[account], who, guardian, ids, now_us=NOW_US + number * DAY_US // 4)
        assert_sound(db)
    with db.read() as connection:
        total, documents = connection.execute(
            select(func.count(), func.count(patients.c.document_hash.distinct()))
        ).one()
        children = connection.execute(
            text(
                """
                SELECT b.id FROM bindings b JOIN patients p ON p.id = b.patient_id
                WHERE p.birth_day > '2010' AND NOT b.guarded
                """
            )
        ).all()
    assert total == documents == len(ids)
    assert children == []


def _act(
    db: Database, act: str, account: str, who: int, guardian: int | None, ids: dict[int, str], *, now_us: int
) -> None:
    guardian_id = None if guardian is None else ids.get(guardian, "pt_nobody")
    if act in {"register", "misname"}:
        given = PEOPLE[who] if act == "register" or who not in ids else replace(PEOPLE[who], name="王五")
        made = register(db, account, given, guardian_id=guardian_id, policy=POLICY, now_us=now_us)
        assert given is PEOPLE[who], "a wrong name was taken"
        assert ids.setdefault(who, made.patient_id) == made.patient_id
    elif who not in ids:
        return
    elif act == "verify":
        verify_patient(db, vault=VAULT, authority=FormatOnlyAuthority(), patient_id=ids[who], now_us=now_us)
    elif act == "unbind":
        with db.write() as connection:
            unbind_patient(
                connection, account_id=account, patient_id=ids[who], channel="app", policy=POLICY, now_us=now_us
            )
    elif guardian_id is not None:
        with db.write() as connection:
            add_guardian(
                connection,
                account_id=account,
                channel="app",
                child_id=ids[who],
                guardian_id=guardian_id,
                policy=POLICY,
                now_us=now_us,
            )
