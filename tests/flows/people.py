"""People for the tests of flows: a vault, valid documents, and short ways to register them."""

from datetime import UTC, date, datetime

from stdnum.cn import ric

from shouhao.flows.register import PersonGiven, Registration, account_of_phone, register_patient
from shouhao.flows.verify import verify_patient
from shouhao.kernel.clock import to_us
from shouhao.patients.authority import FormatOnlyAuthority
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.store import INVARIANTS
from shouhao.store.engine import Database
from shouhao.store.invariants import check
from shouhao.store.vault import Vault

VAULT = Vault(b"v" * 32)
NOW_US = to_us(datetime(2026, 3, 2, 0, 0, tzinfo=UTC))
POLICY = BindingPolicy()
ADULT_BORN, CHILD_BORN = date(1985, 6, 1), date(2018, 6, 1)


def resident_id(born: date = ADULT_BORN, order: int = 1) -> str:
    body = f"110105{born:%Y%m%d}{order:03d}"
    return body + ric.calc_check_digit(body + "0")


def person(name: str = "张三", *, born: date = ADULT_BORN, order: int = 1) -> PersonGiven:
    return PersonGiven(
        name=name, document_kind="resident_id", document_number=resident_id(born, order), phone="13900139000"
    )


def new_account(db: Database, last: int = 0) -> str:
    with db.write() as connection:
        phone = f"138{last:08d}"
        return account_of_phone(connection, vault=VAULT, phone=phone, channel="app", now_us=NOW_US).id


def register(
    db: Database,
    account_id: str,
    given: PersonGiven,
    *,
    relation: str = "other",
    guardian_id: str | None = None,
    policy: BindingPolicy = POLICY,
    now_us: int = NOW_US,
) -> Registration:
    with db.write() as connection:
        return register_patient(
            connection,
            vault=VAULT,
            account_id=account_id,
            channel="app",
            person=given,
            relation=relation,
            guardian_patient_id=guardian_id,
            policy=policy,
            now_us=now_us,
        )


def verified(db: Database, account_id: str, given: PersonGiven, *, relation: str = "other") -> str:
    patient_id = register(db, account_id, given, relation=relation).patient_id
    verify_patient(db, vault=VAULT, authority=FormatOnlyAuthority(), patient_id=patient_id, now_us=NOW_US)
    return patient_id


def assert_sound(db: Database) -> None:
    with db.read() as connection:
        assert check(connection, INVARIANTS) == []
